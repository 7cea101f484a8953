//! What a device says that it did.

use sallyport_model::{Digest, GrantId, TenantId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::fields::{self, FieldError, checked_text};
use super::{Body, BodyError, in_range, type_tag};
use crate::envelope::PayloadType;
use crate::keys::KeyId;

type_tag!(
    /// The type of a receipt.
    ReceiptType = "sallyport.receipt/1"
);

/// How a grant ended on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    /// Always the same text.
    pub r#type: ReceiptType,
    /// Which grant.
    pub grant: GrantId,
    /// Whose.
    pub tenant: TenantId,
    /// Thumbprint of the device key, which also signs.
    pub device: KeyId,
    /// How it ended.
    pub outcome: Outcome,
    /// What the program returned, where it ended by itself.
    #[serde(deserialize_with = "fields::required")]
    pub exit_code: Option<i32>,
    /// The signal that ended the program, where one did.
    #[serde(deserialize_with = "fields::required")]
    pub signal: Option<i32>,
    /// Why it was refused or broke off.
    #[serde(deserialize_with = "fields::required")]
    pub reason: Option<ReasonCode>,
    /// SHA-256 of all kept output, both streams in the order of their chunks; for a remote session, of its recording.
    pub output_sha256: Digest,
    /// Bytes of all kept output.
    pub output_bytes: u64,
    /// When execution began, where it did.
    #[serde(deserialize_with = "fields::required")]
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The program ended by itself.
    Finished,
    /// The device did not obey.
    Refused,
    /// The agent or the machine went down; never run again.
    Interrupted,
    /// Someone cancelled it.
    Cancelled,
    /// Ended at its time limit.
    TimedOut,
    /// Ended at its output limit.
    OutputLimit,
}

checked_text!(
    /// A stable code, as of [`crate::GrantError::code`]: 1 to 40 of `a-z0-9_`.
    ReasonCode,
    FieldError::ReasonCode,
    |text| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !text.is_empty() && text.len() <= 40 && text.bytes().all(allowed)
    }
);

impl From<&crate::GrantError> for ReasonCode {
    fn from(error: &crate::GrantError) -> Self {
        Self(error.code().to_owned())
    }
}

impl Body for ReceiptBody {
    const TYPE: PayloadType = PayloadType::Receipt;

    fn check(&self) -> Result<(), BodyError> {
        in_range(self.output_bytes, 0..=limits::RUN_OUTPUT_BYTES.max(limits::RECORDING_BYTES))?;
        if self.started.is_some_and(|started| started > self.ended) {
            return Err(BodyError::TimeOrder);
        }
        let ran = self.exit_code.is_some() || self.signal.is_some() || self.started.is_some();
        match self.outcome {
            Outcome::Refused if ran || self.reason.is_none() => Err(BodyError::Contradiction),
            Outcome::Finished if self.exit_code.is_some() == self.signal.is_some() => Err(BodyError::Contradiction),
            _ => Ok(()),
        }
    }
}
