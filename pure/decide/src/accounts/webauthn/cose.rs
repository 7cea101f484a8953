//! Public keys of authenticators (RFC 9053): ES256 and EdDSA, nothing else.
//!
//! The algorithm comes from the stored key and never from what is being verified.

use ed25519_dalek::Signature as EdSignature;
use p256::ecdsa::signature::Verifier as _;

use super::cbor::Item;

/// COSE's key parameters (RFC 9052, section 7; RFC 9053, section 7).
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All, the most common one first.
    pub const ALL: [Algorithm; 2] = [Algorithm::Es256, Algorithm::EdDsa];

    /// The number in the IANA registry of COSE algorithms.
    pub fn cose(self) -> i32 {
        match self {
            Algorithm::Es256 => -7,
            Algorithm::EdDsa => -8,
        }
    }
}

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a COSE key of the agreed form: parameters missing, doubled, or too many.
    #[error("the public key is malformed")]
    Malformed,
    /// Neither ES256 nor EdDSA.
    #[error("the public key's algorithm is not supported")]
    Algorithm,
    /// No point of its curve.
    #[error("the public key is no point of its curve")]
    Point,
}

/// An authenticator's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Es256(Box<p256::ecdsa::VerifyingKey>),
    EdDsa(Box<ed25519_dalek::VerifyingKey>),
}

impl PublicKey {
    /// Reads a COSE key: exactly the parameters that its kind has.
    ///
    /// # Errors
    /// Says whether its form, its algorithm or its point is wrong.
    pub fn from_cose(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::of_item(&Item::whole(bytes).map_err(|_| KeyError::Malformed)?)
    }

    pub(super) fn of_item(item: &Item<'_>) -> Result<Self, KeyError> {
        let int = |key| item.at(key).and_then(Item::int);
        match (int(KTY), int(ALG), int(CRV), item.entries()) {
            (Some(2), Some(-7), Some(1), Some(5)) => es256(item),
            (Some(1), Some(-8), Some(6), Some(4)) => eddsa(item),
            (Some(2), Some(-7), Some(1), _) | (Some(1), Some(-8), Some(6), _) => Err(KeyError::Malformed),
            (Some(_), Some(_), _, Some(_)) => Err(KeyError::Algorithm),
            _ => Err(KeyError::Malformed),
        }
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::Es256(_) => Algorithm::Es256,
            Key::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether a signature over a message is by this key. ES256's comes as DER (WebAuthn, section 6.5.5); strict rules for EdDSA
    /// (RFC 8032 without points of small order), so that one signature has one spelling.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Es256(key) => p256::ecdsa::Signature::from_der(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Key::EdDsa(key) => EdSignature::from_slice(signature).is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

fn coordinate(item: &Item<'_>, key: i64) -> Result<[u8; 32], KeyError> {
    item.at(key).and_then(Item::bytes).and_then(|bytes| bytes.try_into().ok()).ok_or(KeyError::Malformed)
}

fn es256(item: &Item<'_>) -> Result<PublicKey, KeyError> {
    let point = [[4].as_slice(), &coordinate(item, X)?, &coordinate(item, Y)?].concat();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| KeyError::Point)?;
    Ok(PublicKey { key: Key::Es256(Box::new(key)) })
}

fn eddsa(item: &Item<'_>) -> Result<PublicKey, KeyError> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(&coordinate(item, X)?).map_err(|_| KeyError::Point)?;
    if key.is_weak() {
        return Err(KeyError::Point);
    }
    Ok(PublicKey { key: Key::EdDsa(Box::new(key)) })
}
