//! What a client shows instead of a secret: a JWT that it signed (RFC 7523), with the rules of RFC 7523bis for audience and type.
//!
//! The key comes from what was registered, and the algorithm from the key: what a header says of either is not believed (OA-24).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::{ApiClientId, Digest, Timestamp, limits};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::key::ClientKey;

/// `typ` of an assertion: the media type that RFC 7523bis registers.
pub const TYPE: &str = "client-authentication+jwt";
/// `client_assertion_type` of the form.
pub const FORM_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Shortest and longest `jti`, as written.
const JTI_CHARS: (usize, usize) = (16, 128);

/// Why an assertion proves nothing. Outside they are all `invalid_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Not a JWT of the agreed form with the required claims.
    #[error("the assertion is not a well-formed JWT with iss, sub, aud, jti and exp, and alg, typ and kid alone in its header")]
    Malformed,
    /// `typ` is another one.
    #[error("the assertion's type is not client-authentication+jwt")]
    Type,
    /// `alg` is not the one of the registered key.
    #[error("the assertion's algorithm is not the registered key's")]
    Algorithm,
    /// No registered key signed it.
    #[error("the assertion is not signed by a registered key")]
    Signature,
    /// `iss` and `sub` are not the client's id.
    #[error("iss and sub must both be the client's id")]
    Subject,
    /// `aud` is not the issuer's identifier.
    #[error("aud must be the issuer's identifier, as one string")]
    Audience,
    /// `exp` is past.
    #[error("the assertion has expired")]
    Expired,
    /// `exp` is too far away.
    #[error("the assertion may live for five minutes at most")]
    TooLong,
    /// `iat` or `nbf` are ahead.
    #[error("the assertion is from the future: check the clock")]
    Early,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: Option<String>,
    alg: String,
    #[serde(rename = "kid")]
    _kid: Option<String>,
}

/// Claims that mean something here; others mean nothing (RFC 7519, section 4).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: serde_json::Value,
    jti: String,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
}

/// An assertion that was read and not yet believed.
pub struct Shown<'a> {
    client: ApiClientId,
    algorithm: String,
    signed: &'a [u8],
    signature: Vec<u8>,
    claims: Claims,
}

/// Proof that the holder of a registered key made this assertion for us. Only [`Shown::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an assertion that is not remembered can be replayed"]
pub struct Asserted {
    client: ApiClientId,
    id: Digest,
    expires: Timestamp,
}

impl Asserted {
    /// The client.
    pub fn client(&self) -> ApiClientId {
        self.client
    }

    /// Names client and `jti`, for remembering that it was used.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Until when it must be remembered.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Reads an assertion, so that its client can be looked up.
///
/// # Errors
/// When it is not well-formed or not of the one type.
pub fn read(jwt: &str) -> Result<Shown<'_>, AssertionError> {
    if jwt.len() > limits::ASSERTION_BYTES {
        return Err(AssertionError::Malformed);
    }
    let (signed, signature) = jwt.rsplit_once('.').ok_or(AssertionError::Malformed)?;
    let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(AssertionError::Malformed)?;
    let header: Header = part(header)?;
    if header.typ.as_deref() != Some(TYPE) {
        return Err(AssertionError::Type);
    }
    let claims: Claims = part(claims)?;
    let jti_chars = claims.jti.len();
    if jti_chars < JTI_CHARS.0 || jti_chars > JTI_CHARS.1 {
        return Err(AssertionError::Malformed);
    }
    let client = claims.sub.parse().map_err(|_| AssertionError::Subject)?;
    Ok(Shown { client, algorithm: header.alg, signed: signed.as_bytes(), signature: decode(signature)?, claims })
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, AssertionError> {
    serde_json::from_slice(&decode(text)?).map_err(|_| AssertionError::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, AssertionError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| AssertionError::Malformed)
}

impl Shown<'_> {
    /// The client that it says it is of.
    pub fn client(&self) -> ApiClientId {
        self.client
    }

    /// Which of the client's keys signed it.
    ///
    /// # Errors
    /// When none did, or its algorithm is of none.
    pub fn signer(&self, keys: &[ClientKey]) -> Result<usize, AssertionError> {
        if keys.iter().all(|key| key.algorithm() != self.algorithm) {
            return Err(AssertionError::Algorithm);
        }
        let signed = |key: &ClientKey| key.algorithm() == self.algorithm && key.signed(self.signed, &self.signature);
        keys.iter().position(signed).ok_or(AssertionError::Signature)
    }

    /// Verifies signature and claims. `issuer` is our own identifier.
    ///
    /// # Errors
    /// Says which check failed. Replay is not among them: remember the result.
    pub fn verify(self, keys: &[ClientKey], issuer: &str, now: Timestamp) -> Result<(Asserted, usize), AssertionError> {
        let signer = self.signer(keys)?;
        let claims = &self.claims;
        if claims.iss != claims.sub {
            return Err(AssertionError::Subject);
        }
        // One string: an array could name another server, which would then hold an assertion that is good here.
        if claims.aud.as_str() != Some(issuer) {
            return Err(AssertionError::Audience);
        }
        let now_secs = now.secs();
        if claims.exp <= now_secs {
            return Err(AssertionError::Expired);
        }
        if claims.exp - now_secs > limits::ASSERTION_LIFETIME_SECS + limits::ASSERTION_SKEW_SECS {
            return Err(AssertionError::TooLong);
        }
        if [claims.iat, claims.nbf].into_iter().flatten().any(|at| at > now_secs + limits::ASSERTION_SKEW_SECS) {
            return Err(AssertionError::Early);
        }
        let id = Sha256::new().chain_update(self.client.as_bytes()).chain_update(&claims.jti).finalize();
        Ok((Asserted { client: self.client, id: Digest::from_bytes(id.into()), expires: Timestamp::from_secs(claims.exp) }, signer))
    }
}

#[cfg(test)]
mod tests;
