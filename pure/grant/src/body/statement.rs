//! What a server attests beside a frozen grant.

use sallyport_model::{Digest, Email, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};

use super::{BodyError, at_most, fields, type_tag};
use crate::json::{self, JsonError};

type_tag!(
    /// The type of a statement.
    StatementType = "sallyport.attestation/1"
);

/// The server's word that it saw factors proved for exactly one grant.
///
/// It is no payload of an envelope: it stands in the `server` signature of the grant that it names, as verbatim bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always the same text.
    pub r#type: StatementType,
    /// SHA-256 of the grant's pre-authentication encoding ([`crate::Envelope::digest`]).
    pub grant: Digest,
    /// Who proved what; 1 to [`limits::GRANT_PROOFS`].
    pub proofs: Vec<FactorProof>,
}

impl Statement {
    /// What it is signed as.
    pub const MEDIA_TYPE: &str = "application/vnd.sallyport.attestation.v1+json";

    /// Reads and checks verbatim bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        let statement: Self = json::parse(bytes, limits::STATEMENT_BYTES)?;
        statement.check()?;
        Ok(statement)
    }

    /// Checks and writes compact JSON; never writes what [`Statement::parse`] would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BodyError> {
        self.check()?;
        let bytes = json::write(self);
        if bytes.len() > limits::STATEMENT_BYTES { Err(JsonError::TooLarge(limits::STATEMENT_BYTES).into()) } else { Ok(bytes) }
    }

    fn check(&self) -> Result<(), BodyError> {
        if self.proofs.is_empty() { Err(BodyError::Empty) } else { at_most(self.proofs.len(), limits::GRANT_PROOFS) }
    }
}

/// What the server saw proved, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorProof {
    /// Who.
    pub user: UserId,
    /// The address at that time.
    #[serde(deserialize_with = "fields::email")]
    pub email: Email,
    /// How.
    pub method: ProofMethod,
    /// When it was given for this request; within the grant's window, because the body is frozen first.
    pub at: Timestamp,
}

/// How a factor was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofMethod {
    /// A code for this very request.
    Totp,
    /// A passkey whose challenge was the digest of this very request.
    Passkey,
    /// An earlier proof whose step-up window was still open.
    StepUp,
}
