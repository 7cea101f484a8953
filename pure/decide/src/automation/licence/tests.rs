//! Each proof is broken once; everything else about the request stays right.

use p256::ecdsa::signature::Signer as _;
use sallyport_grant::body::{HostKeys, HostKind, LicenceHost, LicenceType, LogKey, RootBody, RootType, Scope, ToolVersion, Versions};
use sallyport_grant::licence::sign;
use sallyport_grant::{Hex, SignatureKind, SigningKey, sha256};
use sallyport_model::{Name, TenantId};
use serde_json::{Value, json};

use super::super::assertion::{self, Asserted};
use super::super::key::{ClientKey, PublicJwk};
use super::super::{Rotation, Shape};
use super::*;
use crate::accounts::proof::Thumbprint;
use crate::policy::Role;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://rmm.example";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(NOW + secs)
}

fn client() -> ApiClientId {
    ApiClientId::from_bytes([7; 16])
}

fn tenant_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn host_key(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn point(seed: u8) -> [u8; 33] {
    host_key(seed).verifying_key().to_sec1_point(true).as_bytes().try_into().unwrap()
}

fn run_key() -> Thumbprint {
    Thumbprint::from_bytes([9; 32])
}

fn root() -> sallyport_grant::Envelope {
    let (key, tenant) = (VerifyKey::of(&tenant_key(40)), TenantId::from_bytes([1; 16]));
    let body = RootBody {
        r#type: RootType::V1,
        tenant,
        version: 1,
        issued: at(0),
        expires: at(86_400),
        threshold: 1,
        authority: vec![key],
        link: Hex([7; 32]),
        attestation: VerifyKey::of(&tenant_key(41)),
        log: LogKey { origin: LogKey::origin_of(tenant), key: VerifyKey::of(&tenant_key(42)) },
        fresh: VerifyKey::of(&tenant_key(43)),
        enrolment: VerifyKey::of(&tenant_key(44)),
    };
    body.into_envelope().unwrap().and_signed(SignatureKind::NativeEd25519, &tenant_key(40))
}

fn body() -> LicenceBody {
    let name = |text| Name::parse(text).unwrap();
    LicenceBody {
        r#type: LicenceType::V1,
        id: LicenceId::from_bytes([3; 16]),
        tenant: TenantId::from_bytes([1; 16]),
        client: client(),
        tool: name("Report"),
        publisher: name("Nordwind"),
        versions: Versions { from: ToolVersion::parse("1").unwrap(), below: ToolVersion::parse("2").unwrap() },
        executables: vec![Digest::from_bytes([1; 32])],
        scripts: Vec::new(),
        scopes: vec![Scope::parse("devices.read").unwrap()],
        hosts: vec![LicenceHost { name: name("build-1"), kind: HostKind::File, key: Hex(point(5)) }],
        host_keys: HostKeys::Any,
        issued: at(0),
        expires: at(3600),
        authority_pin: Digest::from_bytes([0; 32]),
        root: root(),
    }
}

fn shown(body: LicenceBody, key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(sign(&body.into_bytes().unwrap(), key).unwrap().to_bytes())
}

fn read_ours(text: Option<&str>) -> Result<Licence, LicenceRefusal> {
    read(text, &VerifyKey::of(&tenant_key(44)), client())
}

fn ours() -> Licence {
    read_ours(Some(&shown(body(), &tenant_key(44)))).unwrap()
}

/// The client's assertion, as it was written, and what verifying it gave.
fn asserted(jti: &str) -> (String, Asserted) {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let id = client().to_string();
    let claims = json!({ "iss": id, "sub": id, "aud": ISSUER, "jti": jti, "exp": NOW + 60 });
    let header = json!({ "typ": assertion::TYPE, "alg": "EdDSA" });
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let jwt = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes()));
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let known = ClientKey::parse(PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x, y: None }).unwrap();
    let asserted = assertion::read(&jwt).unwrap().verify(&[known], ISSUER, at(0)).unwrap().0;
    (jwt, asserted)
}

/// What the right host says about the right request.
fn claims(assertion: &str) -> Value {
    json!({
        "iss": Hex(point(5)), "kind": "file", "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "client": client(),
        "assertion": sha256(&[assertion.as_bytes()]), "jkt": URL_SAFE_NO_PAD.encode(run_key().as_bytes()), "licence": ours().digest(),
        "version": "1.4", "executable": Digest::from_bytes([1; 32]), "script": null,
    })
}

fn jwt(header: &Value, claims: &str, seed: u8) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let signature: p256::ecdsa::Signature = host_key(seed).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn header() -> Value {
    json!({ "typ": host::TYPE, "alg": "ES256" })
}

fn issued() -> Issued {
    Issued { client: client(), digest: ours().digest(), revoked: false }
}

fn admitted(host: Option<&str>, issued: Option<Issued>, secs: i64) -> Result<Licensed, LicenceRefusal> {
    let (jwt, asserted) = asserted("0123456789abcdef");
    let licence = ours();
    let key = run_key();
    let asked = Asked { issuer: ISSUER, asserted: &asserted, assertion: &jwt, key: &key, licence: licence.digest() };
    admit(&licence, issued, host, &asked, at(secs))
}

fn says(change: impl FnOnce(&mut Value)) -> Result<Licensed, LicenceRefusal> {
    let mut claims = claims(&asserted("0123456789abcdef").0);
    change(&mut claims);
    admitted(Some(&jwt(&header(), &claims.to_string(), 5)), Some(issued()), 0)
}

#[test]
fn all_proofs_together_let_the_program_in_with_the_licences_scopes() {
    let licensed = says(|_| {}).unwrap();
    assert_eq!((licensed.host(), licensed.licence(), licensed.expires()), ("build-1", body().id, at(3600)));
    assert_eq!(licensed.scopes().iter().collect::<Vec<_>>(), ["devices.read"]);
}

#[test]
fn a_licence_is_one_that_this_tenant_signed_for_this_client() {
    assert!(read_ours(Some(&shown(body(), &tenant_key(44)))).is_ok());
    assert_eq!(read_ours(None).unwrap_err(), LicenceRefusal::Missing);
    assert_eq!(read_ours(Some("")).unwrap_err(), LicenceRefusal::Missing);
    let huge = "A".repeat(limits::LICENCE_BYTES * 2);
    for wrong in ["?", "AAAA", "e30", huge.as_str()] {
        assert_eq!(read_ours(Some(wrong)).unwrap_err(), LicenceRefusal::Malformed);
    }
    for stranger in [40, 41, 42, 43, 99] {
        assert_eq!(read_ours(Some(&shown(body(), &tenant_key(stranger)))).unwrap_err(), LicenceRefusal::NotSigned, "{stranger}");
    }
    let other = LicenceBody { client: ApiClientId::from_bytes([8; 16]), ..body() };
    assert_eq!(read_ours(Some(&shown(other, &tenant_key(44)))).unwrap_err(), LicenceRefusal::OtherClient);
}

#[test]
fn what_was_issued_is_looked_at_each_time() {
    let right = jwt(&header(), &claims(&asserted("0123456789abcdef").0).to_string(), 5);
    assert!(admitted(Some(&right), Some(issued()), 0).is_ok());
    assert_eq!(admitted(Some(&right), None, 0), Err(LicenceRefusal::Unknown));
    let other = Issued { digest: Digest::from_bytes([0; 32]), ..issued() };
    assert_eq!(admitted(Some(&right), Some(other), 0), Err(LicenceRefusal::Unknown), "other bytes under its id");
    assert_eq!(admitted(Some(&right), Some(Issued { revoked: true, ..issued() }), 0), Err(LicenceRefusal::Revoked));
    assert_eq!(admitted(Some(&right), Some(issued()), 3600), Err(LicenceRefusal::Expired));
}

#[test]
fn a_host_that_says_something_else_vouches_for_nothing() {
    assert_eq!(admitted(None, Some(issued()), 0), Err(LicenceRefusal::HostMissing));
    for (claim, value, why) in [
        ("version", json!("0.9"), LicenceRefusal::Version),
        ("version", json!("2.0"), LicenceRefusal::Version),
        ("version", json!("1.x"), LicenceRefusal::HostMalformed),
        ("executable", json!(Digest::from_bytes([2; 32])), LicenceRefusal::Executable),
        ("kind", json!("tpm"), LicenceRefusal::HostKind),
        ("aud", json!("https://other.example"), LicenceRefusal::HostReplayed),
        ("aud", json!([ISSUER]), LicenceRefusal::HostMalformed),
        ("client", json!(ApiClientId::from_bytes([8; 16])), LicenceRefusal::HostReplayed),
        ("licence", json!(Digest::from_bytes([2; 32])), LicenceRefusal::HostReplayed),
        ("jkt", json!("AAAA"), LicenceRefusal::HostReplayed),
        ("exp", json!(NOW), LicenceRefusal::HostTime),
        ("exp", json!(NOW + 361), LicenceRefusal::HostTime),
        ("iat", json!(NOW + 61), LicenceRefusal::HostTime),
        ("more", json!(1), LicenceRefusal::HostMalformed),
        ("iss", json!(Hex([0; 33])), LicenceRefusal::HostSignature),
    ] {
        assert_eq!(says(|claims| claims[claim] = value.clone()), Err(why), "{claim} {value}");
    }
}

#[test]
fn a37_what_a_host_said_about_another_assertion_is_worth_nothing() {
    let before = claims(&asserted("another-assertion").0);
    assert_eq!(admitted(Some(&jwt(&header(), &before.to_string(), 5)), Some(issued()), 0), Err(LicenceRefusal::HostReplayed));
}

#[test]
fn another_host_and_a_stolen_name_are_refused() {
    let right = claims(&asserted("0123456789abcdef").0);
    let signed_by = |seed| admitted(Some(&jwt(&header(), &right.to_string(), seed)), Some(issued()), 0);
    assert!(signed_by(5).is_ok());
    assert_eq!(signed_by(6), Err(LicenceRefusal::HostSignature), "in the host's name");
    let mut own = right.clone();
    own["iss"] = json!(Hex(point(6)));
    assert_eq!(admitted(Some(&jwt(&header(), &own.to_string(), 6)), Some(issued()), 0), Err(LicenceRefusal::OtherHost));
}

#[test]
fn oa_24_the_form_of_what_a_host_signs_is_strict() {
    let right = claims(&asserted("0123456789abcdef").0).to_string();
    let bent = |header: Value, claims: &str| admitted(Some(&jwt(&header, claims, 5)), Some(issued()), 0);
    assert!(bent(header(), &right).is_ok());
    for wrong in [
        json!({ "typ": "JWT", "alg": "ES256" }),
        json!({ "typ": assertion::TYPE, "alg": "ES256" }),
        json!({ "typ": host::TYPE, "alg": "none" }),
        json!({ "typ": host::TYPE, "alg": "HS256" }),
        json!({ "typ": host::TYPE, "alg": "ES256", "jwk": {} }),
    ] {
        assert_eq!(bent(wrong.clone(), &right), Err(LicenceRefusal::HostMalformed), "{wrong}");
    }
    let twice = right.replacen('{', r#"{"version":"1.4","#, 1);
    let missing = right.replace(r#","script":null"#, "").replace(r#""script":null,"#, "");
    let huge = right.replacen("1.4", &"1".repeat(limits::HOST_ASSERTION_BYTES), 1);
    for wrong in [twice, missing, huge, "[]".to_owned(), String::new()] {
        assert_eq!(bent(header(), &wrong), Err(LicenceRefusal::HostMalformed), "{wrong}");
    }
    for text in ["a", "a.b.c", "....", "?.?.?"] {
        assert_eq!(admitted(Some(text), Some(issued()), 0), Err(LicenceRefusal::HostMalformed), "{text}");
    }
}

#[test]
fn oa_01_nobody_licenses_more_than_the_client_has_or_they_may_do() {
    let shape = Shape {
        name: "nightly".into(),
        scopes: ["devices.read", "jobs.run"].map(str::to_owned).into(),
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        expires: at(10_000),
        rotation: Rotation::Daily,
        licence: LicenceRule::Needed,
    };
    let freeze = |change: fn(&mut LicenceBody), role| {
        let mut body = body();
        change(&mut body);
        IssueLicence::freeze(body, &shape, &Rights::of(role), at(0)).map(|issue| issue.sentence())
    };
    assert_eq!(freeze(|_| {}, Role::Auditor).unwrap(), "Issue a licence for Report to the API client nightly");
    let run = |body: &mut LicenceBody| body.scopes = vec![Scope::parse("jobs.run").unwrap()];
    assert!(freeze(run, Role::Owner).is_ok());
    assert_eq!(freeze(run, Role::Auditor), Err(IssueError::NotYours("jobs.run".into())));
    let more = |body: &mut LicenceBody| body.scopes = vec![Scope::parse("scripts.read").unwrap()];
    assert_eq!(freeze(more, Role::Owner), Err(IssueError::Scope("scripts.read".into())));
    let people = |body: &mut LicenceBody| body.scopes = vec![Scope::parse("people.read").unwrap()];
    assert_eq!(freeze(people, Role::Owner), Err(IssueError::Scope("people.read".into())));
    assert_eq!(freeze(|body| body.expires = at(0), Role::Owner), Err(IssueError::Expiry));
    assert_eq!(freeze(|body| body.expires = at(limits::LICENCE_LIFETIME_SECS + 1), Role::Owner), Err(IssueError::Expiry));
    let no_point = |body: &mut LicenceBody| body.hosts[0].key = Hex([0; 33]);
    assert!(matches!(freeze(no_point, Role::Owner), Err(IssueError::HostKey(_))));
    assert!(matches!(freeze(|body| body.executables.clear(), Role::Owner), Err(IssueError::Body(BodyError::Empty))));
}

#[test]
fn every_refusal_has_a_word_of_its_own_and_is_read_back() {
    for refusal in LicenceRefusal::ALL {
        assert_eq!(LicenceRefusal::parse(refusal.as_str()), Some(refusal));
        assert!(!refusal.words().is_empty());
    }
    assert_eq!(LicenceRefusal::parse("whatever"), None);
}
