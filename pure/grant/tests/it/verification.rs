//! The device's own check, attack by attack.

use sallyport_grant::body::{Body, GrantAction, GrantBody, RunAs, RunScript, SecretParameter};
use sallyport_grant::checkpoint::CheckpointError;
use sallyport_grant::sealed::{self, Place, SealKey, SecretValue};
use sallyport_grant::verify::{Clock, Profile, SealedSecret, VerifiedGrant, Verifier, derived_class};
use sallyport_grant::{Envelope, GrantError, PayloadType, SignatureKind, checkpoint, sha256};
use sallyport_model::{TenantId, Timestamp, limits};

use crate::world::{Offered, SCRIPT, World, class, run_script};

fn refused(result: Result<VerifiedGrant<RunScript>, GrantError>) -> GrantError {
    result.expect_err("the grant must be refused")
}

/// Grants a changed body of device 0, one of `count`, and says why it is refused.
fn refusal_of(count: usize, change: impl FnOnce(&mut GrantBody)) -> GrantError {
    let mut world = World::seeded(1);
    let mut body = world.body(count);
    change(&mut body);
    let offered = world.grant(body, count);
    refused(world.offer("device-0", &offered))
}

/// Offers a bent version of a good grant to device 0 and says why it is refused.
fn refusal_of_bent(bend: impl FnOnce(&mut World, &mut Offered)) -> GrantError {
    let mut world = World::seeded(1);
    let body = world.body(3);
    let mut offered = world.grant(body, 3);
    assert!(world.offer("device-0", &offered).is_ok(), "the control must be obeyed");
    bend(&mut world, &mut offered);
    refused(world.offer("device-0", &offered))
}

/// Replaces the envelope after signing, keeping its signatures over the old bytes.
fn swap_payload(offered: &mut Offered, change: impl FnOnce(&mut GrantBody)) {
    let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
    let mut body = GrantBody::parse(envelope.payload()).unwrap();
    change(&mut body);
    let unsigned = body.into_envelope().unwrap();
    let forged = envelope.signatures().iter().cloned().fold(unsigned, Envelope::and_signature);
    offered.envelope = forged.to_bytes();
}

fn run_of(body: &mut GrantBody) -> &mut RunScript {
    body.action.script_mut().unwrap()
}

#[test]
fn a_good_grant_is_obeyed() {
    let mut world = World::seeded(1);
    let body = world.body(37);
    let offered = world.grant(body.clone(), 37);
    let grant = world.offer("device-0", &offered).unwrap();
    assert_eq!(grant.body(), &body);
    assert_eq!(grant.log_head(), world.head());
    let ready = grant.with_content(sha256(&[SCRIPT]), SCRIPT.len() as u64).unwrap();
    assert_eq!(ready.into_action(), run_script(SCRIPT));
}

#[test]
fn a25_tx_09_same_text_with_crlf_is_refused() {
    let text = String::from_utf8(SCRIPT.to_vec()).unwrap();
    let crlf = text.replace('\n', "\r\n");
    let bom = format!("\u{feff}{text}");
    let trailing = format!("{text}\n");
    for other in [crlf.as_str(), &bom, &trailing, text.trim_end(), ""] {
        let mut world = World::seeded(1);
        let body = world.body(1);
        let offered = world.grant(body, 1);
        let grant = world.offer("device-0", &offered).unwrap();
        let result = grant.with_content(sha256(&[other.as_bytes()]), other.len() as u64);
        assert_eq!(result.err(), Some(GrantError::ContentDiffers), "{other:?}");
    }
}

#[test]
fn a25_a_wrong_length_is_refused() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let offered = world.grant(body, 1);
    let grant = world.offer("device-0", &offered).unwrap();
    assert_eq!(grant.with_content(sha256(&[SCRIPT]), SCRIPT.len() as u64 + 1).err(), Some(GrantError::ContentDiffers));
}

#[test]
fn a25_tx_12_anything_changed_after_signing_is_refused() {
    let changes: [fn(&mut GrantBody); 9] = [
        |body| run_of(body).arguments.push("--force".to_owned()),
        |body| run_of(body).environment.clear(),
        |body| run_of(body).interpreter = sallyport_grant::body::Interpreter::Bash,
        |body| run_of(body).run_as = Some(RunAs::parse("root").unwrap()),
        |body| run_of(body).script_sha256 = sha256(&[b"rm -rf /"]),
        |body| run_of(body).time_limit_secs += 1,
        |body| body.targets.count += 1,
        |body| body.expires = body.expires.plus_secs(1),
        |body| body.class = class(3),
    ];
    for change in changes {
        assert_eq!(refusal_of_bent(|_, offered| swap_payload(offered, change)), GrantError::WrongGrant);
    }
}

#[test]
fn a26_device_not_listed_is_refused() {
    let mut world = World::seeded(1);
    let body = world.body(3);
    let offered = world.grant(body, 3);
    for index in 0..3 {
        let mut bent = offered.clone();
        bent.target.index = index;
        assert_eq!(refused(world.offer("device-3", &bent)), GrantError::WrongDevice);
    }
}

#[test]
fn a26_a_group_that_grew_after_signing_is_refused() {
    let mut world = World::seeded(1);
    let body = world.body(3);
    let mut offered = world.grant(body, 3);
    offered.target = world.targets(0..4).proof(world.public("device-3").id()).unwrap();
    assert_eq!(refused(world.offer("device-3", &offered)), GrantError::WrongDevice);
}

#[test]
fn a26_a_device_enrolled_again_with_a_new_key_is_refused() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let offered = world.grant(body, 1);
    assert_eq!(refused(world.offer("device-0-reinstalled", &offered)), GrantError::WrongDevice);
}

#[test]
fn a26_another_tenants_grant_is_refused() {
    let error = refusal_of(1, |body| body.tenant = TenantId::from_bytes([2; 16]));
    assert_eq!(error, GrantError::WrongTenant);
}

#[test]
fn a26_a_grant_by_another_tenants_server_is_refused() {
    let mut other = World::seeded(2);
    let body = other.body(1);
    let offered = other.grant(body, 1);
    assert_eq!(refused(World::seeded(1).offer("device-0", &offered)), GrantError::UnknownSigner);
}

#[test]
fn a27_same_grant_twice_is_refused() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let offered = world.grant(body.clone(), 1);
    assert!(world.offer("device-0", &offered).is_ok());
    world.used.0.insert(body.id);
    assert_eq!(refused(world.offer("device-0", &offered)), GrantError::Used);
}

#[test]
fn tx_12_signers_that_the_root_does_not_name_count_nothing() {
    let error = refusal_of_bent(|world, offered| {
        let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
        let unsigned = Envelope::unsigned(PayloadType::Grant, envelope.payload().to_vec());
        offered.envelope = world.attest_by(unsigned, "stranger").to_bytes();
    });
    assert_eq!(error, GrantError::UnknownSigner);
}

#[test]
fn a_key_counts_only_under_the_kind_that_the_root_gives_it() {
    for kind in [SignatureKind::NativeEd25519, SignatureKind::Webauthn, SignatureKind::Unknown("none".to_owned())] {
        let mut world = World::seeded(1);
        let body = world.body(1);
        let unsigned = body.clone().into_envelope().unwrap();
        let envelope = unsigned.and_signed(kind, &world.key("attestation"));
        let offered = world.publish(&envelope, &body, 1);
        assert_eq!(refused(world.offer("device-0", &offered)), GrantError::UnknownSigner);
    }
}

#[test]
fn other_server_keys_sign_no_grants() {
    for purpose in ["log", "fresh", "enrolment", "authority", "device-0"] {
        let mut world = World::seeded(1);
        let body = world.body(1);
        let envelope = world.attest_by(body.clone().into_envelope().unwrap(), purpose);
        let offered = world.publish(&envelope, &body, 1);
        assert_eq!(refused(world.offer("device-0", &offered)), GrantError::UnknownSigner, "{purpose}");
    }
}

#[test]
fn unknown_signatures_beside_a_good_one_do_no_harm() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let envelope = world.attest(body.clone());
    let envelope = envelope.and_signed(SignatureKind::Unknown("ml-dsa-65".to_owned()), &world.key("newer"));
    let offered = world.publish(&envelope, &body, 1);
    assert!(world.offer("device-0", &offered).is_ok());
}

#[test]
fn signatures_added_after_logging_are_refused() {
    let error = refusal_of_bent(|world, offered| {
        let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
        offered.envelope = envelope.and_signed(SignatureKind::NativeEd25519, &world.key("late")).to_bytes();
    });
    assert_eq!(error, GrantError::NotInLog);
}

#[test]
fn the_device_derives_the_class_itself() {
    let action = GrantAction::RunScript(run_script(SCRIPT));
    let most = limits::CLASS2_DEVICES_PER_HOUR as u32;
    let classes = [1, 2, most, most + 1].map(|targets| u8::from(derived_class(&action, targets)));
    assert_eq!(classes, [1, 2, 2, 3]);
    assert_eq!(refusal_of(1, |body| body.class = class(0)), GrantError::ClassTooLow);
    assert_eq!(refusal_of(2, |body| body.class = class(1)), GrantError::ClassTooLow);
    assert_eq!(refusal_of(26, |body| body.class = class(2)), GrantError::ClassTooLow);
}

#[test]
fn a_higher_class_than_derived_is_obeyed() {
    let mut world = World::seeded(1);
    let mut body = world.body(1);
    body.class = class(2);
    let offered = world.grant(body, 1);
    assert!(world.offer("device-0", &offered).is_ok());
}

#[test]
fn the_window_is_kept_to_the_microsecond() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let (not_before, expires) = (body.not_before, body.expires);
    let offered = world.grant(body, 1);
    let mut at = |now| {
        world.now = now;
        world.offer("device-0", &offered).err()
    };
    assert_eq!(at(Timestamp::from_micros(not_before.micros() - 1)), Some(GrantError::NotYetValid(not_before)));
    assert_eq!(at(not_before), None);
    assert_eq!(at(Timestamp::from_micros(expires.micros() - 1)), None);
    assert_eq!(at(expires), Some(GrantError::Expired(expires)));
}

#[test]
fn a22_a_clock_set_back_does_not_revive_a_grant() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let expires = body.expires;
    let offered = world.grant(body, 1);
    let verifier = Verifier {
        root: &world.root(),
        profile: Profile::Starter,
        device: &world.public("device-0"),
        clock: Clock { now: world.now, floor: expires },
        used: &world.used,
    };
    assert_eq!(verifier.verify(&offered.as_offer()).err(), Some(GrantError::Expired(expires)));
}

#[test]
fn a_window_longer_than_a_grant_may_live_is_refused() {
    let longest = limits::GRANT_LIFETIME_SECS + limits::GRANT_SKEW_SECS;
    assert_eq!(refusal_of(1, |body| body.expires = body.not_before.plus_secs(longest + 1)), GrantError::WindowTooLong);
    let mut world = World::seeded(1);
    let mut body = world.body(1);
    body.expires = body.not_before.plus_secs(longest);
    let offered = world.grant(body, 1);
    assert!(world.offer("device-0", &offered).is_ok());
}

#[test]
fn an_expired_root_ends_all_obedience() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let offered = world.grant(body, 1);
    let root = world.root();
    let expires = root.body().expires;
    let verifier = Verifier {
        root: &root,
        profile: Profile::Starter,
        device: &world.public("device-0"),
        clock: Clock { now: expires, floor: expires },
        used: &world.used,
    };
    assert_eq!(verifier.verify(&offered.as_offer()).err(), Some(GrantError::RootExpired(expires)));
}

#[test]
fn the_verified_profile_never_takes_the_servers_word() {
    let mut world = World::seeded(1);
    let body = world.body(1);
    let offered = world.grant(body, 1);
    let verifier = Verifier {
        root: &world.root(),
        profile: Profile::Verified,
        device: &world.public("device-0"),
        clock: Clock { now: world.now, floor: world.now },
        used: &world.used,
    };
    assert_eq!(verifier.verify(&offered.as_offer()).err(), Some(GrantError::ProfileNotSupported));
}

#[test]
fn a32_a_grant_that_the_log_does_not_hold_is_refused() {
    let moved = refusal_of_bent(|_, offered| offered.log_index += 1);
    let cut = refusal_of_bent(|_, offered| offered.log_proof.truncate(1));
    let forked = refusal_of_bent(|world, offered| {
        world.append(b"another history");
        offered.checkpoint = world.checkpoint();
    });
    assert_eq!([moved, cut, forked], [GrantError::NotInLog; 3]);
}

#[test]
fn a32_a_checkpoint_by_another_key_or_origin_is_refused() {
    let other_key = refusal_of_bent(|world, offered| {
        let origin = world.root().body().log.origin.clone();
        offered.checkpoint = checkpoint::sign(&origin, world.head(), &world.key("attestation"));
    });
    assert_eq!(other_key, GrantError::BadCheckpoint(CheckpointError::Unsigned));
    let other_origin = refusal_of_bent(|world, offered| {
        offered.checkpoint = checkpoint::sign("sallyport/elsewhere", world.head(), &world.key("log"));
    });
    assert_eq!(other_origin, GrantError::BadCheckpoint(CheckpointError::OtherOrigin));
}

#[test]
fn a25_secrets_are_exactly_the_committed_ones() {
    let mut world = World::seeded(1);
    let key = SealKey::from_bytes([5; 32]);
    let mut body = world.body(1);
    let name = sallyport_grant::body::EnvName::parse("DB_PASS").unwrap();
    let value = SecretValue::parse(b"hunter2").unwrap();
    run_of(&mut body).secrets = vec![SecretParameter { name: name.clone(), commitment: sealed::commitment(&[1; 32], &value) }];
    let place = Place { grant: body.id, name: &name };
    let seal = |value: &SecretValue| sealed::seal(&key.public(), place, &[1; 32], value, [2; 32]).unwrap();
    let (good, other) = (seal(&value), seal(&SecretValue::parse(b"hunter3").unwrap()));
    let offered = world.grant(body.clone(), 1);
    let grant = world.offer("device-0", &offered).unwrap();
    let open = |secrets: &[SealedSecret<'_>]| grant.open_secrets(&key, secrets).map_err(|error| error.code());
    assert_eq!(open(&[SealedSecret { name: "DB_PASS", sealed: &good }]), Ok(vec![value]));
    assert_eq!(open(&[SealedSecret { name: "DB_PASS", sealed: &other }]), Err("secret_differs"));
    assert_eq!(open(&[SealedSecret { name: "DB_USER", sealed: &good }]), Err("secret_differs"));
    assert_eq!(open(&[]), Err("secret_differs"));
}
