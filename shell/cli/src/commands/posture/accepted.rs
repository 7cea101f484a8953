//! `sallyport posture accept` and `reopen`: what is found and meant so, with why, until a day.

use clap::Args;
use sallyport_api as api;
use sallyport_model::Timestamp;
use serde_json::json;
use ureq::http::Method;

use super::PATH;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};

const ACCEPTED: &str = "/v1/posture/accepted";
/// So much of a finding's id is shown.
const SHOWN: usize = 8;

#[derive(Args)]
pub(super) struct Accept {
    /// The rule, and the beginning of the finding's id where it found several: P-16, P-15/3fa9c1d2.
    finding: String,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "REASON")]
    because: String,
    /// The last day on which it is accepted: 2027-01-31. Within a year; within a month for what is to be fixed now.
    #[arg(long, value_name = "DAY", value_parser = end_of_day)]
    until: Timestamp,
}

#[derive(Args)]
pub(super) struct Reopen {
    /// The rule, and the beginning of the finding's id where it found several.
    finding: String,
}

/// The end of a day, by UTC.
pub(in crate::commands) fn end_of_day(day: &str) -> Result<Timestamp, String> {
    format!("{day}T23:59:59Z").parse().map_err(|_| "is no day of the form 2027-01-31".to_owned())
}

/// The day of a moment, by UTC.
pub(in crate::commands) fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

impl Accept {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let (rule, finding) = find(client, &self.finding)?;
        let body = api::AcceptFinding { finding: finding.id, reason: self.because, until: self.until };
        client.tell(Method::POST, ACCEPTED, &body)?;
        screen.give(&body, |screen| {
            screen.say_in(Tone::Good, format!("{rule} is accepted until {}: {}", day(self.until), one_line(&finding.title)));
        });
        Ok(Outcome::Done)
    }
}

impl Reopen {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let (rule, finding) = find(client, &self.finding)?;
        client.act(Method::DELETE, &format!("{ACCEPTED}/{}", finding.id))?;
        screen.give(&json!({ "reopened": finding.id }), |screen| {
            screen.say(format!("{rule} is accepted no longer: {}", one_line(&finding.title)));
        });
        Ok(Outcome::Done)
    }
}

/// The finding that is named, with its rule.
fn find(client: &mut Client, wanted: &str) -> Result<(String, api::PostureFinding), Failure> {
    let posture: api::Posture = client.read(PATH)?;
    let (id, beginning) = wanted.split_once('/').unwrap_or((wanted, ""));
    let unknown = || Failure::Unknown { what: "finding", wanted: wanted.to_owned() };
    let rule = posture.rules.into_iter().find(|rule| rule.id.eq_ignore_ascii_case(id)).ok_or_else(unknown)?;
    let named = |finding: &api::PostureFinding| finding.id.to_string().starts_with(&beginning.to_ascii_lowercase());
    let mut found: Vec<api::PostureFinding> = rule.findings.into_iter().filter(named).collect();
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok((rule.id, one)),
        (_, None) => Err(unknown()),
        (_, Some(last)) => {
            let candidates = found.iter().chain([&last]).map(|one| format!("{}  {}", name(&rule.id, one), one_line(&one.title))).collect();
            Err(Failure::Ambiguous { what: "finding", wanted: wanted.to_owned(), candidates })
        }
    }
}

/// What names a finding of a rule that found several.
pub(super) fn name(rule: &str, finding: &api::PostureFinding) -> String {
    let id: String = finding.id.to_string().chars().take(SHOWN).collect();
    format!("{}/{id}", one_line(rule))
}
