//! Each of the twelve checks is broken once; everything else about the proof stays right.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_790_000_000;
const URL: &str = "https://rmm.example/v1/jobs";

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn nonces() -> Nonces {
    Nonces::new([5; 32])
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a scalar")
}

fn jwk(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    let bytes = point.as_bytes();
    json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&bytes[1..33]), "y": URL_SAFE_NO_PAD.encode(&bytes[33..])})
}

/// A proof that is right for [`request`], until a test changes one thing.
struct Draft {
    header: Value,
    claims: Value,
    signer: SigningKey,
}

impl Draft {
    fn right() -> Self {
        let signer = key(7);
        Self {
            header: json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(&signer)}),
            claims: json!({
                "jti": URL_SAFE_NO_PAD.encode([1u8; 16]), "htm": "POST", "htu": URL, "htq": "a=1&b=%20", "iat": NOW,
                "nonce": nonces().issue(now()), "bh": URL_SAFE_NO_PAD.encode(Sha256::digest(b"{}")),
            }),
            signer,
        }
    }

    fn with(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    fn with_header(mut self, member: &str, value: Value) -> Self {
        self.header[member] = value;
        self
    }

    fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().expect("an object").remove(claim);
        self
    }

    fn sign(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature: Signature = self.signer.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn verify(&self) -> Result<ProvenKey, ProofError> {
        verify_text(&self.sign())
    }
}

fn request() -> Request<'static> {
    Request { dialect: Dialect::Session, method: "POST", url: URL, query: Some("a=1&b=%20"), body: b"{}", access_token: None }
}

fn verify_text(jwt: &str) -> Result<ProvenKey, ProofError> {
    verify(&[jwt.as_bytes()], &request(), &nonces(), now())
}

#[test]
fn oa_control_a_right_proof_proves_its_key() {
    let proven = Draft::right().verify().expect("nothing is wrong");
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk(&key(7))["x"], jwk(&key(7))["y"]);
    assert_eq!(proven.key().as_bytes()[..], Sha256::digest(canonical)[..]);
}

#[test]
fn oa_05_exactly_one_header() {
    let jwt = Draft::right().sign();
    assert_eq!(verify(&[], &request(), &nonces(), now()), Err(ProofError::Missing));
    assert_eq!(verify(&[jwt.as_bytes(), jwt.as_bytes()], &request(), &nonces(), now()), Err(ProofError::Several));
    assert_eq!(verify_text(&format!("{jwt}, {jwt}")), Err(ProofError::Malformed));
}

#[test]
fn oa_06_well_formed() {
    let jwt = Draft::right().sign();
    let long = "a".repeat(limits::PROOF_BYTES + 1);
    for text in
        ["", ".", "..", "a.b.c", "e30.e30.", "e30.e30", &jwt[1..], &format!("{jwt}."), &format!(" {jwt}"), &jwt.replace('.', "=."), &long]
    {
        assert_eq!(verify_text(text), Err(ProofError::Malformed), "{text:.30}");
    }
    assert_eq!(verify(&[b"\xff.\xff.\xff"], &request(), &nonces(), now()), Err(ProofError::Malformed));
}

#[test]
fn oa_06_members_that_we_do_not_know_are_refused() {
    assert_eq!(Draft::right().with_header("crit", json!(["x"])).verify(), Err(ProofError::Malformed));
    assert_eq!(Draft::right().with_header("jku", json!("https://evil.example")).verify(), Err(ProofError::Malformed));
    assert_eq!(Draft::right().with("exp", json!(1)).verify(), Err(ProofError::Malformed));
}

#[test]
fn oa_07_required_claims() {
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_eq!(Draft::right().without(claim).verify(), Err(ProofError::Malformed), "{claim}");
    }
    for jti in [json!(""), json!("c2hvcnQ"), json!("not base64!"), json!(7), json!("A".repeat(200))] {
        assert_eq!(Draft::right().with("jti", jti).verify(), Err(ProofError::Malformed));
    }
}

#[test]
fn oa_08_type() {
    for typ in [json!("jwt"), json!("JWT"), json!("dbsc+jwt"), json!("")] {
        assert_eq!(Draft::right().with_header("typ", typ).verify(), Err(ProofError::Type));
    }
}

#[test]
fn oa_09_algorithm() {
    for alg in ["none", "HS256", "RS256", "ES384", "es256", ""] {
        assert_eq!(Draft::right().with_header("alg", json!(alg)).verify(), Err(ProofError::Algorithm), "{alg}");
    }
}

#[test]
fn oa_10_signature_by_the_key_in_the_header() {
    let mut draft = Draft::right();
    draft.signer = key(8);
    assert_eq!(draft.verify(), Err(ProofError::Signature));
    let (right, other) = (Draft::right().sign(), Draft::right().with("htm", json!("GET")).sign());
    let signature = right.rsplit_once('.').expect("three parts").1;
    let signed = other.rsplit_once('.').expect("three parts").0;
    assert_eq!(verify_text(&format!("{signed}.{signature}")), Err(ProofError::Signature));
    assert_eq!(verify_text(&format!("{signed}.")), Err(ProofError::Signature));
    assert_eq!(verify_text(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0u8; 64]))), Err(ProofError::Signature));
}

#[test]
fn oa_11_key_without_its_private_part() {
    let mut with_d = jwk(&key(7));
    with_d["d"] = json!(URL_SAFE_NO_PAD.encode([7u8; 32]));
    assert_eq!(Draft::right().with_header("jwk", with_d).verify(), Err(ProofError::PrivateKey));
    let off_curve = json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode([1u8; 32]), "y": URL_SAFE_NO_PAD.encode([1u8; 32])});
    assert_eq!(Draft::right().with_header("jwk", off_curve).verify(), Err(ProofError::Key));
    for (member, value) in [("kty", "RSA"), ("kty", "oct"), ("crv", "P-384"), ("x", "AA")] {
        let mut wrong = jwk(&key(7));
        wrong[member] = json!(value);
        assert_eq!(Draft::right().with_header("jwk", wrong).verify(), Err(ProofError::Key), "{member}");
    }
    assert_eq!(Draft::right().with_header("jwk", json!({"kty": "oct", "k": "AA"})).verify(), Err(ProofError::PrivateKey));
}

#[test]
fn oa_12_method() {
    assert_eq!(Draft::right().with("htm", json!("GET")).verify(), Err(ProofError::Method));
    assert_eq!(Draft::right().with("htm", json!("post")).verify(), Err(ProofError::Method));
}

#[test]
fn oa_13_url() {
    for url in [
        "https://rmm.example/v1/scripts",
        "http://rmm.example/v1/jobs",
        "https://evil.example/v1/jobs",
        "https://rmm.example/v1/jobs?a=1&b=%20",
        "/v1/jobs",
    ] {
        assert_eq!(Draft::right().with("htu", json!(url)).verify(), Err(ProofError::Url), "{url}");
    }
}

#[test]
fn oa_13_query_and_body() {
    assert_eq!(Draft::right().with("htq", json!("a=2&b=%20")).verify(), Err(ProofError::Query));
    assert_eq!(Draft::right().without("htq").verify(), Err(ProofError::Query));
    assert_eq!(Draft::right().with("bh", json!(URL_SAFE_NO_PAD.encode(Sha256::digest(b"[]")))).verify(), Err(ProofError::Body));
    assert_eq!(Draft::right().without("bh").verify(), Err(ProofError::Body));
    let bare = Draft::right().without("bh").without("htq");
    let nothing = Request { query: None, body: b"", ..request() };
    assert!(verify(&[bare.sign().as_bytes()], &nothing, &nonces(), now()).is_ok(), "nothing is bound where there is nothing");
    assert_eq!(verify(&[Draft::right().without("bh").sign().as_bytes()], &nothing, &nonces(), now()), Err(ProofError::Query));
}

#[test]
fn oa_14_nonce_of_ours() {
    assert_eq!(Draft::right().without("nonce").verify(), Err(ProofError::Nonce));
    let foreign = Nonces::new([6; 32]).issue(now());
    let old = nonces().issue(now().plus_secs(-2 * nonce::SLOT_SECS));
    let early = nonces().issue(now().plus_secs(nonce::SLOT_SECS));
    for nonce in [String::new(), "AAAAAAAAAAAAAAAAAAAAAA".to_owned(), foreign, old, early] {
        assert_eq!(Draft::right().with("nonce", json!(nonce)).verify(), Err(ProofError::Nonce), "{nonce}");
    }
    assert!(Draft::right().with("nonce", json!(nonces().issue(now().plus_secs(-nonce::SLOT_SECS)))).verify().is_ok());
}

#[test]
fn oa_15_time_window() {
    for (secs, accepted) in [(-61, false), (-60, true), (60, true), (61, false), (i64::MAX / 2, false)] {
        assert_eq!(Draft::right().with("iat", json!(NOW.saturating_add(secs))).verify().is_ok(), accepted, "{secs}");
    }
    for iat in [json!(i64::MIN), json!(i64::MAX)] {
        assert_eq!(Draft::right().with("iat", iat).verify(), Err(ProofError::Time));
    }
    assert_eq!(Draft::right().with("iat", json!("now")).verify(), Err(ProofError::Malformed));
}

#[test]
fn oa_16_hash_of_the_access_token() {
    let token = Request { access_token: Some("at-1"), ..request() };
    let ath = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(b"at-1")));
    let verify_with_token = |draft: Draft| verify(&[draft.sign().as_bytes()], &token, &nonces(), now());
    assert!(verify_with_token(Draft::right().with("ath", ath.clone())).is_ok());
    assert_eq!(verify_with_token(Draft::right()), Err(ProofError::Token));
    assert_eq!(verify_with_token(Draft::right().with("ath", json!("AA"))), Err(ProofError::Token));
    assert_eq!(Draft::right().with("ath", ath).verify(), Err(ProofError::Token), "bound to a token that is not there");
}

#[test]
fn oa_17_a_proof_counts_once_inside_its_window() {
    let mut seen = Seen::default();
    let proof = Draft::right().verify().expect("right");
    assert_eq!(seen.remember(&proof, now()), Ok(()));
    for secs in [0, 1, 60, 119, 120] {
        assert_eq!(seen.remember(&proof, now().plus_secs(secs)), Err(ProofError::Replayed), "{secs} s later");
    }
    assert_eq!(seen.remember(&proof, now().plus_secs(-3600)), Err(ProofError::Replayed), "the clock went back");
}

#[test]
fn oa_17_a_proof_from_the_end_of_a_generation_is_remembered_through_the_next() {
    let mut seen = Seen::default();
    let first = Draft::right().with("jti", json!(URL_SAFE_NO_PAD.encode([2u8; 16]))).verify().expect("right");
    let late = Draft::right().verify().expect("right");
    assert_eq!(seen.remember(&first, now()), Ok(()));
    assert_eq!(seen.remember(&late, now().plus_secs(120)), Ok(()));
    assert_eq!(seen.remember(&late, now().plus_secs(240)), Err(ProofError::Replayed));
}

#[test]
fn oa_17_the_same_jti_of_another_key_is_another_proof() {
    let mut seen = Seen::default();
    let mut other = Draft::right().with_header("jwk", jwk(&key(8)));
    other.signer = key(8);
    let (proof, other) = (Draft::right().verify().expect("right"), other.verify().expect("right"));
    assert_ne!(proof.key(), other.key());
    assert_eq!((seen.remember(&proof, now()), seen.remember(&other, now())), (Ok(()), Ok(())));
}

#[test]
fn oa_17_the_memory_has_an_end_and_forgets_nobody_for_it() {
    let mut seen = Seen::default();
    let most = replay::GENERATION_PROOFS;
    for number in 0..most {
        assert_eq!(seen.remember(&ProvenKey::numbered(number), now()), Ok(()));
    }
    assert_eq!(seen.remember(&ProvenKey::numbered(most), now()), Err(ProofError::Crowded));
    assert_eq!(seen.remember(&ProvenKey::numbered(0), now()), Err(ProofError::Replayed));
    let later = now().plus_secs(121);
    assert_eq!(seen.remember(&ProvenKey::numbered(most), later), Ok(()));
    assert_eq!(seen.remember(&ProvenKey::numbered(0), later), Err(ProofError::Replayed));
}
