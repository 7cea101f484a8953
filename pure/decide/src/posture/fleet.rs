//! Rules about installers, agents and devices that wait.

use super::{Facts, Finding, Installer, Link, Severity, Verdict, counted, verdict};
use crate::search::compare_versions;

const DAY: i64 = 86_400;
/// An installer is for the days of a roll-out.
const INSTALLER_SECS: i64 = 14 * DAY;
/// So many devices may enrol with one that works from anywhere.
const OPEN_USES: u32 = 50;
/// A pending device is looked at within this.
const PENDING_SECS: i64 = 3 * DAY;

pub(super) fn long_installers(facts: &Facts) -> Verdict {
    let long = |one: &&Installer| one.expires > facts.now.plus_secs(INSTALLER_SECS);
    installers(facts, long, |one| {
        let days = one.expires.micros_since(facts.now) / 1_000_000 / DAY;
        let title = format!("Installer “{}” works for {days} more days", one.label);
        (
            title,
            "Every installer ends by itself, and this one late. Whoever finds the file can put devices in front of you until then; revoke it once the roll-out is done.",
        )
    })
}

pub(super) fn open_installers(facts: &Facts) -> Verdict {
    let open = |one: &&Installer| one.network.is_none() && one.left > OPEN_USES;
    installers(facts, open, |one| {
        let title = format!("Installer “{}” works for {} more devices, from anywhere", one.label, one.left);
        (title, "Bind an installer to the customer's network, or let it work for as many devices as there are.")
    })
}

fn installers(facts: &Facts, is_found: impl Fn(&&Installer) -> bool, said: impl Fn(&Installer) -> (String, &'static str)) -> Verdict {
    let finding = |one: &Installer| {
        let (title, why) = said(one);
        let fix = Some(Link::new("Open installers", "/installers"));
        let subjects = vec![Link::new(one.label.clone(), format!("/installers?open={}", one.id))];
        Finding { severity: Severity::Warning, title, why: why.to_owned(), subjects, fix }
    };
    let found = facts.installers.iter().filter(is_found).map(finding).collect();
    verdict(found, || format!("{} checked.", counted(facts.installers.len(), "working installer")))
}

pub(super) fn old_agents(facts: &Facts) -> Verdict {
    let old = || facts.agents.iter().filter(|(version, _)| compare_versions(version, &facts.version).is_lt());
    let count: u64 = old().map(|(_, count)| count).sum();
    let versions: Vec<&str> = old().map(|(version, _)| version.as_str()).collect();
    let finding = |versions: &[&str]| Finding {
        severity: Severity::Warning,
        title: counted_of(count),
        why: format!("They run {}; this server is {}. What was mended in between is not mended there.", versions.join(", "), facts.version),
        subjects: Vec::new(),
        fix: Some(Link::new("Show devices", "/devices")),
    };
    let found = if count > 0 { vec![finding(&versions)] } else { Vec::new() };
    let all: u64 = facts.agents.iter().map(|(_, count)| count).sum();
    verdict(found, || format!("{} run {} or later.", counted(all as usize, "approved device"), facts.version))
}

fn counted_of(devices: u64) -> String {
    if devices == 1 { "1 device has an older agent".to_owned() } else { format!("{devices} devices have older agents") }
}

pub(super) fn long_pending(facts: &Facts) -> Verdict {
    let (count, first) = facts.pending;
    let waits = first.filter(|first| *first < facts.now.plus_secs(-PENDING_SECS));
    let finding = |first: sallyport_model::Timestamp| Finding {
        severity: Severity::Warning,
        title: format!(
            "{} for approval, the first for {} days",
            if count == 1 { "1 device waits".into() } else { format!("{count} devices wait") },
            facts.now.micros_since(first) / 1_000_000 / DAY
        ),
        why: "A device that nobody expects is somebody's attempt. Approve it or remove it.".into(),
        subjects: Vec::new(),
        fix: Some(Link::new("Show pending devices", "/devices?state=pending")),
    };
    verdict(waits.map(finding).into_iter().collect(), || format!("{} now.", counted(count as usize, "pending device")))
}
