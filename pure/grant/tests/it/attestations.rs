//! Statements: what the server attests beside a frozen grant, and where a statement may be.

use sallyport_grant::body::{Body, BodyError, FactorProof, GrantBody, ProofMethod, Statement};
use sallyport_grant::envelope::{EnvelopeError, SignatureState};
use sallyport_grant::json::{self, JsonError};
use sallyport_grant::{Envelope, GrantError, PayloadType, Signature, SignatureKind, VerifyKey, attest, pae, sha256};
use sallyport_model::{Email, Timestamp, UserId, limits};

use crate::world::{SCRIPT, World, class};

/// What a device says of a grant for `count` devices whose statement was changed before it was signed.
fn refusal(count: usize, change: impl FnOnce(&mut Statement)) -> Option<GrantError> {
    let mut world = World::seeded(1);
    let body = world.body(count);
    let offered = world.grant_stating(body, count, change);
    world.offer("device-0", &offered).err()
}

/// The same proofs, attested by an honest server.
fn not_signed(count: usize, proofs: impl FnOnce(&World) -> Vec<FactorProof>) -> Option<BodyError> {
    let mut world = World::seeded(1);
    let unsigned = world.body(count).into_envelope().unwrap();
    attest::sign(unsigned, proofs(&world), &world.key("attestation")).err()
}

fn step_up(proof: &FactorProof) -> FactorProof {
    FactorProof { method: ProofMethod::StepUp, ..proof.clone() }
}

fn attested() -> Envelope {
    let mut world = World::seeded(1);
    let body = world.body(1);
    world.attest(body)
}

fn parse(envelope: &Envelope) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(&envelope.to_bytes(), envelope.payload_type())
}

#[test]
fn a_statement_reads_as_the_docs_say() {
    let envelope = attested();
    let text = String::from_utf8(envelope.signatures()[0].statement.clone().unwrap()).unwrap();
    let start = format!(r#"{{"type":"sallyport.attestation/1","grant":"{}","proofs":[{{"user":"usr_"#, envelope.digest());
    assert!(text.starts_with(&start) && text.contains(r#""email":"ada@example.test","method":"totp","at":""#), "{text}");
    let key = World::seeded(1).public("attestation");
    let covered = pae("application/vnd.sallyport.attestation.v1+json", text.as_bytes());
    assert!(key.verifies(&covered, &envelope.signatures()[0].sig));
    assert_eq!(parse(&envelope), Ok(envelope));
}

#[test]
fn the_body_and_its_digest_are_frozen_before_anything_is_proved() {
    let mut world = World::seeded(1);
    let unsigned = world.body(3).into_envelope().unwrap();
    let (payload, digest) = (unsigned.payload().to_vec(), unsigned.digest());
    let one = attest::sign(unsigned.clone(), vec![world.proof()], &world.key("attestation")).unwrap();
    let other = attest::sign(unsigned, vec![world.proof(), step_up(&world.proof())], &world.key("attestation")).unwrap();
    assert_ne!(one, other);
    assert_eq!([one.digest(), other.digest()], [digest; 2]);
    assert_eq!([one.payload(), other.payload()], [&*payload; 2]);
}

#[test]
fn the_device_learns_who_proved_what() {
    let mut world = World::seeded(1);
    let body = world.body(3);
    let bob = FactorProof {
        user: UserId::from_bytes([4; 16]),
        email: Email::parse("bob@example.test").unwrap(),
        method: ProofMethod::Totp,
        at: world.now.plus_secs(30),
    };
    let proofs = vec![step_up(&world.proof()), bob];
    let envelope = attest::sign(body.clone().into_envelope().unwrap(), proofs.clone(), &world.key("attestation")).unwrap();
    let offered = world.publish(&envelope, &body, 3);
    let grant = world.offer("device-0", &offered).unwrap();
    assert_eq!((grant.proofs(), grant.digest()), (&*proofs, envelope.digest()));
    let ready = grant.with_content(sha256(&[SCRIPT]), SCRIPT.len() as u64).unwrap();
    assert_eq!(ready.grant().proofs(), proofs);
}

#[test]
fn a_grant_that_others_signed_is_attested_too() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let signed = body.clone().into_envelope().unwrap().and_signed(SignatureKind::NativeEd25519, &world.key("operator"));
    let envelope = attest::sign(signed, vec![world.proof()], &world.key("attestation")).unwrap();
    assert_eq!(envelope.signature_by(&world.public("operator"), &SignatureKind::NativeEd25519), SignatureState::Good);
    let offered = world.publish(&envelope, &body, 1);
    assert!(world.offer("device-0", &offered).is_ok());
}

#[test]
fn a25_a_statement_is_about_one_grant() {
    let digest = refusal(3, |statement| statement.grant = sha256(&[b"another"]));
    assert_eq!(digest, Some(GrantError::WrongGrant));
    let mut world = World::seeded(1);
    let (one, two) = (world.body(1), world.body(1));
    let other = world.attest(two).signatures()[0].clone();
    let borrowed = one.clone().into_envelope().unwrap().and_signature(other);
    let offered = world.publish(&borrowed, &one, 1);
    assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::WrongGrant));
}

#[test]
fn a25_a_digest_that_was_hashed_otherwise_is_another() {
    let mut world = World::seeded(1);
    let payload = world.body(1).into_bytes().unwrap();
    let hashes = [sha256(&[&payload]), sha256(&[&pae(Statement::MEDIA_TYPE, &payload)])];
    for hash in hashes {
        assert_eq!(refusal(1, |statement| statement.grant = hash), Some(GrantError::WrongGrant));
    }
}

#[test]
fn a25_every_byte_of_a_statement_is_signed() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let envelope = world.attest(body.clone());
    let len = envelope.signatures()[0].statement.as_ref().unwrap().len();
    for at in 0..len {
        let mut signature = envelope.signatures()[0].clone();
        signature.statement.as_mut().unwrap()[at] ^= 1 << (at % 8);
        let bent = Envelope::unsigned(PayloadType::Grant, envelope.payload().to_vec()).and_signature(signature);
        let offered = world.publish(&bent, &body, 1);
        assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::BadSignature), "byte {at}");
    }
}

#[test]
fn a_statement_is_strict_json_within_its_bounds() {
    let envelope = attested();
    let text = String::from_utf8(envelope.signatures()[0].statement.clone().unwrap()).unwrap();
    assert!(Statement::parse(text.as_bytes()).is_ok());
    let (shape, syntax) = (BodyError::Json(JsonError::Shape), BodyError::Json(JsonError::Syntax));
    let edits = [
        ("attestation/1", "attestation/2", shape),
        ("{\"type\"", "{\"note\":1,\"type\"", shape),
        ("{\"user\"", "{\"note\":1,\"user\"", shape),
        ("{\"type\"", "{\"proofs\":[],\"type\"", syntax),
        ("\"totp\"", "\"sms\"", shape),
        ("ada@", "Ada@", shape),
        ("\"usr_", "\"job_", shape),
        ("}]}", "}]} {}", syntax),
    ];
    for (from, to, error) in edits {
        assert!(text.contains(from));
        assert_eq!(Statement::parse(text.replacen(from, to, 1).as_bytes()), Err(error), "{from} -> {to}");
    }
    let long = text.replacen('{', &format!("{{{}", " ".repeat(limits::STATEMENT_BYTES)), 1);
    assert_eq!(Statement::parse(long.as_bytes()), Err(BodyError::Json(JsonError::TooLarge(limits::STATEMENT_BYTES))));
}

#[test]
fn one_to_sixteen_proofs_are_attested() {
    let most = limits::GRANT_PROOFS;
    let many = |count: usize| move |statement: &mut Statement| statement.proofs = vec![statement.proofs[0].clone(); count];
    assert_eq!(refusal(1, many(0)), Some(GrantError::MalformedStatement(BodyError::Empty)));
    assert_eq!(refusal(1, many(most)), None);
    assert_eq!(refusal(1, many(most + 1)), Some(GrantError::MalformedStatement(BodyError::TooMany)));
    assert_eq!(not_signed(1, |_| Vec::new()), Some(BodyError::Empty));
    assert_eq!(not_signed(1, |world| vec![world.proof(); most]), None);
    assert_eq!(not_signed(1, |world| vec![world.proof(); most + 1]), Some(BodyError::TooMany));
}

#[test]
fn the_longest_statement_is_taken() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    // A backslash takes two bytes as JSON: no address is written longer.
    let email = Email::parse(&format!("{}@b", "\\".repeat(limits::EMAIL_BYTES - 2))).unwrap();
    let at = Timestamp::from_micros(world.now.micros() + 1);
    let proofs = vec![FactorProof { email, at, ..world.proof() }; limits::GRANT_PROOFS];
    let envelope = attest::sign(body.clone().into_envelope().unwrap(), proofs, &world.key("attestation")).unwrap();
    let offered = world.publish(&envelope, &body, 1);
    assert!(world.offer("device-0", &offered).is_ok());
}

#[test]
fn from_class_2_on_a_code_for_this_very_request_is_attested() {
    let window = |statement: &mut Statement| statement.proofs = vec![step_up(&statement.proofs[0])];
    assert_eq!(refusal(1, window), None);
    assert_eq!(refusal(2, window), Some(GrantError::ProofMissing));
    assert_eq!(refusal(26, window), Some(GrantError::ProofMissing));
    assert_eq!(not_signed(1, |world| vec![step_up(&world.proof())]), None);
    assert_eq!(not_signed(2, |world| vec![step_up(&world.proof())]), Some(BodyError::Contradiction));
    let both = |statement: &mut Statement| statement.proofs.insert(0, step_up(&statement.proofs[0]));
    assert_eq!(refusal(2, both), None);
}

#[test]
fn a_class_that_was_raised_wants_its_proof_too() {
    let mut world = World::seeded(1);
    let mut body = world.body(1);
    body.class = class(2);
    let offered = world.grant_stating(body, 1, |statement| statement.proofs = vec![step_up(&statement.proofs[0])]);
    assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::ProofMissing));
}

#[test]
fn proofs_are_dated_within_the_window() {
    let dated = |secs: i64| {
        let seen = refusal(1, |statement| statement.proofs[0].at = statement.proofs[0].at.plus_secs(secs));
        let beside = refusal(1, |statement| {
            let other = FactorProof { at: statement.proofs[0].at.plus_secs(secs), ..statement.proofs[0].clone() };
            statement.proofs.push(other);
        });
        assert_eq!(seen, beside, "one wrong date spoils all");
        seen
    };
    assert_eq!([dated(-60), dated(0), dated(840)], [None, None, None]);
    assert_eq!([dated(-61), dated(841), dated(i64::from(i32::MAX))], [Some(GrantError::ProofTime); 3]);
    let late = |world: &World| vec![FactorProof { at: world.now.plus_secs(841), ..world.proof() }];
    assert_eq!(not_signed(1, late), Some(BodyError::Contradiction));
}

#[test]
fn only_grants_are_attested() {
    let world = World::seeded(1);
    let sign = |envelope: Envelope| attest::sign(envelope, vec![world.proof()], &world.key("attestation")).err();
    assert_eq!(sign(Envelope::unsigned(PayloadType::Receipt, b"{}".to_vec())), Some(BodyError::Contradiction));
    assert_eq!(sign(Envelope::unsigned(PayloadType::Grant, b"{}".to_vec())), Some(BodyError::Json(JsonError::Shape)));
}

#[test]
fn a_server_signs_grants_by_a_statement_only() {
    let world = World::seeded(1);
    let body = World::seeded(1).body(1).into_envelope().unwrap();
    let plain = body.clone().and_signed(SignatureKind::Server, &world.key("attestation"));
    assert_eq!(parse(&plain), Err(EnvelopeError::StatementMissing));
    let beside = attested().and_signed(SignatureKind::Server, &world.key("stranger"));
    assert_eq!(parse(&beside), Err(EnvelopeError::StatementMissing), "whoever's key it is");
    let null = String::from_utf8(plain.to_bytes()).unwrap().replace("\"}]}", "\",\"statement\":null}]}");
    assert_eq!(Envelope::parse(null.as_bytes(), PayloadType::Grant), Err(EnvelopeError::Json(JsonError::Shape)));
    let loose = String::from_utf8(attested().to_bytes()).unwrap().replace("\"statement\":\"", "\"statement\":\" ");
    assert_eq!(Envelope::parse(loose.as_bytes(), PayloadType::Grant), Err(EnvelopeError::Json(JsonError::Shape)));
}

#[test]
fn a_statement_stands_nowhere_else() {
    let signature = attested().signatures()[0].clone();
    for kind in
        [SignatureKind::NativeEd25519, SignatureKind::SkSshEd25519, SignatureKind::Webauthn, SignatureKind::Unknown("ml-dsa-65".to_owned())]
    {
        let other = Envelope::unsigned(PayloadType::Grant, b"{}".to_vec()).and_signature(Signature { kind, ..signature.clone() });
        assert_eq!(parse(&other), Err(EnvelopeError::StrayStatement));
    }
    for other in [PayloadType::Root, PayloadType::Enrolment, PayloadType::Receipt] {
        let other = Envelope::unsigned(other, b"{}".to_vec()).and_signature(signature.clone());
        assert_eq!(parse(&other), Err(EnvelopeError::StrayStatement));
    }
    let long = Signature { statement: Some(vec![0; limits::STATEMENT_BYTES + 1]), ..signature };
    let long = Envelope::unsigned(PayloadType::Grant, b"{}".to_vec()).and_signature(long);
    assert_eq!(parse(&long), Err(EnvelopeError::LongStatement));
}

/// A signature over a statement is none over the payload beside it, even in an envelope that nobody parsed.
#[test]
fn a_statement_is_no_signature_of_the_payload() {
    let envelope = attested();
    let key = World::seeded(1).public("attestation");
    assert_eq!(envelope.signature_by(&key, &SignatureKind::Server), SignatureState::Absent);
}

/// Domain separation: bytes that were signed as one type are not taken as another.
#[test]
fn a_signature_of_a_payload_is_none_of_a_statement() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let unsigned = body.clone().into_envelope().unwrap();
    let statement = json::write(&world.statement(&unsigned));
    let as_payload = Envelope::signed(PayloadType::Grant, statement.clone(), SignatureKind::NativeEd25519, &world.key("attestation"));
    let sig = as_payload.signatures()[0].sig.clone();
    let keyid = VerifyKey::of(&world.key("attestation")).id();
    let forged = unsigned.and_signature(Signature { keyid, kind: SignatureKind::Server, sig, statement: Some(statement) });
    let offered = world.publish(&forged, &body, 1);
    assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::BadSignature));
}

#[test]
fn a_body_with_proofs_is_of_another_shape() {
    let text = String::from_utf8(World::seeded(1).body(1).into_bytes().unwrap()).unwrap();
    let old = format!("{},\"proofs\":[]}}", text.strip_suffix('}').unwrap());
    assert_eq!(GrantBody::parse(old.as_bytes()), Err(BodyError::Json(JsonError::Shape)));
}
