//! The public keys of API clients, and how old they may grow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Verifier as _;
use p256::ecdsa;
use sallyport_model::{Timestamp, limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::Rotation;
use crate::accounts::proof::Thumbprint;

const COORDINATE_BYTES: usize = 32;

/// A public key as a JSON Web Key (RFC 7517): P-256 or Ed25519. Members of private keys are unknown here, and refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicJwk {
    /// `EC` or `OKP`.
    pub kty: String,
    /// `P-256` or `Ed25519`.
    pub crv: String,
    /// Base64url.
    pub x: String,
    /// Base64url; of P-256 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// Why a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a public P-256 or Ed25519 key as a JSON Web Key")]
pub struct ClientKeyError;

/// A key that verifies assertions, with the one algorithm that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    jwk: PublicJwk,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    P256(Box<ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

impl ClientKey {
    /// Reads a JSON Web Key.
    ///
    /// # Errors
    /// When it is of another kind, or no point of its curve.
    pub fn parse(jwk: PublicJwk) -> Result<Self, ClientKeyError> {
        let x = coordinate(&jwk.x)?;
        let key = match (jwk.kty.as_str(), jwk.crv.as_str(), &jwk.y) {
            ("EC", "P-256", Some(y)) => {
                let point = [&[4u8][..], &x, &coordinate(y)?].concat();
                Key::P256(Box::new(ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| ClientKeyError)?))
            }
            ("OKP", "Ed25519", None) => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&x).map_err(|_| ClientKeyError)?;
                if key.is_weak() {
                    return Err(ClientKeyError);
                }
                Key::Ed25519(Box::new(key))
            }
            _ => return Err(ClientKeyError),
        };
        Ok(Self { jwk, key })
    }

    /// The key as it is stored and shown.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// The only `alg` (RFC 7518, RFC 8037) of its signatures.
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::P256(_) => "ES256",
            Key::Ed25519(_) => "EdDSA",
        }
    }

    /// RFC 7638: the required members in lexical order.
    pub fn thumbprint(&self) -> Thumbprint {
        let PublicJwk { kty, crv, x, y } = &self.jwk;
        let canonical = match y {
            Some(y) => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#),
            None => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#),
        };
        Thumbprint::from_bytes(Sha256::digest(canonical).into())
    }

    /// Whether the key signed these bytes.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::P256(key) => ecdsa::Signature::from_slice(signature).is_ok_and(|signature| key.verify(bytes, &signature).is_ok()),
            Key::Ed25519(key) => {
                ed25519_dalek::Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(bytes, &signature).is_ok())
            }
        }
    }
}

fn coordinate(text: &str) -> Result<[u8; COORDINATE_BYTES], ClientKeyError> {
    URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(ClientKeyError)
}

/// When a key began, and until when it works once another one took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAge {
    /// When it was registered.
    pub created: Timestamp,
    /// When it stopped, or stops, to work; absent for the present key.
    pub until: Option<Timestamp>,
}

/// What a key is good for at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStanding {
    /// It works.
    Good,
    /// It works, and is to be replaced.
    Due,
    /// It was not replaced in time: its client is to be stopped.
    Missed,
    /// It was replaced long ago. Whoever still has it has stolen it, or lost the new one to a thief: its client is to be stopped.
    Reused,
}

/// What a key is good for now.
pub fn age_of(key: KeyAge, rotation: Rotation, now: Timestamp) -> KeyStanding {
    let old = |secs: i64| rotation == Rotation::Daily && now >= key.created.plus_secs(secs);
    match key.until {
        Some(until) if now >= until => KeyStanding::Reused,
        Some(_) => KeyStanding::Good,
        None if old(limits::CLIENT_KEY_MAX_SECS) => KeyStanding::Missed,
        None if old(limits::CLIENT_KEY_SECS) => KeyStanding::Due,
        None => KeyStanding::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_8037() {
        let jwk = PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(), y: None };
        let key = ClientKey::parse(jwk).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(key.thumbprint().as_bytes()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.algorithm(), "EdDSA");
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let good = PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x: URL_SAFE_NO_PAD.encode([0; 32]), y: None };
        assert!(ClientKey::parse(good.clone()).is_err(), "a key of small order verifies anything");
        for (kty, crv, x) in [("EC", "P-256", "AA"), ("RSA", "P-256", "AA"), ("OKP", "X25519", good.x.as_str()), ("oct", "", "")] {
            assert!(ClientKey::parse(PublicJwk { kty: kty.into(), crv: crv.into(), x: x.into(), y: None }).is_err(), "{kty} {crv}");
        }
        assert!(serde_json::from_str::<PublicJwk>(r#"{"kty":"OKP","crv":"Ed25519","x":"","d":""}"#).is_err(), "a private key");
    }

    #[test]
    fn a_key_that_is_not_replaced_is_due_then_missed() {
        let present = KeyAge { created: at(0), until: None };
        let standing = |secs| age_of(present, Rotation::Daily, at(secs));
        assert_eq!(standing(limits::CLIENT_KEY_SECS - 1), KeyStanding::Good);
        assert_eq!(standing(limits::CLIENT_KEY_SECS), KeyStanding::Due);
        assert_eq!(standing(limits::CLIENT_KEY_MAX_SECS), KeyStanding::Missed);
        assert_eq!(age_of(present, Rotation::ByHand, at(limits::CLIENT_KEY_MAX_SECS)), KeyStanding::Good);
    }

    #[test]
    fn a_replaced_key_works_for_the_overlap_and_is_reuse_after_it() {
        let former = KeyAge { created: at(0), until: Some(at(limits::CLIENT_KEY_OVERLAP_SECS)) };
        assert_eq!(age_of(former, Rotation::Daily, at(limits::CLIENT_KEY_OVERLAP_SECS - 1)), KeyStanding::Good);
        for rotation in [Rotation::Daily, Rotation::ByHand] {
            assert_eq!(age_of(former, rotation, at(limits::CLIENT_KEY_OVERLAP_SECS)), KeyStanding::Reused);
        }
    }
}
