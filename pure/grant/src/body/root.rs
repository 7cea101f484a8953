//! The keys of a tenant.

use sallyport_model::{TenantId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::{Body, BodyError, at_most, distinct, in_range, type_tag};
use crate::Hex;
use crate::envelope::PayloadType;
use crate::keys::VerifyKey;

type_tag!(
    /// The type of a trust root.
    RootType = "sallyport.root/1"
);

/// Which keys a tenant's devices trust, and for what. Signed by the authority, which the server never holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootBody {
    /// Always the same text.
    pub r#type: RootType,
    /// Whose root.
    pub tenant: TenantId,
    /// 1, then one more with each rotation.
    pub version: u32,
    /// When it was made.
    pub issued: Timestamp,
    /// Not trusted from then on.
    pub expires: Timestamp,
    /// How many authority keys must sign a root.
    pub threshold: u32,
    /// The authority keys.
    pub authority: Vec<VerifyKey>,
    /// X25519 key of the server's end of the agent link.
    pub link: Hex<32>,
    /// Signs grants as `server`.
    pub attestation: VerifyKey,
    /// The audit log.
    pub log: LogKey,
    /// Signs freshness statements.
    pub fresh: VerifyKey,
    /// Signs enrolment files.
    pub enrolment: VerifyKey,
}

/// The name and key of an audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKey {
    /// `sallyport/` and the tenant's id.
    pub origin: String,
    /// Signs checkpoints.
    pub key: VerifyKey,
}

impl LogKey {
    /// The origin of a tenant's log.
    pub fn origin_of(tenant: TenantId) -> String {
        format!("sallyport/{tenant}")
    }
}

impl Body for RootBody {
    const TYPE: PayloadType = PayloadType::Root;

    fn check(&self) -> Result<(), BodyError> {
        in_range(self.version, 1..=u32::MAX)?;
        at_most(self.authority.len(), limits::AUTHORITY_KEYS)?;
        if self.threshold == 0 || self.threshold as usize > self.authority.len() {
            return Err(BodyError::Threshold);
        }
        if self.issued >= self.expires {
            return Err(BodyError::TimeOrder);
        }
        if self.log.origin != LogKey::origin_of(self.tenant) {
            return Err(BodyError::Origin);
        }
        // One key for two purposes would let a signature made for one be used for the other.
        distinct(self.authority.iter().chain([&self.attestation, &self.log.key, &self.fresh, &self.enrolment]))
    }
}
