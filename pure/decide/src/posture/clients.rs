//! Rules about API clients: keys in places that nobody looks at.

use sallyport_model::Timestamp;

use super::networks::is_large;
use super::{ApiClient, Facts, Finding, Link, Severity, Verdict, counted, verdict};
use crate::automation::{KeyAge, KeyStanding, Rotation, Stopped, age_of};

const DAY: i64 = 86_400;
/// One that was made so long ago and never used is forgotten.
const NEVER_USED_SECS: i64 = 14 * DAY;
/// One that was not used for so long is forgotten as well.
const UNUSED_SECS: i64 = 60 * DAY;
/// So long before its end somebody has to know.
const ENDING_SECS: i64 = 14 * DAY;
/// A key that is replaced by hand is, at least so often.
const BY_HAND_SECS: i64 = 90 * DAY;
/// A client that was stopped by itself is told about for so long.
const STOPPED_SECS: i64 = 14 * DAY;

pub(super) fn wide(facts: &Facts) -> Verdict {
    each(facts, |client| {
        let large = client.networks.iter().find(|range| is_large(range));
        let (severity, title) = match (client.networks.is_empty(), large) {
            (true, _) => (Severity::Critical, format!("API client “{}” works from everywhere", client.name)),
            (false, Some(range)) => (Severity::Warning, format!("API client “{}” works from all of {range}", client.name)),
            (false, None) => return None,
        };
        let why = "A key that is copied works for its thief wherever the range reaches. Name the addresses that the tool runs at.";
        Some((severity, title, why.to_owned()))
    })
}

pub(super) fn unused(facts: &Facts) -> Verdict {
    let age = |since: Timestamp| facts.now.micros_since(since) / 1_000_000;
    each(facts, |client| {
        let title = match client.last_used {
            None if age(client.created) > NEVER_USED_SECS => format!("API client “{}” was never used", client.name),
            Some(last) if age(last) > UNUSED_SECS => {
                format!("API client “{}” was not used for {} days", client.name, age(last) / DAY)
            }
            _ => return None,
        };
        let why = "Nobody misses a key that nobody uses, nor notices when somebody else does. Stop it.";
        Some((Severity::Warning, title, why.to_owned()))
    })
}

pub(super) fn ending(facts: &Facts) -> Verdict {
    each(facts, |client| {
        let left = client.expires.micros_since(facts.now) / 1_000_000;
        let when = counted((left / DAY) as usize, "day");
        let why = format!("In {when}, what runs by it stops. Give it another end while somebody knows what it is for.");
        (left < ENDING_SECS).then(|| (Severity::Warning, format!("API client “{}” ends soon", client.name), why))
    })
}

pub(super) fn keys(facts: &Facts) -> Verdict {
    let stopped = facts.clients.iter().filter_map(|client| {
        let (why, at) = client.stopped.filter(|(_, at)| facts.now.micros_since(*at) < STOPPED_SECS * 1_000_000)?;
        let (severity, what, why) = said(why)?;
        Some(finding(client, severity, format!("API client “{}” {what}", client.name), format!("It happened {}. {why}", ago(facts, at))))
    });
    let late = working(facts).filter_map(|client| {
        let (title, why) = late(facts, client)?;
        Some(finding(client, Severity::Warning, title, why.to_owned()))
    });
    verdict(stopped.chain(late).collect(), || format!("{} checked.", counted(working(facts).count(), "working API client")))
}

/// Why a client that stopped by itself is worth a look.
fn said(why: Stopped) -> Option<(Severity, &'static str, &'static str)> {
    match why {
        Stopped::ByPerson => None,
        Stopped::RotationMissed => Some((
            Severity::Warning,
            "was stopped: it did not replace its key",
            "Its tool is broken, or gone. Find out which, and make another client if it is still needed.",
        )),
        Stopped::KeyReused => Some((
            Severity::Critical,
            "was stopped: a key that it had replaced came back",
            "Somebody has a copy of its key file, or the tool runs from an old copy. Look at the machine before you make another client.",
        )),
    }
}

fn late(facts: &Facts, client: &ApiClient) -> Option<(String, &'static str)> {
    let age = KeyAge { created: client.key_created, until: None };
    let days = facts.now.micros_since(client.key_created) / 1_000_000 / DAY;
    match (client.rotation, age_of(age, client.rotation, facts.now)) {
        (_, KeyStanding::Due | KeyStanding::Missed) => Some((
            format!("API client “{}” has not replaced its key", client.name),
            "It is to do so each day, and is stopped when it does not. Look whether the tool still runs.",
        )),
        (Rotation::ByHand, _) if days * DAY >= BY_HAND_SECS => Some((
            format!("The key of API client “{}” is {days} days old", client.name),
            "Nothing replaces it but a person. Let the tool do it each day, or make another client.",
        )),
        _ => None,
    }
}

fn ago(facts: &Facts, at: Timestamp) -> String {
    match facts.now.micros_since(at) / 1_000_000 / DAY {
        0 => "today".to_owned(),
        days => format!("{} ago", counted(days as usize, "day")),
    }
}

fn working(facts: &Facts) -> impl Iterator<Item = &ApiClient> {
    facts.clients.iter().filter(|client| client.stopped.is_none() && facts.now < client.expires)
}

/// A finding for each working client that a rule has something to say about.
fn each(facts: &Facts, judge: impl Fn(&ApiClient) -> Option<(Severity, String, String)>) -> Verdict {
    let found = working(facts).filter_map(|client| {
        let (severity, title, why) = judge(client)?;
        Some(finding(client, severity, title, why))
    });
    verdict(found.collect(), || format!("{} checked.", counted(working(facts).count(), "working API client")))
}

fn finding(client: &ApiClient, severity: Severity, title: String, why: String) -> Finding {
    let subject = Link::new(format!("of {}", client.owner), format!("/automation/clients?client={}", client.id));
    Finding { severity, title, why, subjects: vec![subject], fix: Some(Link::new("Open API clients", "/automation/clients")) }
}
