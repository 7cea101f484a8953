//! The audit log and the trust that devices pin.

use sallyport_model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An entry of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// When it was written.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What happened, as a stable word: `job.created`.
    pub kind: String,
    /// Who did it; absent where nobody signed in did.
    pub actor: Option<AuditParty>,
    /// What happened, as parts of one whole sentence, with who did it.
    pub sentence: Vec<SentencePart>,
    /// The entry's details. Erased ones are null; the proof still holds.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
    /// The hash of its leaf.
    #[schema(value_type = String)]
    pub leaf: Digest,
}

/// A person or a thing in an entry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditParty {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A part of an entry's sentence.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SentencePart {
    /// The words.
    pub text: String,
    /// The id that they stand for, to link to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The newest signed checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries that it covers.
    pub size: u64,
    /// The tree's root.
    #[schema(value_type = String)]
    pub root: Digest,
    /// The signed note (C2SP), to check elsewhere.
    pub note: String,
    /// When it was signed.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

/// Shows that an entry is in the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InclusionProof {
    /// The entry.
    pub index: u64,
    /// The entry's leaf hash.
    #[schema(value_type = String)]
    pub leaf: Digest,
    /// The checkpoint that it is shown for.
    pub checkpoint: Checkpoint,
    /// The hashes from the leaf to the root (RFC 6962).
    #[schema(value_type = Vec<String>)]
    pub hashes: Vec<Digest>,
}

/// Which keys command the devices of this tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// `starter`.
    pub profile: String,
    /// SHA-256 that every installer pins.
    #[schema(value_type = String)]
    pub authority_pin: Digest,
    /// The root, as a signed envelope.
    pub root_envelope: String,
    /// The root's version.
    pub version: u64,
    /// When the root must be signed again.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}
