//! Results of a job: devices that ended alike and said the same stand together.

use std::collections::BTreeMap;

use sallyport_api as api;
use sallyport_api::RunState;
use sallyport_model::Digest;
use serde::Serialize;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::{lines, one_line};
use crate::say;
use crate::screen::{Form, Screen, Tone};

use super::follow;

/// Names that a group lists; the rest is counted.
const NAMES: usize = 10;
/// Groups whose output is shown.
const GROUPS: usize = 20;
/// Lines of output that a group shows.
const LINES: usize = 200;

/// Whether a run has ended.
pub(super) fn is_over(state: RunState) -> bool {
    !matches!(state, RunState::Waiting | RunState::Delivered | RunState::Running)
}

/// How a run ended or where it stands, in words.
pub(super) fn ending(run: &api::Run) -> String {
    match (run.state, run.exit_code, run.signal) {
        (RunState::Waiting, ..) => "waits for its device".to_owned(),
        (RunState::Delivered, ..) => "was delivered".to_owned(),
        (RunState::Running, ..) => "runs".to_owned(),
        (RunState::Succeeded, ..) => "succeeded".to_owned(),
        (RunState::Failed, Some(code), _) => format!("failed with exit code {code}"),
        (RunState::Failed, None, Some(signal)) => format!("was ended by signal {signal}"),
        (RunState::Failed, None, None) => "failed".to_owned(),
        (RunState::Refused, ..) => format!("refused: {}", one_line(run.reason.as_deref().unwrap_or("no reason given"))),
        (RunState::Cancelled, ..) => "was cancelled".to_owned(),
        (RunState::TimedOut, ..) => "reached its time limit".to_owned(),
        (RunState::OutputLimit, ..) => "reached its output limit".to_owned(),
        (RunState::Interrupted, ..) => "was interrupted".to_owned(),
        (RunState::Expired, ..) => "did not come back in time".to_owned(),
    }
}

/// The tone of a run's state.
pub(super) fn tone(state: RunState) -> Tone {
    match state {
        RunState::Succeeded => Tone::Good,
        RunState::Waiting | RunState::Delivered | RunState::Running => Tone::Waiting,
        _ => Tone::Bad,
    }
}

/// Devices with one ending and one output.
#[derive(Serialize)]
pub(super) struct Group {
    ending: String,
    state: RunState,
    exit_code: Option<i32>,
    output_sha256: Option<Digest>,
    devices: Vec<String>,
    /// What they said; absent beyond the first groups.
    output: Option<Said>,
    #[serde(skip)]
    first: String,
}

/// Output of one of them, by stream.
#[derive(Serialize, Default)]
pub(super) struct Said {
    stdout: String,
    stderr: String,
}

/// Shows what became of a job that is over, and whether all succeeded.
pub(super) fn show(client: &mut Client, screen: Screen, job: &api::Job) -> Result<Outcome, Failure> {
    let runs = follow::runs(client, &job.id.to_string())?;
    let groups = with_output(client, grouped(&runs))?;
    match screen.form() {
        Form::Json => screen.give(&serde_json::json!({ "job": job, "runs": runs, "groups": groups }), |_| {}),
        Form::Text => tell(screen, job, &groups),
    }
    Ok(if job.counts.succeeded == job.counts.total { Outcome::Done } else { Outcome::SomeFailed })
}

/// Puts runs together; the largest group comes first. A run without a receipt has no digest that two could share.
fn grouped(runs: &[api::Run]) -> Vec<Group> {
    let mut groups: BTreeMap<(RunState, String, String), Group> = BTreeMap::new();
    for run in runs {
        let said = match run.output_sha256 {
            Some(digest) => digest.to_string(),
            None if run.output_bytes == 0 => String::new(),
            None => run.id.to_string(),
        };
        let group = groups.entry((run.state, ending(run), said)).or_insert_with(|| Group {
            ending: ending(run),
            state: run.state,
            exit_code: run.exit_code,
            output_sha256: run.output_sha256,
            devices: Vec::new(),
            output: None,
            first: run.id.to_string(),
        });
        group.devices.push(run.device_name.clone());
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.devices.len()));
    groups
}

fn with_output(client: &mut Client, mut groups: Vec<Group>) -> Result<Vec<Group>, Failure> {
    for group in groups.iter_mut().take(GROUPS) {
        group.output = Some(output(client, &group.first)?);
    }
    Ok(groups)
}

fn output(client: &mut Client, run: &str) -> Result<Said, Failure> {
    let mut said = Said::default();
    let mut after = 0;
    loop {
        let part = chunks(client, run, after)?;
        for chunk in part.chunks {
            if chunk.stream == "stderr" { said.stderr.push_str(&chunk.text) } else { said.stdout.push_str(&chunk.text) }
        }
        if !part.more {
            return Ok(said);
        }
        after = part.next;
    }
}

/// Output of a run from a chunk on.
pub(super) fn chunks(client: &mut Client, run: &str, after: u64) -> Result<api::Output, Failure> {
    let part: api::Output = client.read(&Query::default().with("after", &after.to_string()).after(&format!("/v1/runs/{run}/output")))?;
    if part.more && part.next <= after {
        return Err(Failure::Answer("an output that goes round in a circle".to_owned()));
    }
    Ok(part)
}

fn tell(screen: Screen, job: &api::Job, groups: &[Group]) {
    for group in groups {
        screen.say("");
        let who = say::devices(group.devices.len());
        let said = match &group.output {
            Some(said) if said.stdout.is_empty() && said.stderr.is_empty() => "said nothing",
            Some(_) if group.devices.len() > 1 => "said exactly this",
            Some(_) => "said",
            None => "said something else; see `sallyport runs output`",
        };
        screen.say_in(tone(group.state), format!("{who} {} and {said}: {}", group.ending, say::names(&group.devices, NAMES)));
        if let Some(output) = &group.output {
            tell_output(screen, output);
        }
    }
    screen.say("");
    let end = if job.counts.succeeded == job.counts.total { Tone::Good } else { Tone::Bad };
    screen.say_in(
        end,
        format!("{} of {} succeeded. {}, log entry {}", job.counts.succeeded, say::devices(count(job.counts.total)), job.id, job.log_index),
    );
}

fn tell_output(screen: Screen, said: &Said) {
    for (text, tone) in [(&said.stdout, Tone::Plain), (&said.stderr, Tone::Waiting)] {
        let shown = lines(text);
        let count = shown.lines().count();
        for line in shown.lines().take(LINES) {
            screen.say(format!("  {}", screen.painted(tone, line)));
        }
        if count > LINES {
            screen.say_in(Tone::Quiet, format!("  and {} more", say::plural(i64::try_from(count - LINES).unwrap_or(i64::MAX), "line")));
        }
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use sallyport_model::{DeviceId, JobId, RunId};

    use super::*;

    fn run(n: u8, state: RunState, exit_code: Option<i32>, output: Option<u8>) -> api::Run {
        api::Run {
            id: RunId::from_bytes([n; 16]),
            job: JobId::from_bytes([0; 16]),
            device: DeviceId::from_bytes([n; 16]),
            device_name: format!("web-{n}"),
            state,
            exit_code,
            signal: None,
            reason: None,
            output_sha256: output.map(|byte| Digest::from_bytes([byte; 32])),
            output_bytes: 1,
            started: None,
            ended: None,
            receipt: output.is_some(),
        }
    }

    #[test]
    fn only_the_same_ending_with_the_same_output_is_one_group() {
        let runs = [
            run(1, RunState::Succeeded, Some(0), Some(7)),
            run(2, RunState::Failed, Some(1), Some(7)),
            run(3, RunState::Succeeded, Some(0), Some(7)),
            run(4, RunState::Succeeded, Some(0), Some(8)),
            run(5, RunState::Failed, Some(2), Some(7)),
            run(6, RunState::Interrupted, None, None),
            run(7, RunState::Interrupted, None, None),
        ];
        let groups = grouped(&runs);
        assert_eq!(groups[0].devices, ["web-1", "web-3"]);
        assert_eq!(groups.len(), 6, "without a receipt nobody says that two outputs are the same");
    }

    #[test]
    fn endings_are_words() {
        assert_eq!(ending(&run(1, RunState::Failed, Some(3), None)), "failed with exit code 3");
        let refused = api::Run { reason: Some("wrong_device\x1b".into()), ..run(1, RunState::Refused, None, None) };
        assert_eq!(ending(&refused), "refused: wrong_device␛");
        assert!(is_over(RunState::Expired) && !is_over(RunState::Delivered));
    }
}
