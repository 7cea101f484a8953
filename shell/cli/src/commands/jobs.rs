//! `sallyport jobs`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

use super::{follow, results};

#[derive(Args)]
pub struct Jobs {
    #[command(subcommand)]
    what: Option<What>,
    /// List at most this many.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Show a job and its runs.
    Show {
        /// Its id, or the end of it.
        job: String,
        /// What the devices said, equal results together.
        #[arg(long)]
        output: bool,
    },
    /// Follow a job to its end and show its results; ends like `sallyport run`.
    Follow {
        /// Its id, or the end of it.
        job: String,
    },
    /// Cancel all runs of a job that have not ended.
    Cancel {
        /// Its id, or the end of it.
        job: String,
    },
}

impl Jobs {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None => list(&mut client, screen, self.limit),
            Some(What::Show { job, output }) => {
                let job = id(&mut client, &job)?;
                if output { show_output(&mut client, screen, &job) } else { show(&mut client, screen, &job) }
            }
            Some(What::Follow { job }) => {
                let job = id(&mut client, &job)?;
                follow::follow(&mut client, screen, &job)
            }
            Some(What::Cancel { job }) => cancel(&mut client, screen, &job),
        }
    }
}

fn id(client: &mut Client, wanted: &str) -> Result<String, Failure> {
    lookup::id_of(client, "/v1/jobs", "job", wanted, |job: &api::Job| job.id.to_string())
}

fn list(client: &mut Client, screen: Screen, most: usize) -> Result<Outcome, Failure> {
    let jobs: Vec<api::Job> = client.read_up_to("/v1/jobs", &Query::default(), most)?;
    let now = clock::now();
    screen.give(&jobs, |screen| {
        let rows = jobs.iter().map(|job| {
            let (word, tone) = standing(&job.counts);
            vec![
                Word::new(&job.name),
                Word::toned(word, tone),
                Word::new(say::devices(usize::try_from(job.counts.total).unwrap_or(usize::MAX))),
                Word::new(&job.requested_by),
                Word::toned(say::relative(job.created, now), Tone::Quiet),
                Word::toned(job.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(&["SCRIPT", "STATE", "ON", "BY", "WHEN", "ID"], rows.collect(), "No jobs yet: `sallyport run SCRIPT` begins one.");
    });
    Ok(Outcome::Done)
}

pub(super) fn standing(counts: &api::RunCounts) -> (String, Tone) {
    let missing = counts.total.saturating_sub(counts.succeeded);
    match (counts.waiting.saturating_add(counts.running), missing) {
        (0, 0) => ("succeeded".to_owned(), Tone::Good),
        (0, missing) => (format!("{missing} did not succeed"), Tone::Bad),
        (open, _) => (format!("{open} not ended"), Tone::Waiting),
    }
}

fn show(client: &mut Client, screen: Screen, id: &str) -> Result<Outcome, Failure> {
    let job: api::Job = client.read(&format!("/v1/jobs/{id}"))?;
    let runs = follow::runs(client, id)?;
    screen.give(&json!({ "job": job, "runs": runs }), |screen| {
        tell(screen, &job);
        screen.say("");
        let rows = runs.iter().map(|run| {
            let time = match (run.started, run.ended) {
                (Some(started), Some(ended)) => say::took(started, ended),
                _ => "-".to_owned(),
            };
            vec![
                Word::new(&run.device_name),
                Word::toned(results::ending(run), results::tone(run.state)),
                Word::new(time),
                Word::new(say::bytes(run.output_bytes)),
                Word::new(if run.receipt { "signed" } else { "-" }),
                Word::toned(run.id.to_string(), Tone::Quiet),
            ]
        });
        screen.table(&["DEVICE", "STATE", "TOOK", "OUTPUT", "RECEIPT", "RUN"], rows.collect());
    });
    Ok(Outcome::Done)
}

fn tell(screen: Screen, job: &api::Job) {
    let now = clock::now();
    let (word, tone) = standing(&job.counts);
    screen.facts(&[
        ("job", job.id.to_string()),
        ("script", format!("{} version {}", one_line(&job.name), job.version)),
        ("SHA-256", say::groups(&job.sha256)),
        ("interpreter", one_line(&job.interpreter)),
        ("run as", job.run_as.as_deref().map_or_else(|| "root".to_owned(), one_line)),
        ("arguments", job.arguments.iter().map(|argument| format!("{:?}", one_line(argument))).collect::<Vec<_>>().join(" ")),
        ("secrets", one_line(&job.secrets.join(" "))),
        ("asked by", format!("{} {}", one_line(&job.requested_by), say::relative(job.created, now))),
        ("grant", format!("{}, log entry {}", job.grant, job.log_index)),
        ("state", screen.painted(tone, &word)),
    ]);
}

fn show_output(client: &mut Client, screen: Screen, id: &str) -> Result<Outcome, Failure> {
    let job: api::Job = client.read(&format!("/v1/jobs/{id}"))?;
    if screen.form() == crate::screen::Form::Text {
        tell(screen, &job);
    }
    results::show(client, screen, &job)?;
    Ok(Outcome::Done)
}

fn cancel(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let id = id(client, wanted)?;
    client.act(Method::POST, &format!("/v1/jobs/{id}/cancel"))?;
    screen.give(&json!({ "cancelled": id }), |screen| screen.say(format!("Cancelled what had not ended of {id}.")));
    Ok(Outcome::Done)
}
