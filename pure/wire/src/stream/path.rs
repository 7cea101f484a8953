//! Absolute paths on a device, carried through JSON without loss.
//!
//! A path is written as it is when it is UTF-8: `/srv/café`. One that is not, is written as `raw:` and the path with every
//! byte but `A-Z a-z 0-9 - . _ ~ /` as `%` and two hexadecimal digits: `raw:/srv/caf%E9`. Both forms can be read for any
//! path; since the first one begins with `/`, no path has two readings.

use std::fmt;

use sallyport_model::limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const RAW: &str = "raw:";

/// An absolute path without `.`, `..` and empty names, in bytes as the device's file system has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DevicePath(Vec<u8>);

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Does not begin with `/`.
    #[error("the path is not absolute")]
    NotAbsolute,
    /// Longer than [`limits::PATH_BYTES`], or a name longer than [`limits::FILE_NAME_BYTES`].
    #[error("the path or a name in it is too long")]
    TooLong,
    /// A name is `..`: a path says where it leads.
    #[error("the path has '..' in it")]
    Parent,
    /// A zero byte, which would end the path for the system.
    #[error("the path has a zero byte in it")]
    Nul,
    /// `%` without two hexadecimal digits.
    #[error("the path is not escaped as it must be")]
    Escape,
}

impl DevicePath {
    /// Reads either written form. Empty names and `.` are left out: `/a//b/./` is `/a/b`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match text.strip_prefix(RAW) {
            Some(escaped) => Self::from_bytes(&unescape(escaped)?),
            None => Self::from_bytes(text.as_bytes()),
        }
    }

    /// Checks the bytes of a path.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.len() > limits::PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if bytes.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut path = Vec::with_capacity(bytes.len());
        for name in bytes.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".") {
            check(name)?;
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(Self(path))
    }

    /// The bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

fn check(name: &[u8]) -> Result<(), PathError> {
    if name == b".." {
        return Err(PathError::Parent);
    }
    if name.contains(&0) {
        return Err(PathError::Nul);
    }
    if name.len() > limits::FILE_NAME_BYTES { Err(PathError::TooLong) } else { Ok(()) }
}

/// A name in the escaped form, for [`super::FileEntry::raw`]: it goes behind `raw:` and the escaped folder.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

fn unescape(text: &str) -> Result<Vec<u8>, PathError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2).ok_or(PathError::Escape)?;
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(PathError::Escape);
        bytes.push(value(digits[0])? << 4 | value(digits[1])?);
        rest = behind;
    }
    Ok(bytes)
}

impl fmt::Display for DevicePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => f.write_str(text),
            Err(_) => write!(f, "{RAW}{}", escape(&self.0)),
        }
    }
}

impl fmt::Debug for DevicePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for DevicePath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DevicePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn traversal_nul_and_lengths_are_refused() {
        let cases: [(&str, PathError); 9] = [
            ("", PathError::NotAbsolute),
            ("etc/passwd", PathError::NotAbsolute),
            ("/srv/../etc", PathError::Parent),
            ("/..", PathError::Parent),
            ("raw:/srv/%2E%2E/etc", PathError::Parent),
            ("/a\0b", PathError::Nul),
            ("raw:/a%00b", PathError::Nul),
            ("raw:/a%zz", PathError::Escape),
            ("raw:/a%4", PathError::Escape),
        ];
        for (text, error) in cases {
            assert_eq!(DevicePath::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(DevicePath::parse(&format!("/{}", "x".repeat(256))), Err(PathError::TooLong));
        assert_eq!(DevicePath::parse(&"/xy".repeat(1366)), Err(PathError::TooLong));
        assert!(DevicePath::parse(&"/xy".repeat(1365)).is_ok());
    }

    #[test]
    fn names_that_are_not_utf8_are_carried_without_loss() {
        let path = DevicePath::parse("raw:/srv/caf%E9%").map_err(|error| error.to_string());
        assert_eq!(path, Err(PathError::Escape.to_string()));
        let path = DevicePath::parse("raw:/srv/caf%E9").expect("path");
        assert_eq!((path.as_bytes(), path.name()), (b"/srv/caf\xe9".as_slice(), b"caf\xe9".as_slice()));
        assert_eq!(path.to_string(), "raw:/srv/caf%E9");
        assert_eq!(DevicePath::parse("/100%25").expect("a literal form has no escapes").as_bytes(), b"/100%25");
        assert_eq!(DevicePath::parse("//a/./b//").expect("path").to_string(), "/a/b");
        assert_eq!(DevicePath::parse("/").expect("root").name(), b"");
    }

    proptest! {
        #[test]
        fn every_path_is_read_back(names in prop::collection::vec(prop::collection::vec(1u8.., 1..20), 0..8)) {
            let bytes: Vec<u8> = names.iter().flat_map(|name| [b"/".as_slice(), name].concat()).collect();
            if let Ok(path) = DevicePath::from_bytes(&bytes) {
                prop_assert_eq!(DevicePath::parse(&path.to_string()), Ok(path.clone()));
                let raw = format!("{RAW}{}", escape(path.as_bytes()));
                prop_assert_eq!(DevicePath::parse(&raw), Ok(path));
            }
        }

        #[test]
        fn whatever_is_read_leads_down_from_the_root(text in "(raw:)?[/.a%0-9A-F\0]{0,60}") {
            if let Ok(path) = DevicePath::parse(&text) {
                prop_assert!(path.as_bytes().starts_with(b"/") && !path.as_bytes().contains(&0));
                prop_assert!(path.as_bytes().split(|byte| *byte == b'/').all(|name| name != b".." && name != b"."));
            }
        }
    }
}
