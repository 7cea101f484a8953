use proptest::prelude::*;

use super::*;
use crate::body::BodyError;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Berlin in 2026 and 2027: the clock is set forward on 29 March 2026 and 28 March 2027, back on 25 October 2026, at 01:00 UTC.
fn berlin(cron: &str) -> ScheduleTerms {
    let offset = |from: &str, secs| Offset { from: at(from), secs };
    ScheduleTerms {
        cron: cron.to_owned(),
        zone: "Europe/Berlin".to_owned(),
        offsets: vec![
            offset("2026-01-01T00:00:00Z", 3600),
            offset("2026-03-29T01:00:00Z", 7200),
            offset("2026-10-25T01:00:00Z", 3600),
            offset("2027-03-28T01:00:00Z", 7200),
        ],
        window: None,
        late_secs: 3600,
        jitter_secs: 0,
        gap_secs: 0,
        at_once: 0,
    }
}

fn runs(cron: &str, from: &str, until: &str) -> Vec<String> {
    let terms = berlin(cron);
    let table = Timetable::of(&terms).unwrap();
    let mut found = Vec::new();
    let mut after = at(from).plus_secs(-1);
    while let Some(next) = table.next(after, at(until)) {
        found.push(next.to_string().chars().skip(5).take(11).collect());
        after = next;
    }
    found
}

#[test]
fn a_time_of_the_day_is_the_same_on_the_wall_all_year() {
    assert_eq!(runs("30 6 * * *", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"), ["03-28T05:30", "03-29T04:30", "03-30T04:30"]);
    assert_eq!(runs("30 6 * * 1", "2026-10-19T00:00:00Z", "2026-10-28T00:00:00Z"), ["10-19T04:30", "10-26T05:30"]);
}

#[test]
fn a_time_that_the_clock_leaves_out_runs_once_right_after() {
    assert_eq!(runs("30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"), ["03-28T01:30", "03-29T01:00", "03-30T00:30"]);
    // Also where several times fall into it, or the first minute after it is named as well.
    assert_eq!(runs("0,20,40 2,3 * * *", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"), ["03-29T01:00", "03-29T01:20", "03-29T01:40"]);
}

#[test]
fn a_time_that_comes_twice_runs_the_first_time_only() {
    assert_eq!(runs("30 2 * * *", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z"), ["10-24T00:30", "10-25T00:30", "10-26T01:30"]);
}

#[test]
fn a_rhythm_follows_the_minutes_that_pass() {
    let spring = runs("*/30 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    assert_eq!(spring, ["03-29T00:00", "03-29T00:30", "03-29T01:00", "03-29T01:30"]);
    assert_eq!(runs("*/30 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z").len(), 4);
}

#[test]
fn a_day_that_never_comes_is_searched_for_quickly_and_not_found() {
    assert_eq!(runs("0 0 31 2 *", "2026-01-01T00:00:00Z", "2027-02-05T00:00:00Z"), Vec::<String>::new());
    assert_eq!(runs("0 12 29 2 *", "2027-12-01T00:00:00Z", "2028-12-01T00:00:00Z"), ["02-29T10:00"]);
}

#[test]
fn only_the_last_of_what_was_missed_counts() {
    let terms = berlin("0 * * * *");
    let table = Timetable::of(&terms).unwrap();
    let (from, upto) = (at("2026-06-01T00:00:00Z"), at("2026-06-02T10:59:00Z"));
    assert_eq!(table.last(from, upto), Some((at("2026-06-02T10:00:00Z"), 34)));
    assert_eq!(table.last(at("2026-06-02T10:00:00Z"), upto), None);
    assert_eq!(table.last(from, at("2026-06-01T01:00:00Z")), Some((at("2026-06-01T01:00:00Z"), 1)), "it is due in that very second");
}

#[test]
fn a_window_can_go_over_midnight_and_belongs_to_the_day_on_which_it_began() {
    let friday_night = DayWindow { from_minute: 22 * 60, to_minute: 4 * 60, days: 1 << 5 };
    let terms = ScheduleTerms { window: Some(friday_night), ..berlin("0 * * * *") };
    let table = Timetable::of(&terms).unwrap();
    // 2026-06-05 is a Friday; Berlin is two hours ahead.
    for (moment, open) in
        [("05T19:59", false), ("05T20:00", true), ("06T01:59", true), ("06T02:00", false), ("05T01:00", false), ("06T21:00", false)]
    {
        assert_eq!(table.window_is_open(at(&format!("2026-06-{moment}:00Z"))), open, "{moment}");
    }
}

#[test]
fn terms_that_no_device_takes_are_not_written() {
    let good = berlin("0 * * * *");
    assert_eq!(good.check(), Ok(()));
    let wrong = [
        (ScheduleTerms { cron: "0 * * *".into(), ..good.clone() }, BodyError::Contradiction),
        (ScheduleTerms { zone: String::new(), ..good.clone() }, BodyError::TooLong),
        (ScheduleTerms { offsets: Vec::new(), ..good.clone() }, BodyError::Empty),
        (ScheduleTerms { offsets: good.offsets.iter().rev().copied().collect(), ..good.clone() }, BodyError::TimeOrder),
        (ScheduleTerms { offsets: vec![Offset { from: Timestamp::default(), secs: 59 }], ..good.clone() }, BodyError::OutOfRange),
        (ScheduleTerms { late_secs: 299, ..good.clone() }, BodyError::OutOfRange),
        (ScheduleTerms { jitter_secs: 43_201, ..good.clone() }, BodyError::OutOfRange),
        (ScheduleTerms { window: Some(DayWindow { from_minute: 0, to_minute: 60, days: 0 }), ..good.clone() }, BodyError::OutOfRange),
    ];
    for (terms, error) in wrong {
        assert_eq!(terms.check(), Err(error), "{terms:?}");
    }
}

#[test]
fn each_occurrence_has_an_id_of_its_own() {
    let (one, other) = (sha256(&[b"one"]), sha256(&[b"other"]));
    let moment = at("2026-06-01T00:00:00Z");
    assert_eq!(occurrence_id(one, moment), occurrence_id(one, moment));
    assert_ne!(occurrence_id(one, moment), occurrence_id(other, moment));
    assert_ne!(occurrence_id(one, moment), occurrence_id(one, moment.plus_secs(60)));
}

fn expression() -> impl Strategy<Value = String> {
    let minute = prop_oneof![Just("*".to_owned()), Just("*/7".to_owned()), (0..60u32).prop_map(|n| n.to_string()), Just("5,50".to_owned())];
    let hour = prop_oneof![Just("*".to_owned()), Just("*/5".to_owned()), (0..24u32).prop_map(|n| n.to_string()), Just("1-3".to_owned())];
    let day = prop_oneof![Just("*".to_owned()), (1..32u32).prop_map(|n| n.to_string()), Just("29-31".to_owned())];
    let month = prop_oneof![Just("*".to_owned()), (1..13u32).prop_map(|n| n.to_string()), Just("mar,oct".to_owned())];
    let weekday = prop_oneof![Just("*".to_owned()), (0..8u32).prop_map(|n| n.to_string()), Just("mon-fri".to_owned())];
    (minute, hour, day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

proptest! {
    /// What the server plans by searching is what a device accepts by looking, and nothing is skipped.
    #[test]
    fn the_search_finds_exactly_what_a_look_accepts(cron in expression(), start in 0i64..600_000) {
        let terms = berlin(&cron);
        let table = Timetable::of(&terms).unwrap();
        let from = at("2026-01-01T00:00:00Z").plus_secs(start * 60);
        let until = from.plus_secs(3 * 86_400);
        let mut found = Vec::new();
        let mut after = from;
        while let Some(next) = table.next(after, until) {
            found.push(next);
            after = next;
        }
        let looked: Vec<Timestamp> = (1..3 * 1440).map(|minute| from.plus_secs(minute * 60)).filter(|at| table.runs_at(*at)).collect();
        prop_assert_eq!(found, looked);
    }

    #[test]
    fn jitter_stays_within_its_bound(secs in 0u32..=43_200, n in any::<[u8; 16]>()) {
        prop_assert!(jitter(GrantId::from_bytes(n), sha256(&[&n]), secs) <= secs);
    }

    /// Many devices begin at many moments, in both halves of the time, and each at another one the next time.
    #[test]
    fn jitter_is_another_one_for_each_device_and_occurrence(secs in 600u32..=43_200, n in any::<[u8; 16]>(), next in any::<[u8; 16]>()) {
        prop_assume!(n != next);
        let waits = |occurrence| -> Vec<u32> {
            (0..64u8).map(|device| jitter(GrantId::from_bytes(occurrence), sha256(&[&[device]]), secs)).collect()
        };
        let (first, second) = (waits(n), waits(next));
        let different: std::collections::BTreeSet<u32> = first.iter().copied().collect();
        prop_assert!(different.len() > 45, "{different:?}");
        let early = first.iter().filter(|wait| **wait < secs / 2).count();
        prop_assert!((10..=54).contains(&early), "{early} of 64 in the first half");
        let moved = first.iter().zip(&second).filter(|(one, other)| one != other).count();
        prop_assert!(moved > 45, "{moved} of 64 begin at another moment the next time");
    }
}

proptest! {
    // Each case looks at a whole year.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Times of the day run once on each day that they name, whatever the clock does.
    #[test]
    fn a_time_of_the_day_runs_exactly_once_a_day(hour in 0u32..24, minute in 0u32..60) {
        let terms = berlin(&format!("{minute} {hour} * * *"));
        let table = Timetable::of(&terms).unwrap();
        // From midnight to midnight in Berlin, in winter.
        let found = table.last(at("2025-12-31T23:00:00Z").plus_secs(-1), at("2026-12-31T22:59:00Z"));
        prop_assert_eq!(found.map(|(_, count)| count), Some(365));
    }

    /// Any text is read or refused; none is read as something that is searched for long.
    #[test]
    fn no_text_breaks_the_parser(text in "[0-9*,/a-z -]{0,60}") {
        let _ = Cron::parse(&text);
    }
}
