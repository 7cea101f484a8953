//! Occurrences of a published schedule at the gate: the real code against a server that lies about them.

use sallyport_grant::body::{Class, GrantAction, RunSchedule};
use sallyport_grant::schedule::{DayWindow, Offset, ScheduleTerms};
use sallyport_model::ScheduleId;

use super::*;
use crate::disk::Disk as _;
use crate::journal::Phase;
use crate::testing::{NOW, World};

const SCRIPT: &str = "echo unattended\n";
/// The first occurrence after the world's time, which is 14:13:20.
const DUE: i64 = NOW + 100;
const STEP: i64 = 300;

fn every_five_minutes() -> ScheduleTerms {
    ScheduleTerms {
        cron: "*/5 * * * *".to_owned(),
        zone: "Etc/UTC".to_owned(),
        offsets: vec![Offset { from: Timestamp::default(), secs: 0 }],
        window: None,
        late_secs: 3600,
        jitter_secs: 0,
        gap_secs: 0,
        at_once: 0,
    }
}

/// A publication with everything that its offers have in common.
fn published(world: &World, number: u8, terms: ScheduleTerms) -> GrantOffer {
    let once = world.script(number, SCRIPT).body();
    let run = once.action.script().expect("a script").clone();
    let schedule = RunSchedule { schedule: ScheduleId::from_bytes([number; 16]), run, terms, rule: None };
    let expires = Timestamp::from_secs(NOW + 500_000);
    let body = GrantBody { action: GrantAction::RunSchedule(schedule), class: Class::Fleet, expires, ..once };
    GrantOffer { content: SCRIPT.as_bytes().to_vec(), ..world.offer(body) }
}

fn occurrence(offer: &GrantOffer, secs: i64) -> GrantOffer {
    GrantOffer { occurrence: Some(Timestamp::from_secs(secs)), ..offer.clone() }
}

fn verdict(world: &World, offer: &GrantOffer, now: i64) -> Result<GrantId, &'static str> {
    world.clock.set(now);
    match world.gate().admit(offer) {
        Ok(Admitted::Script(claimed)) => Ok(claimed.id()),
        Ok(Admitted::Session(_)) => panic!("a remote session"),
        Err(refusal) => Err(refusal.code()),
    }
}

#[test]
fn a27_each_occurrence_runs_once_over_redelivery_restart_crash_and_clock_jumps() {
    let world = World::new();
    let offer = published(&world, 1, every_five_minutes());
    let first = occurrence(&offer, DUE);
    let id = verdict(&world, &first, DUE + 5).expect("the first time");
    assert_eq!(Some(id), claimed_id(&first));
    assert_eq!(verdict(&world, &first, DUE + 6), Err("used"), "delivered again, after a restart");
    for kept in [0, 7, 100_000] {
        let after = World::on(world.disk.crash(kept));
        for now in [DUE + 6, DUE - 50, DUE + 3000, NOW - 100_000] {
            assert_eq!(verdict(&after, &first, now), Err("used"), "after a crash, at {now}");
        }
    }
    let second = verdict(&world, &occurrence(&offer, DUE + STEP), DUE + STEP).expect("the next one");
    assert_ne!(second, id);
    assert_eq!(verdict(&world, &first, DUE + STEP + 1), Err("used"));
}

#[test]
fn none_runs_after_a_later_one_even_where_it_never_ran() {
    let world = World::new();
    let offer = published(&world, 1, every_five_minutes());
    verdict(&world, &occurrence(&offer, DUE + STEP), DUE + STEP).expect("obeyed");
    assert_eq!(verdict(&world, &occurrence(&offer, DUE), DUE + STEP + 1), Err("used"));
    // Another publication has its own order.
    let other = published(&world, 2, every_five_minutes());
    verdict(&world, &occurrence(&other, DUE), DUE + STEP + 1).expect("obeyed");
}

#[test]
fn of_two_occurrences_that_were_verified_at_once_the_later_leaves_no_place_for_the_earlier() {
    let world = World::new();
    let offer = published(&world, 1, every_five_minutes());
    let (earlier, later) = (occurrence(&offer, DUE), occurrence(&offer, DUE + STEP));
    world.clock.set(DUE + STEP);
    let gate = world.gate();
    let [first, second] = [&earlier, &later].map(|offer| gate.verify(offer).expect("verified"));
    let (Verified::RunScript(first), Verified::RunScript(second)) = (first, second) else { panic!("a remote session") };
    let _obeyed = gate.admit_script(second, &later).expect("obeyed");
    assert_eq!(gate.admit_script(first, &earlier).expect_err("overtaken").code(), "used");
}

#[test]
fn a_lying_server_gets_no_other_script_moment_rate_or_window_obeyed() {
    let world = World::new();
    let window = Some(DayWindow { from_minute: 14 * 60, to_minute: 15 * 60, days: 127 });
    let terms = ScheduleTerms { window, gap_secs: 1200, ..every_five_minutes() };
    let offer = published(&world, 1, terms);
    let good = occurrence(&offer, DUE);
    let cases = [
        ("content_differs", GrantOffer { content: b"rm -rf /\n".to_vec(), ..good.clone() }, DUE + 5),
        ("not_an_occurrence", occurrence(&offer, DUE + 60), DUE + 65),
        ("not_an_occurrence", GrantOffer { occurrence: None, ..good.clone() }, DUE + 5),
        ("not_an_occurrence", GrantOffer { occurrence: good.occurrence, ..world.script(9, SCRIPT).offer() }, DUE + 5),
        ("not_yet_valid", occurrence(&offer, DUE + STEP), DUE + 5),
        ("expired", good.clone(), DUE + 3600),
        // 15:00 is 46 minutes and 40 seconds after the world's time.
        ("outside_window", occurrence(&offer, NOW + 2800), NOW + 2800),
        ("outside_window", occurrence(&offer, NOW + 2500), NOW + 2801),
    ];
    for (wanted, offer, now) in cases {
        assert_eq!(verdict(&world, &offer, now), Err(wanted));
    }
    verdict(&world, &good, DUE + 5).expect("none of that spent it");
    assert_eq!(verdict(&world, &occurrence(&offer, DUE + STEP), DUE + STEP), Err("too_soon"));
    verdict(&world, &occurrence(&offer, DUE + 5 * STEP), DUE + 5 * STEP).expect("far enough away");
}

#[test]
fn a_lying_server_changes_no_terms_and_no_target() {
    let (world, other) = (World::new(), World::new());
    let offer = published(&world, 1, every_five_minutes());
    let theirs = published(&other, 1, every_five_minutes());
    assert_eq!(verdict(&world, &occurrence(&theirs, DUE), DUE + 5), Err("wrong_device"));
    let signed = Envelope::parse(&offer.envelope, PayloadType::Grant).expect("envelope");
    let body = GrantBody::parse(signed.payload()).expect("body");
    type Change = fn(&mut RunSchedule);
    let changes: [Change; 5] = [
        |schedule| schedule.terms.cron = "* * * * *".to_owned(),
        |schedule| schedule.terms.late_secs = 7200,
        |schedule| schedule.terms.offsets[0].secs = 60,
        |schedule| schedule.run.arguments.push("--force".to_owned()),
        |schedule| schedule.run.run_as = sallyport_grant::body::RunAs::parse("nobody").ok(),
    ];
    for change in changes {
        let mut changed = body.clone();
        let GrantAction::RunSchedule(schedule) = &mut changed.action else { panic!("a schedule") };
        change(schedule);
        let forged = Envelope::unsigned(PayloadType::Grant, changed.into_bytes().expect("body"));
        let forged = forged.and_signature(signed.signatures()[0].clone());
        let offer = GrantOffer { envelope: forged.to_bytes(), ..occurrence(&offer, DUE) };
        assert_eq!(verdict(&world, &offer, DUE + 5), Err("wrong_grant"));
    }
}

#[test]
fn a_damaged_journal_costs_occurrences_of_a_quarter_of_an_hour_and_no_more() {
    let world = World::new();
    let offer = published(&world, 1, every_five_minutes());
    verdict(&world, &occurrence(&offer, DUE), DUE).expect("obeyed");
    let journal = world.disk.read("journal").expect("read").expect("a journal");
    let damaged: Vec<u8> = journal.iter().take(20).map(|byte| byte ^ 0xff).chain(journal.iter().copied()).collect();
    world.disk.replace("journal", &damaged).expect("written");
    assert_eq!(verdict(&world, &occurrence(&offer, DUE + STEP), DUE + STEP), Err("journal_damaged"));
    verdict(&world, &occurrence(&offer, DUE + 5 * STEP), DUE + 5 * STEP).expect("obeyed again");
}

#[test]
fn occurrences_that_lapsed_are_forgotten_and_still_refused() {
    let world = World::new();
    let offer = published(&world, 1, every_five_minutes());
    let mut last = DUE;
    for number in 0..60 {
        last = DUE + number * STEP;
        let id = verdict(&world, &occurrence(&offer, last), last).expect("obeyed");
        let journal = world.journal();
        journal.end(id, crate::journal::Outcome::Finished, "{}".repeat(3000)).expect("ended");
        journal.acknowledge(id).expect("acknowledged");
    }
    let known = (0..60).filter(|number| world.journal().entry(occurrence_id_of(&offer, DUE + number * STEP)).is_some()).count();
    assert!(known < 60, "some were forgotten");
    for number in 0..60 {
        let refused = verdict(&world, &occurrence(&offer, DUE + number * STEP), last + 1).expect_err("refused");
        assert!(matches!(refused, "used" | "expired"), "{refused}");
    }
    assert!(world.journal().history().iter().all(|entry| matches!(entry.phase, Phase::Acknowledged { .. })));
}

fn occurrence_id_of(offer: &GrantOffer, secs: i64) -> GrantId {
    claimed_id(&occurrence(offer, secs)).expect("an id")
}
