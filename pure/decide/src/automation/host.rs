//! What a host says about a token request: a JWT that its key signed, about this one assertion, this licence and the program that it measured.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sallyport_grant::body::{HostKind, ToolVersion};
use sallyport_grant::licence::Measured;
use sallyport_grant::{Hex, json, sha256};
use sallyport_model::{ApiClientId, Digest, Timestamp, limits};
use serde::Deserialize;

use super::assertion::Asserted;
use crate::accounts::proof::Thumbprint;

/// `typ` of a host's assertion.
pub const TYPE: &str = "sallyport-host+jwt";

/// Why a host's assertion says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostError {
    /// Not a JWT of this form with these claims and no others.
    Malformed,
    /// Its key did not sign it.
    Signature,
    /// It expired, lives for too long, or is from the future.
    Time,
    /// It is about another request: other client, assertion, token key, licence or server.
    OtherRequest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// The host's key.
    iss: Hex<33>,
    kind: HostKind,
    aud: String,
    iat: i64,
    exp: i64,
    client: ApiClientId,
    /// SHA-256 of the client's assertion beside it: that one counts once, and so does this.
    assertion: Digest,
    /// The thumbprint of the key that the token will be bound to, base64url.
    jkt: String,
    licence: Digest,
    version: ToolVersion,
    executable: Digest,
    #[serde(deserialize_with = "Option::deserialize")]
    script: Option<Digest>,
}

/// The request that it must be about.
pub struct Asked<'a> {
    /// Our own identifier.
    pub issuer: &'a str,
    /// The client's assertion, verified, and as it was written.
    pub asserted: &'a Asserted,
    /// As it was written.
    pub assertion: &'a str,
    /// The key that the token will be bound to.
    pub key: &'a Thumbprint,
    /// The licence beside it.
    pub licence: Digest,
}

/// What a host with this key said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSays {
    /// Its public key.
    pub key: [u8; 33],
    /// Where it says that it is kept.
    pub kind: HostKind,
    /// What it measured.
    pub program: Measured,
}

/// Verifies what a host signed. Whether the licence names that host is not asked here.
///
/// # Errors
/// Says which check failed.
pub fn verify(jwt: &str, asked: &Asked<'_>, now: Timestamp) -> Result<HostSays, HostError> {
    let claims = signed(jwt)?;
    let now_secs = now.secs();
    let early = claims.iat > now_secs + limits::ASSERTION_SKEW_SECS;
    let long = claims.exp > now_secs + limits::ASSERTION_LIFETIME_SECS + limits::ASSERTION_SKEW_SECS;
    if early || long || claims.exp <= now_secs {
        return Err(HostError::Time);
    }
    let ours = claims.aud == asked.issuer
        && claims.client == asked.asserted.client()
        && claims.assertion == sha256(&[asked.assertion.as_bytes()])
        && claims.jkt == URL_SAFE_NO_PAD.encode(asked.key.as_bytes())
        && claims.licence == asked.licence;
    if !ours {
        return Err(HostError::OtherRequest);
    }
    let program = Measured { version: claims.version, executable: claims.executable, script: claims.script };
    Ok(HostSays { key: claims.iss.0, kind: claims.kind, program })
}

/// The claims, where the key that they name signed them.
fn signed(jwt: &str) -> Result<Claims, HostError> {
    if jwt.len() > limits::HOST_ASSERTION_BYTES {
        return Err(HostError::Malformed);
    }
    let (signed, signature) = jwt.rsplit_once('.').ok_or(HostError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(HostError::Malformed)?;
    let header: Header = part(header)?;
    if header.typ != TYPE || header.alg != "ES256" {
        return Err(HostError::Malformed);
    }
    let claims: Claims = part(claims)?;
    let key = VerifyingKey::from_sec1_bytes(&claims.iss.0).map_err(|_| HostError::Signature)?;
    let signature = Signature::from_slice(&decode(signature)?).map_err(|_| HostError::Signature)?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| HostError::Signature)?;
    Ok(claims)
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, HostError> {
    json::parse(&decode(text)?, limits::HOST_ASSERTION_BYTES).map_err(|_| HostError::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, HostError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| HostError::Malformed)
}
