//! A published schedule on the device: what a lying server can make of it, which is nothing.

use sallyport_grant::GrantError;
use sallyport_grant::body::{GrantAction, GrantBody, ProofMethod, RunSchedule};
use sallyport_grant::occurrence::LastRun;
use sallyport_grant::schedule::{DayWindow, Offset, ScheduleTerms, occurrence_id};
use sallyport_model::{ScheduleId, Timestamp, limits};

use crate::world::{Offered, SCRIPT, World, run_script};

/// Every hour in UTC: the world's time is 14:13:20.
fn hourly() -> ScheduleTerms {
    ScheduleTerms {
        cron: "0 * * * *".to_owned(),
        zone: "Etc/UTC".to_owned(),
        offsets: vec![Offset { from: Timestamp::default(), secs: 0 }],
        window: None,
        late_secs: 3600,
        jitter_secs: 600,
        gap_secs: 0,
        at_once: 0,
    }
}

fn published(world: &mut World, terms: ScheduleTerms) -> GrantBody {
    let schedule = RunSchedule { schedule: ScheduleId::from_bytes([4; 16]), run: run_script(SCRIPT), terms, rule: None };
    let mut body = world.body(1);
    body.action = GrantAction::RunSchedule(schedule);
    body.class = 2.try_into().unwrap();
    body.expires = world.now.plus_secs(300 * 86_400);
    body
}

fn due(world: &World, hours: i64) -> Timestamp {
    Timestamp::from_secs((world.now.secs() / 3600 + 1 + hours) * 3600)
}

/// Offers an occurrence at some time after it is due.
fn at(world: &mut World, offered: &Offered, due: Timestamp, after_secs: i64) -> Result<(), GrantError> {
    let now = std::mem::replace(&mut world.now, due.plus_secs(after_secs));
    let verdict = world.offer("device-0", &Offered { occurrence: Some(due), ..offered.clone() });
    world.now = now;
    verdict.map(|_| ())
}

fn scene(change: impl FnOnce(&mut ScheduleTerms)) -> (World, Offered) {
    let mut world = World::seeded(1);
    let mut terms = hourly();
    change(&mut terms);
    let body = published(&mut world, terms);
    let offered = world.grant(body, 1);
    (world, offered)
}

#[test]
fn an_occurrence_is_obeyed_under_an_id_that_nobody_chose() {
    let (mut world, offered) = scene(|_| {});
    let due = due(&world, 5);
    world.now = due;
    let verified = world.offer("device-0", &Offered { occurrence: Some(due), ..offered }).unwrap();
    assert_eq!(verified.id(), occurrence_id(verified.digest(), due));
    assert_ne!(verified.id(), verified.body().id);
    assert_eq!(verified.used_up().occurrence.unwrap().due, due);
}

#[test]
fn a27_an_occurrence_runs_once_and_none_runs_after_a_later_one() {
    let (mut world, offered) = scene(|_| {});
    let (first, second) = (due(&world, 0), due(&world, 1));
    world.used.1 = Some(LastRun { due: first, began: first });
    assert_eq!(at(&mut world, &offered, first, 5), Err(GrantError::Used));
    assert_eq!(at(&mut world, &offered, second, 5), Ok(()));
    world.used.1 = Some(LastRun { due: second, began: second });
    assert_eq!(at(&mut world, &offered, first, 4000), Err(GrantError::Used));
}

#[test]
fn a_moment_that_was_not_published_is_refused() {
    let (mut world, offered) = scene(|_| {});
    let good = due(&world, 3);
    for wrong in [good.plus_secs(60), good.plus_secs(1), Timestamp::from_micros(good.micros() + 1)] {
        assert_eq!(at(&mut world, &offered, wrong, 5), Err(GrantError::NotAnOccurrence), "{wrong}");
    }
    let after_the_end = due(&world, 300 * 24);
    assert!(at(&mut world, &offered, after_the_end, 0).is_err());
    assert_eq!(at(&mut world, &offered, good, 5), Ok(()));
}

#[test]
fn a_publication_is_no_grant_for_now_and_a_grant_is_no_publication() {
    let (world, offered) = scene(|_| {});
    assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::NotAnOccurrence));
    let mut world = World::seeded(1);
    let body = world.body(1);
    let once = world.grant(body, 1);
    let now = world.now;
    assert_eq!(world.offer("device-0", &Offered { occurrence: Some(now), ..once }).err(), Some(GrantError::NotAnOccurrence));
}

#[test]
fn neither_early_nor_later_than_its_terms_say() {
    let (mut world, offered) = scene(|_| {});
    let due = due(&world, 2);
    assert_eq!(at(&mut world, &offered, due, -limits::GRANT_SKEW_SECS - 1), Err(GrantError::NotYetValid(due)));
    assert_eq!(at(&mut world, &offered, due, 4199), Ok(()));
    assert_eq!(at(&mut world, &offered, due, 4200), Err(GrantError::Expired(due.plus_secs(4200))));
}

#[test]
fn nothing_begins_while_the_maintenance_window_is_shut() {
    // From 16:00 to 18:00 on all days.
    let (mut world, offered) = scene(|terms| terms.window = Some(DayWindow { from_minute: 960, to_minute: 1080, days: 127 }));
    let hour = |world: &World, wanted: i64| due(world, wanted - 1 - world.now.secs() / 3600 % 24);
    let (before, within, last) = (hour(&world, 15), hour(&world, 16), hour(&world, 17));
    assert_eq!(at(&mut world, &offered, before, 5), Err(GrantError::OutsideWindow));
    assert_eq!(at(&mut world, &offered, before, 3600), Ok(()), "late, but within");
    assert_eq!(at(&mut world, &offered, within, 5), Ok(()));
    assert_eq!(at(&mut world, &offered, last, 3600), Err(GrantError::OutsideWindow));
}

#[test]
fn no_more_often_than_published() {
    let (mut world, offered) = scene(|terms| terms.gap_secs = 3 * 3600);
    let first = due(&world, 0);
    world.used.1 = Some(LastRun { due: first, began: first.plus_secs(60) });
    let next = due(&world, 2);
    let earliest = first.plus_secs(60 + 3 * 3600);
    assert_eq!(at(&mut world, &offered, next, 5), Err(GrantError::TooSoon(earliest)));
    let allowed = due(&world, 3);
    assert_eq!(at(&mut world, &offered, allowed, 60), Ok(()));
}

#[test]
fn unattended_is_never_of_class_one() {
    let mut world = World::seeded(1);
    let mut body = published(&mut world, hourly());
    body.class = 1.try_into().unwrap();
    let offered = world.grant(body, 1);
    let due = due(&world, 1);
    assert_eq!(at(&mut world, &offered, due, 0), Err(GrantError::ClassTooLow));
}

#[test]
fn a_proof_of_later_or_of_a_window_publishes_nothing() {
    let mut world = World::seeded(1);
    let body = published(&mut world, hourly());
    let late = world.now.plus_secs(3600);
    let offered = world.grant_stating(body.clone(), 1, |statement| statement.proofs[0].at = late);
    let moment = due(&world, 1);
    assert_eq!(at(&mut world, &offered, moment, 0), Err(GrantError::ProofTime));
    let offered = world.grant_stating(body, 1, |statement| statement.proofs[0].method = ProofMethod::StepUp);
    assert_eq!(at(&mut world, &offered, moment, 0), Err(GrantError::ProofMissing));
}

#[test]
fn a_publication_lives_its_time_and_no_other_grant_lives_so_long() {
    let mut world = World::seeded(1);
    let mut body = published(&mut world, hourly());
    body.expires = body.not_before.plus_secs(limits::SCHEDULE_LIFETIME_SECS + limits::GRANT_SKEW_SECS + 1);
    let offered = world.grant(body, 1);
    let moment = due(&world, 1);
    assert_eq!(at(&mut world, &offered, moment, 0), Err(GrantError::WindowTooLong));
    let mut body = world.body(1);
    body.expires = world.now.plus_secs(3600);
    let offered = world.grant_unchecked(&body, 1);
    assert_eq!(world.offer("device-0", &offered).err(), Some(GrantError::WindowTooLong));
}

#[test]
fn another_device_and_other_terms_are_refused() {
    let (mut world, offered) = scene(|_| {});
    let moment = due(&world, 1);
    world.now = moment;
    let occurrence = Some(moment);
    assert_eq!(world.offer("device-1", &Offered { occurrence, ..offered.clone() }).err(), Some(GrantError::WrongDevice));
    let text = String::from_utf8(offered.envelope.clone()).unwrap();
    let signed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut other = World::seeded(1);
    let body = published(&mut other, ScheduleTerms { cron: "* * * * *".to_owned(), ..hourly() });
    let mut forged: serde_json::Value = serde_json::from_slice(&other.grant(body, 1).envelope).unwrap();
    forged["signatures"] = signed["signatures"].clone();
    let envelope = serde_json::to_vec(&forged).unwrap();
    assert_eq!(world.offer("device-0", &Offered { envelope, occurrence, ..offered }).err(), Some(GrantError::WrongGrant));
}
