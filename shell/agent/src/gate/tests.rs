use sallyport_grant::body::{Interpreter, RunAs};
use sallyport_grant::sealed::SealError;

use super::*;
use crate::disk::MemoryDisk;
use crate::runner::{Cancel, RunSink};
use crate::testing::{NOW, World, everything_stored};

const SCRIPT: &str = "echo approved\n";

fn code(gate: &Gate, offer: &GrantOffer) -> &'static str {
    gate.admit(offer).map(|_| ()).expect_err("refused").code()
}

fn admitted(gate: &Gate, offer: &GrantOffer) -> Claimed {
    match gate.admit(offer).expect("admitted") {
        Admitted::Script(claimed) => claimed,
        Admitted::Session(session) => panic!("a remote session: {session:?}"),
    }
}

#[test]
fn tx_11_an_offer_for_this_device_is_admitted_once() {
    let world = World::new();
    let gate = world.gate();
    let offer = world.script(1, SCRIPT).offer();
    let claimed = admitted(&gate, &offer);
    assert_eq!(claimed.script().read_back().expect("script"), SCRIPT.as_bytes());
    assert_eq!(code(&gate, &offer), "used");
}

#[test]
fn a25_tx_09_other_bytes_than_the_approved_ones_are_refused_and_cost_nothing() {
    let world = World::new();
    let gate = world.gate();
    let good = world.script(1, SCRIPT).offer();
    for changed in ["echo approved", "echo approved\r\n", "\u{feff}echo approved\n", "echo Approved\n", "echo approved\n\n", ""] {
        let offer = GrantOffer { content: changed.as_bytes().to_vec(), ..good.clone() };
        assert_eq!(code(&gate, &offer), "content_differs", "{changed:?}");
    }
    gate.admit(&good).map(|_| ()).expect("the id was not spent on garbage");
}

#[test]
fn a25_tx_09_tx_12_a_changed_argument_account_or_interpreter_is_not_what_was_attested() {
    let world = World::new();
    let gate = world.gate();
    let good = world.script(1, SCRIPT).offer();
    let signed = Envelope::parse(&good.envelope, PayloadType::Grant).expect("envelope");
    type Change = fn(&mut RunScript);
    let changes: [Change; 5] = [
        |run| run.arguments.push("--force".to_owned()),
        |run| run.interpreter = Interpreter::Python3,
        |run| run.run_as = RunAs::parse("nobody").ok(),
        |run| run.time_limit_secs += 1,
        |run| run.environment.push((sallyport_grant::body::EnvName::parse("LD_PRELOAD").expect("name"), "x.so".to_owned())),
    ];
    for change in changes {
        let body = world.script(1, SCRIPT).and(change).body().into_bytes().expect("body");
        let forged = Envelope::unsigned(PayloadType::Grant, body).and_signature(signed.signatures()[0].clone());
        assert_eq!(code(&gate, &GrantOffer { envelope: forged.to_bytes(), ..good.clone() }), "wrong_grant");
    }
}

#[test]
fn a26_another_device_is_no_target() {
    let (ours, theirs) = (World::new(), World::new());
    let offer = theirs.script(1, SCRIPT).offer();
    assert_eq!(code(&ours.gate(), &offer), "wrong_device");
    theirs.gate().admit(&offer).map(|_| ()).expect("its own device obeys");
}

#[test]
fn a27_tx_11_a_spent_id_stays_spent_over_crash_restart_and_a_clock_that_is_set_back() {
    let world = World::new();
    let offer = world.script(1, SCRIPT).offer();
    let _claimed = world.gate().admit(&offer).expect("admitted");
    for kept in [0, 7, 100_000] {
        let after = World::on(world.disk.crash(kept));
        assert_eq!(code(&after.gate(), &offer), "used");
        after.clock.set(NOW - 4);
        assert_eq!(code(&after.gate(), &offer), "used");
    }
}

#[test]
fn a22_an_expired_grant_is_not_revived_by_the_clock() {
    let world = World::new();
    let late = world.script(1, SCRIPT).offer();
    world.clock.set(NOW + 599);
    let _claimed = world.gate().admit(&world.script(2, SCRIPT).offer()).expect("admitted");
    world.clock.set(NOW + 601);
    assert_eq!(code(&world.gate(), &late), "expired");
    world.clock.set(NOW - 100_000);
    let journal_floor = world.journal().floor();
    assert_eq!(journal_floor, Timestamp::from_secs(NOW + 599), "the clock does not go below what it was when a grant was obeyed");
}

#[test]
fn a_full_disk_refuses_before_anything_runs() {
    let world = World::new();
    let gate = world.gate();
    world.disk.limit(Some(everything_stored(&world.disk).len() + 100));
    let offer = world.script(1, SCRIPT).offer();
    assert_eq!(code(&gate, &offer), "journal_full");
    world.disk.limit(None);
    gate.admit(&offer).map(|_| ()).expect("the id was not spent");
}

#[test]
fn secrets_open_for_this_grant_and_name_only() {
    let world = World::new();
    let gate = world.gate();
    let good = world.script(1, SCRIPT).with_secret("DB_PASS", "hunter22").offer();
    let other = world.script(2, SCRIPT).with_secret("DB_PASS", "hunter22").offer();
    let swapped = GrantOffer { secrets: other.secrets, ..good.clone() };
    let refusal = gate.admit(&swapped).map(|_| ()).expect_err("refused");
    assert!(matches!(refusal, Refusal::Grant(GrantError::SecretDiffers(SealError::NotForUs))), "{refusal}");
    assert_eq!(code(&gate, &GrantOffer { secrets: Vec::new(), ..good.clone() }), "secret_differs");
    let claimed = admitted(&gate, &good);
    assert_eq!(claimed.secrets()[0].as_bytes(), b"hunter22");
    let stored = everything_stored(&world.disk);
    assert!(!stored.windows(8).any(|window| window == b"hunter22"), "a secret in the journal");
}

#[test]
fn what_the_device_cannot_run_costs_no_id() {
    struct Cannot;
    impl Runs for Cannot {
        fn check(&self, _: &RunScript) -> Result<(), CannotRun> {
            Err(CannotRun::InterpreterMissing)
        }
        fn start(&self, _: Claimed, _: RunSink) -> Cancel {
            unreachable!("nothing is admitted")
        }
        fn end_leftovers(&self, _: GrantId) {}
    }
    let world = World::new();
    let offer = world.script(1, SCRIPT).offer();
    assert_eq!(code(&world.gate_with(Arc::new(Cannot)), &offer), "interpreter_missing");
    world.gate().admit(&offer).map(|_| ()).expect("admitted later");
}

#[test]
fn garbage_has_no_id_and_harms_nothing() {
    let world = World::on(MemoryDisk::default());
    let mut offer = world.script(1, SCRIPT).offer();
    offer.envelope.truncate(40);
    assert_eq!(code(&world.gate(), &offer), "malformed");
    assert_eq!(claimed_id(&offer), None);
}
