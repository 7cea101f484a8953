//! What a device answers to the client's key in a grant.

use sallyport_model::{GrantId, RemoteSessionId};
use serde::{Deserialize, Serialize};

use super::{Body, BodyError, in_range, type_tag};
use crate::Hex;
use crate::envelope::PayloadType;
use crate::keys::KeyId;

type_tag!(
    /// The type of an answer.
    AnswerType = "sallyport.answer/1"
);

/// The device's half of the keys of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Always the same text.
    pub r#type: AnswerType,
    /// The grant that it answers to.
    pub grant: GrantId,
    /// The remote session of that grant.
    pub session: RemoteSessionId,
    /// Thumbprint of the device key, which also signs.
    pub device: KeyId,
    /// The device's ephemeral X25519 key, for this grant only.
    pub device_key: Hex<32>,
    /// The client's key, as in the grant.
    pub client_key: Hex<32>,
}

impl Body for AnswerBody {
    const TYPE: PayloadType = PayloadType::Answer;

    fn check(&self) -> Result<(), BodyError> {
        in_range(self.device_key.0.iter().filter(|byte| **byte != 0).count(), 1..=32)
    }
}
