//! What the authority signs for an owner who has lost everything else.

use sallyport_model::{Digest, Email, TenantId, limits};
use serde::{Deserialize, Serialize};

use super::{Body, BodyError, fields, type_tag};
use crate::envelope::PayloadType;

type_tag!(
    /// The type of a recovery statement.
    RecoveryType = "sallyport.recovery/1"
);

/// "Let this browser into this account, now": good for one challenge of one server, and for nothing else that an authority signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryBody {
    /// Always the same text.
    pub r#type: RecoveryType,
    /// Whose authority signs.
    pub tenant: TenantId,
    /// Whose account.
    #[serde(deserialize_with = "fields::email")]
    pub email: Email,
    /// The origin of the server that asked: `https://rmm.example`.
    pub server: String,
    /// RFC 7638 thumbprint of the key that the session will be bound to.
    pub key: Digest,
    /// What the server asked, as it said it.
    pub challenge: String,
}

impl Body for RecoveryBody {
    const TYPE: PayloadType = PayloadType::Recovery;

    fn check(&self) -> Result<(), BodyError> {
        let (server, challenge) = (self.server.len(), self.challenge.len());
        match server > limits::SERVER_URL_BYTES || challenge > limits::RECOVERY_CHALLENGE_BYTES {
            true => Err(BodyError::TooLong),
            false => Ok(()),
        }
    }
}
