//! Timings: from what was typed to terms that can be signed, and back.

use sallyport_api as api;
use sallyport_decide::schedules::in_words;
use sallyport_grant::schedule::{Cron, DayWindow, ScheduleTerms, Timetable};
use sallyport_model::{Timestamp, limits};

use super::zones;
use crate::Refusal;

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Reads a timing; the zone's offsets are frozen over its whole life.
pub(crate) fn terms(timing: &api::ScheduleTiming, now: Timestamp) -> Result<ScheduleTerms, Refusal> {
    check_numbers(timing, now)?;
    let cron = timing.cron.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    Cron::parse(&cron).map_err(|error| Refusal::field("timing.cron", error))?;
    let zone = timing.zone.trim();
    let unknown = || Refusal::field("timing.zone", "must be the IANA name of a time zone, like Europe/Berlin");
    let graphic = zone.len() <= limits::ZONE_BYTES && zone.bytes().all(|byte| byte.is_ascii_graphic());
    let offsets = zones::offsets(zone, now, timing.expires).filter(|_| graphic).ok_or_else(unknown)?;
    let terms = ScheduleTerms {
        cron,
        zone: zone.to_owned(),
        offsets,
        window: timing.window.as_ref().map(window).transpose()?,
        late_secs: timing.late_secs,
        jitter_secs: timing.jitter_secs,
        gap_secs: timing.gap_secs,
        at_once: timing.at_once,
    };
    if next(&terms, now, timing.expires, 1).is_empty() {
        return Err(Refusal::field("timing.cron", "it never runs before it ends"));
    }
    Ok(terms)
}

fn check_numbers(timing: &api::ScheduleTiming, now: Timestamp) -> Result<(), Refusal> {
    let lifetime = timing.expires.micros_since(now);
    if lifetime == 0 || lifetime > limits::SCHEDULE_LIFETIME_SECS * 1_000_000 {
        return Err(Refusal::field("timing.expires", "must be in the future, and at most 400 days away"));
    }
    let (least, most) = limits::SCHEDULE_LATE_SECS;
    let checks = [
        ("timing.late_secs", timing.late_secs, least, most),
        ("timing.jitter_secs", timing.jitter_secs, 0, limits::SCHEDULE_JITTER_SECS),
        ("timing.gap_secs", timing.gap_secs, 0, limits::SCHEDULE_GAP_SECS),
    ];
    match checks.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
        Some((field, _, least, most)) => Err(Refusal::field(field, format!("must be {least} to {most}"))),
        None => Ok(()),
    }
}

fn window(wanted: &api::MaintenanceWindow) -> Result<DayWindow, Refusal> {
    let time = |field: &str, text: &str| minute(text).ok_or_else(|| Refusal::field(field, "must be a time of the day like 22:00"));
    let mut days = 0;
    for word in &wanted.days {
        let day = DAYS.iter().position(|day| word.eq_ignore_ascii_case(day));
        days |= 1 << day.ok_or_else(|| Refusal::field("timing.window.days", "must be of sun, mon, tue, wed, thu, fri, sat"))?;
    }
    let (from_minute, to_minute) = (time("timing.window.from", &wanted.from)?, time("timing.window.to", &wanted.to)?);
    Ok(DayWindow { from_minute, to_minute, days: if days == 0 { 127 } else { days } })
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Terms as the API says them.
pub(super) fn shown(terms: &ScheduleTerms, expires: Timestamp) -> api::ScheduleTiming {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    let named = |days: u8| (0..7).filter(|day| days >> day & 1 == 1).map(|day| DAYS[day].to_owned()).collect::<Vec<_>>();
    api::ScheduleTiming {
        cron: terms.cron.clone(),
        zone: terms.zone.clone(),
        expires,
        window: terms.window.map(|window| api::MaintenanceWindow {
            from: clock(window.from_minute),
            to: clock(window.to_minute),
            days: if window.days == 127 { Vec::new() } else { named(window.days) },
        }),
        late_secs: terms.late_secs,
        jitter_secs: terms.jitter_secs,
        gap_secs: terms.gap_secs,
        at_once: terms.at_once,
    }
}

/// The expression in words.
pub(super) fn words(terms: &ScheduleTerms) -> String {
    in_words(&terms.cron).unwrap_or_else(|_| terms.cron.clone())
}

/// The next occurrences.
pub(super) fn next(terms: &ScheduleTerms, after: Timestamp, expires: Timestamp, count: usize) -> Vec<api::Occurrence> {
    let Ok(table) = Timetable::of(terms) else { return Vec::new() };
    let moments = std::iter::successors(table.next(after, expires), |at| table.next(*at, expires));
    moments.take(count).map(|at| occurrence(terms, at)).collect()
}

fn occurrence(terms: &ScheduleTerms, at: Timestamp) -> api::Occurrence {
    let offset = terms.offset_at(at);
    let local = at.plus_secs(offset).to_string();
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    api::Occurrence {
        at,
        local: local.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect(),
        offset: format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
    }
}
