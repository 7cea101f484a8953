//! What makes an agent a device of a tenant.

use std::fmt;

use sallyport_model::{Digest, InstallerId, Name, SiteId, TenantId, Timestamp, limits};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::fields::{self, FieldError, checked_text};
use super::{Body, BodyError, type_tag};
use crate::Hex;
use crate::envelope::{Envelope, PayloadType};

type_tag!(
    /// The type of an enrolment file.
    EnrolmentType = "sallyport.enrolment/1"
);

/// The content of an enrolment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentBody {
    /// Always the same text.
    pub r#type: EnrolmentType,
    /// Whose device it becomes.
    pub tenant: TenantId,
    /// For people.
    #[serde(deserialize_with = "fields::name")]
    pub tenant_name: Name,
    /// Where the device is put.
    pub site: SiteId,
    /// For people.
    #[serde(deserialize_with = "fields::name")]
    pub site_name: Name,
    /// For people.
    #[serde(deserialize_with = "fields::name")]
    pub customer_name: Name,
    /// Where the agent dials.
    pub server: ServerUrl,
    /// See [`crate::AuthorityPin`].
    pub authority_pin: Digest,
    /// The envelope of the trust root.
    #[serde(with = "nested_root")]
    pub root: Envelope,
    /// The enrolment token's public part.
    pub token_id: InstallerId,
    /// The enrolment token's secret part.
    pub token_secret: TokenSecret,
    /// The token is refused from then on.
    pub expires: Timestamp,
    /// What kind of machine it is for.
    pub platform: Platform,
    /// PEM certificates to trust for TLS instead of the machine's own.
    #[serde(deserialize_with = "fields::required")]
    pub ca: Option<String>,
}

checked_text!(
    /// Where an agent dials: `wss://HOST[:PORT]/agent/link`, or `ws://` on the loopback.
    ServerUrl,
    FieldError::ServerUrl,
    |text| {
        let graphic = text.len() <= limits::SERVER_URL_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
        let host = text.strip_suffix("/agent/link").and_then(host_of);
        graphic && host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '\\']))
    }
);

/// The host and port where the scheme may be used with that host.
fn host_of(address: &str) -> Option<&str> {
    let on_loopback = |host: &&str| {
        let name = host.rsplit_once(':').map_or(*host, |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    };
    address.strip_prefix("wss://").or_else(|| address.strip_prefix("ws://").filter(on_loopback))
}

/// The secret part of an enrolment token; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

impl Serialize for TokenSecret {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Hex(self.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for TokenSecret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Hex::deserialize(from).map(|Hex(bytes)| Self(bytes))
    }
}

/// Kinds of machines that have an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Linux.
    Linux,
}

impl Body for EnrolmentBody {
    const TYPE: PayloadType = PayloadType::Enrolment;

    fn check(&self) -> Result<(), BodyError> {
        match &self.ca {
            Some(ca) if ca.len() > limits::CA_BYTES => Err(BodyError::TooLong),
            _ => Ok(()),
        }
    }
}

/// An envelope inside of a body, as an object of its own.
pub(super) mod nested_root {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::envelope::{Envelope, PayloadType, Written};

    pub(in crate::body) fn serialize<S: Serializer>(envelope: &Envelope, to: S) -> Result<S::Ok, S::Error> {
        Written::from(envelope).serialize(to)
    }

    pub(in crate::body) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Envelope, D::Error> {
        Envelope::from_written(Written::deserialize(from)?, PayloadType::Root).map_err(D::Error::custom)
    }
}
