//! The session's key: every request is signed by it (RFC 9449, with our claims for query and body).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sallyport_grant::sha256;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::failure::Failure;

const JTI_BYTES: usize = 16;

/// A P-256 key that never leaves this computer.
pub(crate) struct Key(SigningKey);

/// The request that a proof is for.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// Origin and path.
    pub(crate) url: String,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a [u8],
    pub(crate) nonce: &'a str,
    pub(crate) secs: i64,
    /// The access token of the request, where it has one.
    pub(crate) token: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    htq: Option<&'a str>,
    iat: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    nonce: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
}

impl Key {
    pub(crate) fn generate() -> Result<Self, Failure> {
        loop {
            let mut scalar = Zeroizing::new([0u8; 32]);
            getrandom::fill(scalar.as_mut()).map_err(|_| Failure::NoRandomness)?;
            // Zero and what is above the order of the curve are no keys; both are as good as impossible.
            if let Ok(key) = SigningKey::from_slice(scalar.as_ref()) {
                return Ok(Self(key));
            }
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let scalar = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        SigningKey::from_slice(&scalar).ok().map(Self)
    }

    pub(crate) fn to_text(&self) -> String {
        let scalar = Zeroizing::new(self.0.to_bytes());
        URL_SAFE_NO_PAD.encode(scalar.as_slice())
    }

    /// The value of the header `DPoP`.
    pub(crate) fn prove(&self, signed: &Signed<'_>) -> Result<String, Failure> {
        let mut jti = [0u8; JTI_BYTES];
        getrandom::fill(&mut jti).map_err(|_| Failure::NoRandomness)?;
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(jti),
            htm: signed.method,
            htu: &signed.url,
            htq: signed.query,
            iat: signed.secs,
            nonce: signed.nonce,
            bh: (!signed.body.is_empty()).then(|| hash(signed.body)),
            ath: signed.token.map(|token| hash(token.as_bytes())),
        };
        let claims = serde_json::to_value(&claims).map_err(|error| Failure::Answer(error.to_string()))?;
        Ok(self.sign(&self.header(), &claims))
    }

    /// Signs a JWT.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature: Signature = self.0.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// The coordinates of the public half, base64url.
    pub(crate) fn public(&self) -> (String, String) {
        let point = self.0.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
    }

    /// The public half's RFC 7638 thumbprint, base64url: what the server knows this key by.
    pub(crate) fn thumbprint(&self) -> String {
        let (x, y) = self.public();
        hash(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes())
    }

    fn header(&self) -> Value {
        let (x, y) = self.public();
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-256", "x": x, "y": y } })
    }
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[bytes]).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use p256::ecdsa::signature::Verifier;

    use super::*;

    fn claims(signed: &Signed<'_>) -> serde_json::Value {
        let key = Key::generate().unwrap();
        let proof = key.prove(signed).unwrap();
        let (text, signature) = proof.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        key.0.verifying_key().verify(text.as_bytes(), &signature).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap()).unwrap()
    }

    #[test]
    fn a_proof_names_what_it_is_for_and_nothing_else() {
        let bare = Signed { method: "GET", url: "https://a/v1/me".into(), query: None, body: b"", nonce: "", secs: 5, token: None };
        let names: BTreeSet<String> = claims(&bare).as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["htm", "htu", "iat", "jti"].map(str::to_owned).into());
        let whole = claims(&Signed { query: Some("q=a%20b"), body: b"{}", nonce: "n", ..bare });
        assert_eq!((whole["htq"].as_str(), whole["nonce"].as_str()), (Some("q=a%20b"), Some("n")));
        assert_eq!(whole["bh"].as_str(), Some("RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"));
    }

    #[test]
    fn a_key_is_kept_as_text() {
        let key = Key::generate().unwrap();
        let again = Key::from_text(&key.to_text()).unwrap();
        assert_eq!(key.header(), again.header());
        assert!(Key::from_text("").is_none() && Key::from_text("AAAA").is_none());
    }
}
