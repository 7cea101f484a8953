//! The key behind a request: RFC 9449 (DPoP) proofs, for sessions of browsers and for access tokens.
//!
//! A proof is a JWT in the header `DPoP`, signed by a P-256 key that does not leave its browser. It names method, URL and a nonce of ours;
//! two claims of our own bind the query (`htq`) and the body (`bh`), which RFC 9449 leaves open. Programs that were not written for us
//! speak plain RFC 9449: see [`Dialect`].

mod jwt;
mod nonce;
mod replay;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::{Digest, Timestamp, limits};
use sha2::{Digest as _, Sha256};

pub use nonce::Nonces;
pub use replay::Seen;

/// Shortest `jti`, decoded: 128 random bits.
pub const JTI_BYTES: usize = 16;

/// Why a proof does not prove anything. All are the client's fault; only [`ProofError::Nonce`] is worth one more try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No header `DPoP`.
    #[error("the DPoP header is missing")]
    Missing,
    /// More than one header `DPoP`.
    #[error("there is more than one DPoP header")]
    Several,
    /// Not a JWT of the agreed form with the required claims.
    #[error("the DPoP header is not a well-formed proof")]
    Malformed,
    /// `typ` is not `dpop+jwt`.
    #[error("the proof's type is not dpop+jwt")]
    Type,
    /// `alg` is not ES256.
    #[error("the proof's algorithm is not ES256")]
    Algorithm,
    /// The key in the header has its private part.
    #[error("the proof shows its private key")]
    PrivateKey,
    /// The key in the header is no point of P-256.
    #[error("the proof's key is not a P-256 key")]
    Key,
    /// The signature is not by that key.
    #[error("the proof's signature is wrong")]
    Signature,
    /// `htm` is another method.
    #[error("the proof is for another method")]
    Method,
    /// `htu` is another URL.
    #[error("the proof is for another URL")]
    Url,
    /// `htq` is another query.
    #[error("the proof is for another query")]
    Query,
    /// `bh` is the hash of another body.
    #[error("the proof is for another body")]
    Body,
    /// `ath` is the hash of another access token.
    #[error("the proof is for another access token")]
    Token,
    /// No nonce, one that we never made, or an old one: RFC 9449's `use_dpop_nonce`.
    #[error("the proof needs the server's current nonce")]
    Nonce,
    /// `iat` is too far from now.
    #[error("the proof was not made now: check the clock")]
    Time,
    /// The same proof was here before.
    #[error("the proof was used before")]
    Replayed,
    /// More proofs in flight than are remembered.
    #[error("too many proofs at once")]
    Crowded,
}

/// The RFC 7638 thumbprint of a P-256 public key: what a session or a token is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thumbprint(Digest);

impl Thumbprint {
    /// Takes the stored 32 bytes back.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }

    /// The 32 bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// How much of our own a proof must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Of a session: `htq` and `bh` bind query and body, and nothing unknown is in it.
    Session,
    /// Of an access token: RFC 9449 as it stands. `htq` and `bh` are checked where they are there; other claims mean nothing.
    Token,
}

/// The request that the proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What the proof must have.
    pub dialect: Dialect,
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// Origin and path as sent, without query: `https://rmm.example/v1/jobs`.
    pub url: &'a str,
    /// The raw query, if the URL has a `?`.
    pub query: Option<&'a str>,
    /// The body's bytes.
    pub body: &'a [u8],
    /// The access token in `Authorization: DPoP`, for calls that have one.
    pub access_token: Option<&'a str>,
}

/// Proof that the holder of a key made this very request now. Only [`verify`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a proof that is not remembered can be replayed"]
pub struct ProvenKey {
    key: Thumbprint,
    id: [u8; 16],
}

impl ProvenKey {
    /// Whose key it is.
    pub fn key(&self) -> &Thumbprint {
        &self.key
    }

    /// Names key and `jti`, for remembering that it was used.
    pub fn id(&self) -> &[u8; 16] {
        &self.id
    }

    #[cfg(test)]
    pub(crate) fn for_tests(key: Thumbprint) -> Self {
        Self { key, id: [0; 16] }
    }

    #[cfg(test)]
    fn numbered(number: usize) -> Self {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Self { key: Thumbprint::from_bytes([0; 32]), id }
    }
}

/// The checks of RFC 9449, section 4.3, in its order, with query and body. `headers` are all `DPoP` headers of the request.
///
/// # Errors
/// Says which check failed. Replay is not among them: remember the result in a [`Seen`].
pub fn verify(headers: &[&[u8]], request: &Request<'_>, nonces: &Nonces, now: Timestamp) -> Result<ProvenKey, ProofError> {
    let header = match headers {
        [] => return Err(ProofError::Missing),
        [one] if one.len() > limits::PROOF_BYTES => return Err(ProofError::Malformed),
        [one] => std::str::from_utf8(one).map_err(|_| ProofError::Malformed)?,
        _ => return Err(ProofError::Several),
    };
    let (claims, key) = jwt::open(header, request.dialect)?;
    same(claims.htm.as_str() == request.method, ProofError::Method)?;
    same(claims.htu.as_str() == request.url, ProofError::Url)?;
    let may_lack = request.dialect == Dialect::Token;
    same((may_lack && claims.htq.is_none()) || claims.htq.as_deref() == request.query, ProofError::Query)?;
    same((may_lack && claims.bh.is_none()) || claims.bh == hash_of(request.body), ProofError::Body)?;
    same(claims.ath == request.access_token.and_then(|token| hash_of(token.as_bytes())), ProofError::Token)?;
    same(claims.nonce.as_deref().is_some_and(|nonce| nonces.accepts(nonce, now)), ProofError::Nonce)?;
    same(now.secs().abs_diff(claims.iat) <= limits::PROOF_SKEW_SECS.unsigned_abs(), ProofError::Time)?;
    Ok(ProvenKey { key, id: id_of(&key, &claims.jti) })
}

fn same(holds: bool, error: ProofError) -> Result<(), ProofError> {
    if holds { Ok(()) } else { Err(error) }
}

/// Nothing has no hash: the claim is left out then.
fn hash_of(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))
}

fn id_of(key: &Thumbprint, jti: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new().chain_update(key.as_bytes()).chain_update(jti).finalize().into();
    let mut id = [0u8; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

#[cfg(test)]
mod tests;
