//! Ids: 48 bits of milliseconds, then 80 random bits, written as `dev_` and 26 Crockford base32 digits.
//!
//! The shape sorts by creation time like UUIDv7 (RFC 9562, section 5.7) and names its kind, so that
//! a run's id can never be passed for a device's.

use std::fmt;
use std::str::FromStr;

use crate::Timestamp;

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 26 base32 digits")]
pub struct AnyIdError {
    /// The prefix that was wanted.
    pub prefix: &'static str,
}

fn write_digits(bytes: [u8; 16], out: &mut String) {
    let value = u128::from_be_bytes(bytes);
    for place in (0..DIGITS).rev() {
        let digit = (value >> (place * 5)) & 31;
        out.push(char::from(CROCKFORD[digit as usize]));
    }
}

fn read_digits(text: &str) -> Option<[u8; 16]> {
    if text.len() != DIGITS {
        return None;
    }
    let mut value: u128 = 0;
    for (at, byte) in text.bytes().enumerate() {
        let digit = CROCKFORD.iter().position(|known| *known == byte)?;
        if at == 0 && digit > 7 {
            return None;
        }
        value = (value << 5) | digit as u128;
    }
    Some(value.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What the written form starts with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from the time and 80 random bits.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let mut bytes = [0u8; 16];
                bytes[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
                bytes[6..].copy_from_slice(&random);
                Self(bytes)
            }

            /// Takes the 16 stored bytes back.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as stored and hashed.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// A short form that people compare by eye: `7K2M-9QX4`, from the random end.
            pub fn short(&self) -> String {
                let text = self.to_string().to_uppercase();
                let tail = &text[text.len() - 8..];
                format!("{}-{}", &tail[..4], &tail[4..])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::with_capacity($prefix.len() + 1 + DIGITS);
                text.push_str($prefix);
                text.push('_');
                write_digits(self.0, &mut text);
                f.write_str(&text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = AnyIdError;
            fn from_str(text: &str) -> Result<Self, AnyIdError> {
                text.strip_prefix(concat!($prefix, "_")).and_then(read_digits).map(Self).ok_or(AnyIdError { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An MSP or a company: the owner of everything below.
    TenantId = "ten";
    /// A customer of the tenant.
    CustomerId = "cus";
    /// A place of a customer.
    SiteId = "sit";
    /// A managed computer.
    DeviceId = "dev";
    /// A human with roles.
    UserId = "usr";
    /// A signed-in user's session.
    SessionId = "ses";
    /// One of a user's factors.
    FactorId = "fac";
    /// A script of the library.
    ScriptId = "scr";
    /// A script on devices.
    JobId = "job";
    /// That job on one device.
    RunId = "run";
    /// What a device obeys.
    GrantId = "grt";
    /// An installer, with its enrolment token.
    InstallerId = "ins";
    /// A terminal, background management, files or screen of a device, which people attach to.
    RemoteSessionId = "rms";
    /// An authorization request: an action that waits for proofs.
    RequestId = "req";
    /// A role of a tenant's own.
    RoleId = "rol";
    /// An API client: a tool, never a person.
    ApiClientId = "cli";
    /// A licence: what lets a tool's program in.
    LicenceId = "lic";
    /// A queued mail.
    MailId = "mail";
    /// A published schedule: a script that runs unattended at its times.
    ScheduleId = "sch";
    /// A connection to another vendor's API.
    ConnectionId = "con";
    /// A webhook: an address that is told what happens.
    WebhookId = "whk";
    /// Something that happened, as webhooks are told it; the same at every attempt.
    EventId = "evt";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let id = DeviceId::new(Timestamp::from_millis(1_790_000_000_000), [0xff; 10]);
        assert_eq!(id.to_string().parse::<DeviceId>(), Ok(id));
        assert_eq!(id.to_string().len(), 30);
    }

    #[test]
    fn another_kind_is_refused() {
        let id = DeviceId::from_bytes([7; 16]);
        assert!(id.to_string().parse::<RunId>().is_err());
        assert!("dev_".parse::<DeviceId>().is_err());
        assert!("dev_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<DeviceId>().is_err(), "more than 128 bits");
        assert!(id.to_string().to_uppercase().parse::<DeviceId>().is_err(), "one written form only");
    }

    #[test]
    fn later_ids_sort_later() {
        let early = JobId::new(Timestamp::from_millis(1), [0xff; 10]);
        let late = JobId::new(Timestamp::from_millis(2), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }
}
