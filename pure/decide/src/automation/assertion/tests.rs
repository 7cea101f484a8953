//! Each check is broken once; everything else about the assertion stays right.

use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use super::super::key::PublicJwk;
use super::*;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://rmm.example";

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn client() -> ApiClientId {
    ApiClientId::from_bytes([7; 16])
}

fn signer(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

fn ed(seed: u8) -> ClientKey {
    let x = URL_SAFE_NO_PAD.encode(signer(seed).verifying_key().as_bytes());
    ClientKey::parse(PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x, y: None }).unwrap()
}

struct Draft {
    header: Value,
    claims: Value,
}

impl Draft {
    fn right() -> Self {
        let id = client().to_string();
        Self {
            header: json!({ "typ": TYPE, "alg": "EdDSA" }),
            claims: json!({ "iss": id, "sub": id, "aud": ISSUER, "jti": "0123456789abcdef", "iat": NOW, "exp": NOW + 60 }),
        }
    }

    fn header(mut self, member: &str, value: Value) -> Self {
        self.header[member] = value;
        self
    }

    fn claim(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    fn signed_by(&self, seed: u8) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = signer(seed).sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn judged(&self) -> Result<(Asserted, usize), AssertionError> {
        judge(&self.signed_by(1), &[ed(1)])
    }
}

fn judge(jwt: &str, keys: &[ClientKey]) -> Result<(Asserted, usize), AssertionError> {
    read(jwt)?.verify(keys, ISSUER, now())
}

#[test]
fn oa_02_a_right_assertion_is_believed() {
    let (asserted, signer) = Draft::right().judged().unwrap();
    assert_eq!((asserted.client(), signer, asserted.expires()), (client(), 0, Timestamp::from_secs(NOW + 60)));
    let other = Draft::right().claim("jti", json!("another-one-0001")).judged().unwrap().0;
    assert!(asserted.id() != other.id());
}

#[test]
fn oa_02_each_claim_is_required_and_checked() {
    use AssertionError::{Early, Expired, Malformed, Subject, TooLong};
    let id = client().to_string();
    for claim in ["iss", "sub", "aud", "jti", "exp"] {
        let mut draft = Draft::right();
        draft.claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(draft.judged().unwrap_err(), Malformed, "{claim}");
    }
    for (claim, value, wanted) in [
        ("iss", json!("somebody"), Subject),
        ("sub", json!(ApiClientId::from_bytes([8; 16]).to_string()), Subject),
        ("sub", json!("usr_00000000000000000000000001"), Subject),
        ("jti", json!("short"), Malformed),
        ("exp", json!(NOW), Expired),
        ("exp", json!(NOW + 361), TooLong),
        ("iat", json!(NOW + 61), Early),
        ("nbf", json!(NOW + 61), Early),
    ] {
        assert_eq!(Draft::right().claim(claim, value.clone()).judged().unwrap_err(), wanted, "{claim} {value}");
    }
    assert!(Draft::right().claim("iat", json!(NOW + 60)).claim("nbf", json!(NOW + 60)).judged().is_ok(), "a minute of skew");
    assert!(Draft::right().claim("iss", json!(id)).judged().is_ok());
}

#[test]
fn oa_03_the_audience_is_the_issuer_as_one_string() {
    for wrong in [
        json!([ISSUER]),
        json!([ISSUER, "https://other.example"]),
        json!(format!("{ISSUER}/v1/oauth/token")),
        json!(format!("{ISSUER}/")),
        json!("https://other.example"),
        json!(null),
    ] {
        assert_eq!(Draft::right().claim("aud", wrong.clone()).judged().unwrap_err(), AssertionError::Audience, "{wrong}");
    }
}

#[test]
fn oa_03_the_type_is_checked() {
    for wrong in [json!("JWT"), json!("dpop+jwt"), json!("at+jwt"), json!("Client-Authentication+JWT"), json!(null)] {
        assert_eq!(Draft::right().header("typ", wrong.clone()).judged().unwrap_err(), AssertionError::Type, "{wrong}");
    }
}

#[test]
fn oa_24_keys_and_algorithms_come_from_what_was_registered() {
    for member in ["jku", "x5u", "jwk", "x5c", "crit", "b64"] {
        assert_eq!(Draft::right().header(member, json!("x")).judged().unwrap_err(), AssertionError::Malformed, "{member}");
    }
    for alg in ["none", "HS256", "RS256", "ES256", "ES384", "eddsa"] {
        assert_eq!(Draft::right().header("alg", json!(alg)).judged().unwrap_err(), AssertionError::Algorithm, "{alg}");
    }
    assert_eq!(judge(&Draft::right().signed_by(2), &[ed(1)]).unwrap_err(), AssertionError::Signature, "another key");
    assert_eq!(judge(&Draft::right().signed_by(2), &[ed(1), ed(2)]).unwrap().1, 1, "the key that signed it is told");
    let unsigned = Draft::right().signed_by(1).rsplit_once('.').unwrap().0.to_owned() + ".";
    assert_eq!(judge(&unsigned, &[ed(1)]).unwrap_err(), AssertionError::Signature, "no signature");
    // The public key as the secret of a keyed hash.
    let hmac = Draft::right().header("alg", json!("HS256")).signed_by(1);
    assert_eq!(judge(&hmac, &[ed(1)]).unwrap_err(), AssertionError::Algorithm);
    assert!(Draft::right().header("kid", json!("anything")).judged().is_ok(), "a key's name chooses nothing");
}

#[test]
fn es256_is_the_other_algorithm() {
    let key = p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let jwk = PublicJwk { kty: "EC".into(), crv: "P-256".into(), x: URL_SAFE_NO_PAD.encode(x), y: Some(URL_SAFE_NO_PAD.encode(y)) };
    let draft = Draft::right().header("alg", json!("ES256"));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&draft.header), part(&draft.claims));
    let signature: p256::ecdsa::Signature = key.sign(signed.as_bytes());
    let jwt = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    let own = ClientKey::parse(jwk).unwrap();
    assert!(judge(&jwt, std::slice::from_ref(&own)).is_ok());
    assert_eq!(judge(&Draft::right().signed_by(1), &[own]).unwrap_err(), AssertionError::Algorithm);
}
