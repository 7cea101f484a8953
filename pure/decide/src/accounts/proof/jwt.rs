//! The JWT of a proof: compact form, ES256 alone, no members but ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sallyport_model::limits;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Dialect, JTI_BYTES, ProofError, Thumbprint};

const COORDINATE_BYTES: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
}

/// Members that only private or other keys have are listed, so that they are refused by their name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde_json::Value>,
    p: Option<serde_json::Value>,
    q: Option<serde_json::Value>,
    k: Option<serde_json::Value>,
}

/// The claims. Unknown and doubled ones are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) jti: String,
    pub(super) htm: String,
    pub(super) htu: String,
    pub(super) htq: Option<String>,
    pub(super) iat: i64,
    pub(super) nonce: Option<String>,
    pub(super) bh: Option<String>,
    pub(super) ath: Option<String>,
}

/// The same claims of a program that was not written for us, which may have others beside them.
#[derive(Deserialize)]
struct ForeignClaims {
    jti: String,
    htm: String,
    htu: String,
    htq: Option<String>,
    iat: i64,
    nonce: Option<String>,
    bh: Option<String>,
    ath: Option<String>,
}

impl From<ForeignClaims> for Claims {
    fn from(claims: ForeignClaims) -> Self {
        let ForeignClaims { jti, htm, htu, htq, iat, nonce, bh, ath } = claims;
        Self { jti, htm, htu, htq, iat, nonce, bh, ath }
    }
}

/// Reads the JWT and verifies its signature by the key that it carries.
pub(super) fn open(jwt: &str, dialect: Dialect) -> Result<(Claims, Thumbprint), ProofError> {
    let (signed, signature) = jwt.rsplit_once('.').ok_or(ProofError::Malformed)?;
    let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(ProofError::Malformed)?;
    let header: Header = part(header)?;
    if header.typ != "dpop+jwt" {
        return Err(ProofError::Type);
    }
    if header.alg != "ES256" {
        return Err(ProofError::Algorithm);
    }
    let (key, thumbprint) = key_of(&header.jwk)?;
    let signature = Signature::from_slice(&decode(signature)?).map_err(|_| ProofError::Signature)?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| ProofError::Signature)?;
    let claims: Claims = match dialect {
        Dialect::Session => part(claims)?,
        Dialect::Token => part::<ForeignClaims>(claims)?.into(),
    };
    if claims.jti.len() > limits::PROOF_JTI_BYTES || !is_long_enough(&claims.jti, dialect) {
        return Err(ProofError::Malformed);
    }
    Ok((claims, thumbprint))
}

/// RFC 9449 leaves the form of `jti` open; ours is 128 bits in base64url.
fn is_long_enough(jti: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Session => decode(jti).is_ok_and(|bytes| bytes.len() >= JTI_BYTES),
        Dialect::Token => jti.len() >= JTI_BYTES && jti.bytes().all(|byte| byte.is_ascii_graphic()),
    }
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ProofError> {
    serde_json::from_slice(&decode(text)?).map_err(|_| ProofError::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, ProofError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| ProofError::Malformed)
}

fn key_of(jwk: &Jwk) -> Result<(VerifyingKey, Thumbprint), ProofError> {
    if [&jwk.d, &jwk.p, &jwk.q, &jwk.k].into_iter().any(Option::is_some) {
        return Err(ProofError::PrivateKey);
    }
    let (Some(x), Some(y)) = (&jwk.x, &jwk.y) else { return Err(ProofError::Key) };
    if jwk.kty != "EC" || jwk.crv.as_deref() != Some("P-256") {
        return Err(ProofError::Key);
    }
    let mut point = vec![4u8];
    for coordinate in [x, y] {
        let bytes = decode(coordinate)?;
        if bytes.len() != COORDINATE_BYTES {
            return Err(ProofError::Key);
        }
        point.extend(bytes);
    }
    let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| ProofError::Key)?;
    Ok((key, thumbprint_of(x, y)))
}

/// RFC 7638: the required members in lexical order. Both coordinates were decoded, so that they have one spelling.
fn thumbprint_of(x: &str, y: &str) -> Thumbprint {
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Thumbprint::from_bytes(Sha256::digest(canonical).into())
}
