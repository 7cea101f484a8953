//! Checked texts of the bodies, and how they read and write as JSON.

use std::fmt;

use sallyport_model::{Email, Name};
use serde::{Deserialize, Deserializer};

/// Why a text is not the wanted field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not `[A-Za-z_][A-Za-z0-9_]*` of at most 128 bytes.
    #[error("must be a name of letters, digits and underscores")]
    EnvName,
    /// Not an account name.
    #[error("must be an account name")]
    RunAs,
    /// Not a code of lower-case words.
    #[error("must be a code of lower-case letters and underscores")]
    ReasonCode,
    /// Not one to four numbers with dots between them.
    #[error("must be one to four numbers with dots between them, like 2.14.0")]
    Version,
    /// Not the word of a capability.
    #[error("must be a word like devices.read")]
    Scope,
    /// Neither `wss://HOST/agent/link` nor `ws://` on this machine.
    #[error("must be wss://HOST/agent/link")]
    ServerUrl,
}

/// Makes a checked text; the given function says what is allowed.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $error:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks a text.
            pub fn parse(text: &str) -> Result<Self, crate::body::FieldError> {
                let allowed: fn(&str) -> bool = $allowed;
                if allowed(text) { Ok(Self(text.to_owned())) } else { Err($error) }
            }

            /// The checked text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use checked_text;

checked_text!(
    /// Name of an environment variable or secret: `[A-Za-z_][A-Za-z0-9_]*`, at most 128 bytes.
    EnvName,
    FieldError::EnvName,
    |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !text.is_empty() && text.len() <= 128 && text.bytes().all(word) && !text.as_bytes()[0].is_ascii_digit()
    }
);

checked_text!(
    /// An account of the device: 1 to 64 of `A-Za-z0-9._@\-`, not beginning with a hyphen.
    RunAs,
    FieldError::RunAs,
    |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'\\' | b'-');
        !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed) && !text.starts_with('-')
    }
);

/// Reads a name in the one form that [`Name::parse`] writes.
pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
    let text = String::deserialize(from)?;
    settled(&text, Name::parse(&text), Name::as_str)
}

/// Reads an address in the one form that [`Email::parse`] writes.
pub(super) fn email<'de, D: Deserializer<'de>>(from: D) -> Result<Email, D::Error> {
    let text = String::deserialize(from)?;
    settled(&text, Email::parse(&text), Email::as_str)
}

fn settled<T, F: fmt::Display, E: serde::de::Error>(text: &str, parsed: Result<T, F>, as_str: fn(&T) -> &str) -> Result<T, E> {
    let value = parsed.map_err(E::custom)?;
    if as_str(&value) == text { Ok(value) } else { Err(E::custom("not in its settled form")) }
}

/// Reads a value or `null`; unlike serde's default, a missing key is refused.
pub(crate) fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}
