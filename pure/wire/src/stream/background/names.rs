//! Names of units and patterns for logs, checked before they come near a program of the device.

use std::fmt;

use sallyport_model::limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a unit of systemd: `ssh.service`. No pattern and no option of a program can be one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(String);

/// What systemd manages (systemd.unit(5)).
const UNIT_TYPES: [&str; 11] = ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

impl UnitName {
    /// Checks a name: `name.type` of letters, digits and `: - _ . \ @`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, kind) = text.rsplit_once('.')?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let good = UNIT_TYPES.contains(&kind) && !name.is_empty() && !name.starts_with('-');
        (good && text.len() <= limits::UNIT_NAME_BYTES && name.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The checked name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a service.
    pub fn is_service(&self) -> bool {
        self.0.ends_with(".service")
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not the name of a unit"))
    }
}

/// A pattern to search log messages for: a regular expression of the device's journal, bounded in length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks a pattern: neither empty nor too long, without control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let good = !text.is_empty() && text.len() <= limits::LOG_PATTERN_BYTES && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned()))
    }

    /// The checked pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a pattern"))
    }
}
