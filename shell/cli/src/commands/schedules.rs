//! `sallyport schedules`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

use super::publish::Publish;

/// Occurrences that are listed where nothing else is said.
const RUNS: usize = 20;

#[derive(Args)]
pub struct Schedules {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List schedules, the newest first.
    List,
    /// Show a schedule: what was published, and when it runs next.
    Show {
        /// Its name, its id, or the end of it.
        schedule: String,
    },
    /// Publish a schedule: a script that runs unattended.
    ///
    /// What it says is frozen and signed: script, parameters, account, devices, times. Each device checks each run against that. An
    /// edited script or a grown group makes it void.
    Publish(Box<Publish>),
    /// Pause a schedule: nothing begins until it is resumed.
    Pause {
        /// Its name, its id, or the end of it.
        schedule: String,
    },
    /// Let a paused schedule go on, where it still is what was published.
    Resume {
        /// Its name, its id, or the end of it.
        schedule: String,
    },
    /// Stop a schedule for good.
    Stop {
        /// Its name, its id, or the end of it.
        schedule: String,
    },
    /// List what a schedule ran.
    Runs {
        /// Its name, its id, or the end of it.
        schedule: String,
        /// List at most this many.
        #[arg(long, default_value_t = RUNS)]
        limit: usize,
    },
}

impl Schedules {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::Show { schedule }) => show(&mut client, screen, &schedule),
            Some(What::Publish(publish)) => publish.run(&mut client, screen),
            Some(What::Pause { schedule }) => order(&mut client, screen, ("pause", "Paused"), &schedule),
            Some(What::Resume { schedule }) => order(&mut client, screen, ("resume", "Goes on:"), &schedule),
            Some(What::Stop { schedule }) => order(&mut client, screen, ("stop", "Stopped"), &schedule),
            Some(What::Runs { schedule, limit }) => runs(&mut client, screen, &schedule, limit),
        }
    }
}

/// A schedule by its name among those that are not over, or by its id.
pub(super) fn find(client: &mut Client, wanted: &str) -> Result<api::Schedule, Failure> {
    let all: Vec<api::Schedule> = client.read_all("/v1/schedules", &Query::default())?;
    let lives = |schedule: &api::Schedule| !matches!(schedule.state, api::ScheduleState::Stopped | api::ScheduleState::Expired);
    let mut named = all.iter().filter(|schedule| lives(schedule) && schedule.name.eq_ignore_ascii_case(wanted));
    if let (Some(one), None) = (named.next(), named.next()) {
        return Ok(one.clone());
    }
    let id = lookup::id_of(client, "/v1/schedules", "schedule", wanted, |schedule: &api::Schedule| schedule.id.to_string())?;
    client.read(&format!("/v1/schedules/{id}"))
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let schedules: Vec<api::Schedule> = client.read_all("/v1/schedules", &Query::default())?;
    let now = clock::now();
    screen.give(&schedules, |screen| {
        let rows = schedules.iter().map(|schedule| {
            let (word, tone) = standing(schedule);
            let next = schedule.next.first();
            vec![
                Word::new(&schedule.name),
                Word::toned(word, tone),
                Word::new(&schedule.words),
                Word::new(next.map_or_else(|| "-".to_owned(), |next| say::relative(next.at, now))),
                Word::new(on(schedule)),
                Word::toned(schedule.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["NAME", "STATE", "RUNS", "NEXT", "ON", "ID"],
            rows.collect(),
            "No schedules yet: `sallyport schedules publish` asks for one.",
        );
    });
    Ok(Outcome::Done)
}

fn standing(schedule: &api::Schedule) -> (String, Tone) {
    match schedule.state {
        api::ScheduleState::Active => ("active".to_owned(), Tone::Good),
        api::ScheduleState::Paused => ("paused".to_owned(), Tone::Waiting),
        api::ScheduleState::Voided => (format!("void: {}", why(schedule)), Tone::Bad),
        api::ScheduleState::Stopped => ("stopped".to_owned(), Tone::Quiet),
        api::ScheduleState::Expired => ("ended".to_owned(), Tone::Quiet),
    }
}

fn why(schedule: &api::Schedule) -> String {
    match schedule.why.as_deref() {
        Some("script_changed") => "its script was changed".to_owned(),
        Some("script_deleted") => "its script was deleted".to_owned(),
        Some("group_grew") => "its group has more devices".to_owned(),
        Some("rule_changed") => "the rule of its group is not the published one".to_owned(),
        Some("publisher_gone") => "its publisher may no longer publish it".to_owned(),
        Some("no_devices") => "none of its devices is left".to_owned(),
        other => one_line(other.unwrap_or("-")),
    }
}

fn show(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let schedule = find(client, wanted)?;
    screen.give(&schedule, |screen| tell(screen, &schedule));
    Ok(Outcome::Done)
}

fn tell(screen: Screen, schedule: &api::Schedule) {
    let (word, tone) = standing(schedule);
    let now = clock::now();
    screen.facts(&[
        ("schedule", format!("{} ({})", one_line(&schedule.name), schedule.id)),
        ("state", format!("{}, {}, {}", screen.painted(tone, &word), one_line(&schedule.changed_by), say::relative(schedule.changed, now))),
        ("script", format!("{} version {}", one_line(&schedule.script_name), schedule.version)),
        ("SHA-256", say::groups(&schedule.sha256)),
        ("run as", schedule.run_as.as_deref().map_or_else(|| "root".to_owned(), one_line)),
        ("on", on(schedule)),
    ]);
    timing(screen, (&schedule.timing, &schedule.words), &schedule.next);
    screen.facts(&[
        ("published by", format!("{} {}", one_line(&schedule.published_by), say::relative(schedule.published, now))),
        ("grant", format!("{}, log entry {}", schedule.grant, schedule.log_index)),
        ("left out", schedule.missed.to_string()),
    ]);
}

fn on(schedule: &api::Schedule) -> String {
    let devices = say::devices(usize::try_from(schedule.targets).unwrap_or(usize::MAX));
    schedule.group_words.as_deref().map_or(devices.clone(), |group| format!("{devices}: {}", one_line(group)))
}

/// Shows when something runs, and what holds it back.
pub(crate) fn timing(screen: Screen, (timing, words): (&api::ScheduleTiming, &str), next: &[api::Occurrence]) {
    let window = timing.window.as_ref().map_or_else(
        || "at any time".to_owned(),
        |window| {
            let days = if window.days.is_empty() { "every day".to_owned() } else { window.days.join(" ") };
            format!("{} to {}, {days}", one_line(&window.from), one_line(&window.to))
        },
    );
    let moments: Vec<String> = next.iter().map(|next| format!("{} ({})", one_line(&next.local), one_line(&next.offset))).collect();
    let at_once = if timing.at_once == 0 { "all".to_owned() } else { say::devices(timing.at_once as usize) };
    screen.facts(&[
        ("runs", format!("{} ({}, {})", one_line(words), one_line(&timing.cron), one_line(&timing.zone))),
        ("next", if moments.is_empty() { "-".to_owned() } else { moments.join(", ") }),
        ("window", window),
        ("at most late", say::length(i64::from(timing.late_secs))),
        ("spread over", say::length(i64::from(timing.jitter_secs))),
        ("at least between", say::length(i64::from(timing.gap_secs))),
        ("at once", at_once),
        ("ends", say::relative(timing.expires, clock::now())),
    ]);
}

fn order(client: &mut Client, screen: Screen, (verb, done): (&str, &str), wanted: &str) -> Result<Outcome, Failure> {
    let schedule = find(client, wanted)?;
    client.act(Method::POST, &format!("/v1/schedules/{}/{verb}", schedule.id))?;
    screen.give(&json!({ verb: schedule.id }), |screen| screen.say(format!("{done} {}.", one_line(&schedule.name))));
    Ok(Outcome::Done)
}

fn runs(client: &mut Client, screen: Screen, wanted: &str, most: usize) -> Result<Outcome, Failure> {
    let schedule = find(client, wanted)?;
    let query = Query::default().with("schedule", &schedule.id.to_string());
    let jobs: Vec<api::Job> = client.read_up_to("/v1/jobs", &query, most)?;
    let now = clock::now();
    screen.give(&jobs, |screen| {
        let rows = jobs.iter().map(|job| {
            let (word, tone) = super::jobs::standing(&job.counts);
            let due = job.occurrence.as_ref().map(|one| one.due);
            vec![
                Word::new(say::relative_or_dash(due, now)),
                Word::toned(word, tone),
                Word::new(say::devices(usize::try_from(job.counts.total).unwrap_or(usize::MAX))),
                Word::toned(job.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(&["DUE", "STATE", "ON", "JOB"], rows.collect(), "It has not run yet.");
    });
    Ok(Outcome::Done)
}
