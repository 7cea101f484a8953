use std::time::Instant;

use sallyport_grant::body::{EnvName, ReasonCode, ReceiptBody, RunAs};
use sallyport_grant::receipt;
use sallyport_wire::GrantOffer;

use super::*;
use crate::desk::{Answer, Desk};
use crate::journal::{Entry, Journal, Phase};
use crate::testing::{World, everything_stored, grant_id, output};

fn begin(desk: &mut Desk, offer: GrantOffer) {
    let answer = desk.offered(offer);
    assert!(matches!(answer, Answer::Begun), "{answer:?}");
}

fn receipt_of(world: &World, entry: &Entry) -> ReceiptBody {
    let Phase::Ended { receipt, .. } = &entry.phase else { panic!("no receipt: {entry:?}") };
    receipt::verify(receipt.as_bytes(), &world.identity.verify_key()).expect("the device signed")
}

/// Runs one script to its end.
fn run(world: &World, offer: GrantOffer) -> (ReceiptBody, String) {
    let (mut desk, _wake) = world.desk();
    let grant = crate::gate::claimed_id(&offer).expect("id");
    begin(&mut desk, offer);
    let entry = world.wait_for(desk.journal(), grant);
    (receipt_of(world, &entry), output(desk.journal(), grant))
}

#[test]
fn a_script_gets_all_that_the_grant_says_and_its_receipt_tells_how_it_ended() {
    let world = World::new();
    let script = world.script(1, "echo \"$1-$COLOR-$HOME\"; echo oops >&2; exit 3").and(|run| {
        run.arguments = vec!["a b".to_owned()];
        run.environment = vec![(EnvName::parse("COLOR").expect("name"), "red".to_owned())];
    });
    let (receipt, text) = run(&world, script.offer());
    assert!(text.starts_with("a b-red-/") && text.ends_with("oops\n"), "{text}");
    assert_eq!((receipt.outcome, receipt.exit_code, receipt.signal), (Outcome::Finished, Some(3), None));
    assert_eq!((receipt.output_bytes, receipt.output_sha256), (text.len() as u64, sallyport_grant::sha256(&[text.as_bytes()])));
}

#[test]
fn sh_and_python_run_too() {
    let world = World::new();
    let (receipt, text) = run(&world, world.script(1, "print('six', 7 * 6)").and(|run| run.interpreter = Interpreter::Python3).offer());
    assert_eq!((text.as_str(), receipt.exit_code), ("six 42\n", Some(0)));
    let (receipt, text) = run(&world, world.script(2, "echo $0 | cut -c1-8").and(|run| run.interpreter = Interpreter::Sh).offer());
    assert_eq!((text.as_str(), receipt.exit_code), ("/proc/se\n", Some(0)));
}

#[test]
fn an_interpreter_or_account_that_is_not_there_is_refused() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    let mut code = |offer| match desk.offered(offer) {
        Answer::Refused { refusal, receipt: Some(_), .. } => refusal.code(),
        other => panic!("{other:?}"),
    };
    if find_program("pwsh").is_none() {
        assert_eq!(code(world.script(1, "1").and(|run| run.interpreter = Interpreter::Pwsh).offer()), "interpreter_missing");
    }
    assert_eq!(code(world.script(2, "id").and(|run| run.run_as = RunAs::parse("no-such-account").ok()).offer()), "account_unknown");
}

#[test]
fn secrets_are_in_the_environment_and_nowhere_else() {
    let world = World::new();
    let text =
        "printf '%s' \"$DB_PASS\" | wc -c; echo \"<$DB_PASS>\"; printf 'hunt'; sleep 0.1; echo er22; tr '\\0' ' ' < /proc/$$/cmdline";
    let (receipt, text) = run(&world, world.script(1, text).with_secret("DB_PASS", "hunter22").offer());
    assert_eq!(receipt.exit_code, Some(0));
    assert!(text.starts_with("8\n<***>\n***\n"), "{text}");
    let stored = everything_stored(&world.disk);
    assert!(!stored.windows(8).any(|window| window == b"hunter22"), "a secret is stored");
}

#[test]
fn the_time_limit_ends_the_whole_group() {
    let world = World::new();
    let began = Instant::now();
    let text = "trap '' TERM; (trap '' TERM; sleep 300) & echo on; wait; sleep 300";
    let (receipt, text) = run(&world, world.script(1, text).and(|run| run.time_limit_secs = 1).offer());
    assert_eq!((text.as_str(), receipt.outcome, receipt.signal), ("on\n", Outcome::TimedOut, Some(9)));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn the_output_limit_is_exact() {
    let world = World::new();
    let (receipt, text) = run(&world, world.script(1, "yes").and(|run| run.output_limit_bytes = 100_001).offer());
    assert_eq!((receipt.outcome, receipt.output_bytes, text.len()), (Outcome::OutputLimit, 100_001, 100_001));
    let (receipt, text) = run(&world, world.script(2, "printf 12345").and(|run| run.output_limit_bytes = 5).offer());
    assert_eq!((receipt.outcome, text.as_str()), (Outcome::Finished, "12345"));
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_says_so() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    let script = world.script(1, "echo first; sleep 0.3; yes");
    let grant = script.id;
    begin(&mut desk, script.offer());
    world.disk.limit(Some(everything_stored(&world.disk).len() + 10_000));
    let receipt = receipt_of(&world, &world.wait_for(desk.journal(), grant));
    assert_eq!(receipt.outcome, Outcome::OutputLimit);
    assert_eq!(receipt.reason.as_ref().map(ReasonCode::as_str), Some("disk_full"));
}

#[test]
fn a_cancelled_script_may_say_goodbye() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    let script = world.script(1, "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.05; done");
    let grant = script.id;
    begin(&mut desk, script.offer());
    wait_for_output(desk.journal(), grant);
    assert!(desk.cancel(grant).is_none());
    let receipt = receipt_of(&world, &world.wait_for(desk.journal(), grant));
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert!(output(desk.journal(), grant).ends_with("bye\n"));
}

#[test]
fn a_grant_that_was_cancelled_before_it_came_does_not_run() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    let script = world.script(1, "echo never");
    assert!(desk.cancel(script.id).is_none());
    let offer = script.offer();
    assert!(matches!(desk.offered(offer), Answer::Cancelled { .. }));
    assert_eq!(desk.journal().unreported(), []);
}

#[test]
fn a_run_that_a_crash_cut_off_is_interrupted_its_rest_is_killed_and_it_never_runs_again() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    let script = world.script(1, "echo on; sleep 300");
    let grant = script.id;
    let offer = script.offer();
    begin(&mut desk, offer.clone());
    wait_for_output(desk.journal(), grant);
    // What a process finds that starts after kill -9 of this one.
    let after = World::on(world.disk.killed());
    let (mut desk_after, _wake) = after.desk();
    let receipt = receipt_of(&after, &desk_after.journal().entry(grant).expect("known"));
    assert_eq!((receipt.outcome, receipt.output_bytes), (Outcome::Interrupted, 3));
    assert!(matches!(desk_after.offered(offer), Answer::Known(known) if known == grant));
    let entry = world.wait_for(desk.journal(), grant);
    assert_eq!(receipt_of(&world, &entry).signal, Some(9), "what was left of the script was killed");
}

#[test]
fn more_than_sixteen_wait_for_their_place() {
    let world = World::new();
    let (mut desk, _wake) = world.desk();
    for number in 1..=16 {
        begin(&mut desk, world.script(number, "sleep 0.5").offer());
    }
    assert!(matches!(desk.offered(world.script(17, "echo late").offer()), Answer::Waits));
    let last = grant_id(17);
    assert!(desk.journal().entry(last).is_none(), "waiting spends no id");
    for _ in 0..500 {
        if desk.tidy().iter().any(|answer| matches!(answer, Answer::Begun)) {
            world.wait_for(desk.journal(), last);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the place was never given on");
}

fn wait_for_output(journal: &Journal, grant: GrantId) {
    for _ in 0..500 {
        if journal.output(grant).expect("output").chunks > 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no output");
}
