//! What a device obeys: signed envelopes, the trust root, targets, log proofs, and the checks between an
//! offered grant and the right to run it.
//!
//! Nothing here does io, reads a clock or makes randomness: keys, seeds and times are arguments. The road
//! of a grant on the device is [`verify::Verifier::verify`], then [`verify::VerifiedGrant::with_content`];
//! there is no other way to a [`verify::ReadyGrant`].

#![warn(missing_docs)]

pub mod attest;
pub mod body;
pub mod checkpoint;
pub mod enrol;
pub mod envelope;
pub mod error;
mod hash;
mod hexes;
pub mod json;
pub mod keys;
pub mod licence;
pub mod log;
pub mod merkle;
pub mod occurrence;
mod pae;
pub mod receipt;
pub mod recovery;
pub mod root;
pub mod schedule;
pub mod sealed;
pub mod targets;
pub mod verify;

pub use envelope::{Envelope, PayloadType, Signature, SignatureKind};
pub use error::GrantError;
pub use hash::sha256;
pub use hexes::Hex;
pub use keys::{KeyId, SigningKey, VerifyKey};
pub use pae::pae;
pub use root::{AuthorityPin, TrustRoot};
