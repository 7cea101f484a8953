//! Bounds of the bodies, when read and when written.

use sallyport_grant::body::{
    Body, BodyError, EnvName, GrantAction, GrantBody, Outcome, ReasonCode, ReceiptBody, ReceiptType, RunAs, RunScript, SecretParameter,
    ServerUrl,
};
use sallyport_grant::json::JsonError;
use sallyport_grant::receipt::{self, ReceiptError};
use sallyport_grant::{GrantError, json, sha256};
use sallyport_model::limits;

use crate::world::World;

fn refusal(change: impl FnOnce(&mut GrantBody, &mut RunScript)) -> BodyError {
    let mut body = World::seeded(1).body(3);
    let mut run = body.action.script().unwrap().clone();
    change(&mut body, &mut run);
    body.action = GrantAction::RunScript(run);
    let read = GrantBody::parse(&json::write(&body)).unwrap_err();
    assert_eq!(body.into_bytes().unwrap_err(), read, "what is refused on reading is not written");
    read
}

#[test]
fn a_grant_reads_as_the_contract_says() {
    let body = World::seeded(1).body(3);
    let text = String::from_utf8(body.clone().into_bytes().unwrap()).unwrap();
    let start = r#"{"type":"sallyport.grant/1","id":"grt_"#;
    let action = r#""class":2,"action":{"run_script":{"name":"disk-clean","interpreter":"sh","script_sha256":""#;
    let run = r#""run_as":null,"arguments":["/var"],"environment":[["LANG","C.UTF-8"]],"secrets":[],"#;
    let rest = r#""time_limit_secs":600,"output_limit_bytes":1048576}},"targets":{"count":3,"root":""#;
    assert!(text.starts_with(start) && [action, run, rest].iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(GrantBody::parse(text.as_bytes()), Ok(body));
}

#[test]
fn bounds_of_a_grant() {
    assert_eq!(refusal(|body, _| body.targets.count = 0), BodyError::OutOfRange);
    assert_eq!(refusal(|body, _| body.targets.count = limits::TARGETS as u32 + 1), BodyError::OutOfRange);
    assert_eq!(refusal(|body, _| body.expires = body.not_before), BodyError::TimeOrder);
}

#[test]
fn bounds_of_a_script_run() {
    assert_eq!(refusal(|_, run| run.script_bytes = 0), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.script_bytes = limits::SCRIPT_BYTES as u32 + 1), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.time_limit_secs = 0), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.time_limit_secs = limits::RUN_TIME_LIMIT_SECS + 1), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.output_limit_bytes = 0), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.output_limit_bytes = limits::RUN_OUTPUT_BYTES + 1), BodyError::OutOfRange);
    assert_eq!(refusal(|_, run| run.arguments = vec![String::new(); limits::ARGUMENTS + 1]), BodyError::TooMany);
    assert_eq!(refusal(|_, run| run.arguments = vec!["x".repeat(limits::ARGUMENT_BYTES + 1)]), BodyError::TooLong);
    assert_eq!(refusal(|_, run| run.arguments = vec!["a\0b".to_owned()]), BodyError::NulByte);
    assert_eq!(refusal(|_, run| run.environment[0].1 = "\0".to_owned()), BodyError::NulByte);
    assert_eq!(refusal(|_, run| run.environment = vec![run.environment[0].clone(); 2]), BodyError::Repeated);
    let same = |run: &mut RunScript| run.secrets = vec![SecretParameter { name: run.environment[0].0.clone(), commitment: sha256(&[]) }];
    assert_eq!(refusal(|_, run| same(run)), BodyError::Repeated);
    let big = JsonError::TooLarge(limits::ENVELOPE_BYTES / 2);
    assert_eq!(refusal(|_, run| run.arguments = vec!["x".repeat(limits::ARGUMENT_BYTES); 20]), BodyError::Json(big));
}

#[test]
fn the_largest_values_are_taken() {
    let mut body = World::seeded(1).body(3);
    let name = |n: usize| EnvName::parse(&format!("V{n}")).unwrap();
    body.targets.count = limits::TARGETS as u32;
    let run = body.action.script_mut().unwrap();
    run.script_bytes = limits::SCRIPT_BYTES as u32;
    run.time_limit_secs = limits::RUN_TIME_LIMIT_SECS;
    run.output_limit_bytes = limits::RUN_OUTPUT_BYTES;
    run.arguments = vec!["x".to_owned(); limits::ARGUMENTS];
    run.arguments[0] = "x".repeat(limits::ARGUMENT_BYTES);
    run.environment = (0..limits::ENVIRONMENT).map(|n| (name(n), String::new())).collect();
    run.secrets = (100..100 + limits::SECRETS).map(|n| SecretParameter { name: name(n), commitment: sha256(&[]) }).collect();
    let bytes = body.clone().into_bytes().unwrap();
    assert_eq!(GrantBody::parse(&bytes), Ok(body.clone()));
    let run = body.action.script_mut().unwrap();
    run.environment.push((name(99), String::new()));
    assert_eq!(body.clone().into_bytes(), Err(BodyError::TooMany));
    let run = body.action.script_mut().unwrap();
    run.environment.pop();
    run.secrets.push(SecretParameter { name: name(99), commitment: sha256(&[]) });
    assert_eq!(body.into_bytes(), Err(BodyError::TooMany));
}

#[test]
fn the_largest_payload_fits_its_envelope_with_every_signature() {
    use sallyport_grant::{Envelope, PayloadType, Signature, SignatureKind};
    let world = World::seeded(1);
    let payload = vec![b'x'; PayloadType::Grant.max_payload_bytes()];
    let signature = |n: usize| Signature {
        keyid: world.public(&format!("k{n}")).id(),
        kind: SignatureKind::SkSshEd25519,
        sig: vec![0; limits::SIGNATURE_BYTES],
        statement: None,
    };
    let unsigned = Envelope::unsigned(PayloadType::Grant, payload);
    let attested = Signature { kind: SignatureKind::Server, statement: Some(vec![0; limits::STATEMENT_BYTES]), ..signature(0) };
    let full = (1..limits::SIGNATURES).map(signature).fold(unsigned.and_signature(attested), Envelope::and_signature);
    assert_eq!(Envelope::parse(&full.to_bytes(), PayloadType::Grant), Ok(full));
}

#[test]
fn edits_of_the_text_are_refused() {
    let text = String::from_utf8(World::seeded(1).body(3).into_bytes().unwrap()).unwrap();
    let edits = [
        ("sallyport.grant/1", "sallyport.grant/2"),
        ("\"class\":2", "\"class\":4"),
        ("\"class\":2", "\"class\":2,\"note\":1"),
        ("run_script", "run_command"),
        ("\"interpreter\":\"sh\"", "\"interpreter\":\"perl\""),
        ("\"run_as\":null,", ""),
        ("\"run_as\":null", "\"run_as\":\"-u root\""),
        ("\"LANG\"", "\"LD PRELOAD\""),
        ("\"LANG\"", "\"1A\""),
        ("ada@example.test", "Ada@example.test"),
        ("\"disk-clean\"", "\" disk-clean\""),
        ("\"id\":\"grt_", "\"id\":\"job_"),
    ];
    for (from, to) in edits {
        assert!(text.contains(from));
        let edited = text.replacen(from, to, 1);
        assert_eq!(GrantBody::parse(edited.as_bytes()), Err(BodyError::Json(JsonError::Shape)), "{from} -> {to}");
    }
}

#[test]
fn names_of_variables_and_accounts() {
    for good in ["A", "_", "LANG", "a_1"] {
        assert!(EnvName::parse(good).is_ok());
    }
    for wrong in ["", "1", "A=B", "A B", "É", "A\0", &"A".repeat(129)] {
        assert!(EnvName::parse(wrong).is_err(), "{wrong:?}");
    }
    for good in ["deploy", "svc-1", "CORP\\ada", "ada@corp.test"] {
        assert!(RunAs::parse(good).is_ok());
    }
    for wrong in ["", "-i", "a b", "a;b", "a\n", &"a".repeat(65)] {
        assert!(RunAs::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn servers_are_dialled_over_tls_or_on_this_machine() {
    let good = [
        "wss://rmm.example.test/agent/link",
        "wss://10.0.0.1:8443/agent/link",
        "ws://127.0.0.1:8080/agent/link",
        "ws://[::1]:1/agent/link",
    ];
    for good in good {
        assert!(ServerUrl::parse(good).is_ok(), "{good}");
    }
    let wrong = [
        "ws://rmm.example.test/agent/link",
        "ws://127.0.0.1.example.test/agent/link",
        "ws://127.0.0.1:80@evil.test/agent/link",
        "https://rmm.example.test/agent/link",
        "wss:///agent/link",
        "wss://rmm.example.test/agent/link?x",
        "wss://rmm.example.test/x/agent/link",
        "wss://user@rmm.example.test/agent/link",
        "wss://rmm example.test/agent/link",
    ];
    for wrong in wrong {
        assert!(ServerUrl::parse(wrong).is_err(), "{wrong}");
    }
}

fn finished(world: &World) -> ReceiptBody {
    ReceiptBody {
        r#type: ReceiptType::V1,
        grant: World::seeded(1).body(1).id,
        tenant: world.tenant,
        device: world.public("device-0").id(),
        outcome: Outcome::Finished,
        exit_code: Some(0),
        signal: None,
        reason: None,
        output_sha256: sha256(&[]),
        output_bytes: 0,
        started: Some(world.now),
        ended: world.now.plus_secs(1),
    }
}

#[test]
fn receipts_are_signed_by_the_device_that_they_name() {
    let world = World::seeded(1);
    let written = receipt::sign(finished(&world), &world.key("device-0")).unwrap();
    assert_eq!(receipt::verify(&written, &world.public("device-0")), Ok(finished(&world)));
    assert_eq!(receipt::verify(&written, &world.public("device-1")), Err(ReceiptError::NotSigned));
    let foreign = receipt::sign(finished(&world), &world.key("device-1")).unwrap();
    assert_eq!(receipt::verify(&foreign, &world.public("device-1")), Err(ReceiptError::OtherDevice));
}

#[test]
fn receipts_do_not_contradict_themselves() {
    let world = World::seeded(1);
    let refusal = |change: fn(&mut ReceiptBody)| {
        let mut body = finished(&world);
        change(&mut body);
        body.into_bytes().err()
    };
    assert_eq!(refusal(|body| body.exit_code = None), Some(BodyError::Contradiction));
    assert_eq!(refusal(|body| body.signal = Some(9)), Some(BodyError::Contradiction));
    assert_eq!(refusal(|body| body.outcome = Outcome::Refused), Some(BodyError::Contradiction));
    assert_eq!(refusal(|body| body.started = Some(body.ended.plus_secs(1))), Some(BodyError::TimeOrder));
    assert_eq!(refusal(|body| body.output_bytes = u64::MAX), Some(BodyError::OutOfRange));
    let refused = |body: &mut ReceiptBody| {
        (body.outcome, body.exit_code, body.started) = (Outcome::Refused, None, None);
        body.reason = Some(ReasonCode::from(&GrantError::WrongDevice));
    };
    assert_eq!(refusal(refused), None);
    let ran = |body: &mut ReceiptBody| (body.outcome, body.reason) = (Outcome::Refused, Some(ReasonCode::from(&GrantError::Used)));
    assert_eq!(refusal(ran), Some(BodyError::Contradiction), "what was refused did not run");
}
