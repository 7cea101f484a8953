//! Files of cookies, as `xauth` keeps them.

use std::path::Path;

use super::Cookie;
use super::facts::read;

const NAME: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// The cookie for a display: one that names it, or one that is good for all.
pub(crate) fn cookie(path: &Path, display: u32) -> Option<Cookie> {
    let bytes = read(path)?;
    let wanted = display.to_string();
    let entries = || Entries(&bytes).filter(|entry| entry.name == NAME);
    let exact = entries().find(|entry| entry.number == wanted.as_bytes());
    exact.or_else(|| entries().find(|entry| entry.number.is_empty())).map(|entry| Cookie(entry.secret.to_vec()))
}

/// The content of a file with one cookie, for one display or for all, at every address of this machine.
pub(crate) fn file_for(display: Option<u32>, secret: &[u8]) -> Vec<u8> {
    const ANY_ADDRESS: [u8; 2] = [0xff, 0xff];
    let mut bytes = ANY_ADDRESS.to_vec();
    let number = display.map_or_else(String::new, |number| number.to_string());
    for field in [&b""[..], number.as_bytes(), NAME, secret] {
        bytes.extend_from_slice(&(field.len() as u16).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

struct Entry<'a> {
    number: &'a [u8],
    name: &'a [u8],
    secret: &'a [u8],
}

struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (_family, rest) = self.0.split_first_chunk::<2>()?;
        let (_address, rest) = field(rest)?;
        let (number, rest) = field(rest)?;
        let (name, rest) = field(rest)?;
        let (secret, rest) = field(rest)?;
        self.0 = rest;
        Some(Entry { number, name, secret })
    }
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn file(display: u32, secret: &[u8]) -> Vec<u8> {
        file_for(Some(display), secret)
    }

    #[test]
    fn the_display_s_own_cookie_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        std::fs::write(&path, [file(1, b"one"), file(12, b"twelve")].concat()).unwrap();
        assert_eq!(cookie(&path, 12), Some(Cookie(b"twelve".to_vec())));
        assert_eq!(cookie(&path, 2), None);
        assert_eq!(cookie(&folder.path().join("none"), 1), None);
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(Entries(&bytes).count() <= bytes.len());
        }
    }
}
