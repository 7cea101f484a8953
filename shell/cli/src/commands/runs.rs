//! `sallyport runs`.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use sallyport_api as api;
use sallyport_model::RunId;
use serde_json::json;
use ureq::http::Method;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::lines;
use crate::screen::{Form, Screen};
use crate::{Common, screen};

use super::results;

const POLL: Duration = Duration::from_millis(500);

#[derive(Args)]
pub struct Runs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Print what a run wrote: its standard output to ours, its errors to ours.
    Output {
        /// The run's id, as `sallyport jobs show` lists it.
        run: String,
        /// Stay until the run has ended.
        #[arg(long)]
        follow: bool,
        /// Do not replace control characters. Not for terminals: a device could write into yours.
        #[arg(long, conflicts_with = "json")]
        raw: bool,
    },
    /// Cancel a run.
    Cancel {
        /// The run's id.
        run: String,
    },
}

#[derive(Clone, Copy)]
enum Text {
    Harmless,
    Raw,
}

#[derive(Clone, Copy)]
enum Until {
    Now,
    TheEnd,
}

impl Runs {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            What::Output { raw: true, .. } if io::stdout().is_terminal() || io::stderr().is_terminal() => {
                Err(Failure::Input("--raw is not for terminals; send both outputs into files or pipes".to_owned()))
            }
            What::Output { run, follow, raw } => {
                let text = if raw { Text::Raw } else { Text::Harmless };
                let until = if follow { Until::TheEnd } else { Until::Now };
                output(&mut client, screen, &id(&run)?, text, until)
            }
            What::Cancel { run } => {
                let id = id(&run)?;
                client.act(Method::POST, &format!("/v1/runs/{id}/cancel"))?;
                screen.give(&json!({ "cancelled": id }), |screen| screen.say(format!("Cancelled {id}.")));
                Ok(Outcome::Done)
            }
        }
    }
}

fn id(text: &str) -> Result<String, Failure> {
    let id = text.parse::<RunId>().map(|id| id.to_string());
    id.map_err(|_| Failure::Unknown { what: "run", wanted: crate::safe::one_line(text) })
}

fn output(client: &mut Client, screen: Screen, id: &str, text: Text, until: Until) -> Result<Outcome, Failure> {
    let mut all: Vec<api::OutputChunk> = Vec::new();
    let mut after = 0;
    loop {
        // The state first: what is written between the two reads is then read by the next round.
        let run: api::Run = client.read(&format!("/v1/runs/{id}"))?;
        let part = results::chunks(client, id, after)?;
        match screen.form() {
            Form::Text => part.chunks.iter().for_each(|chunk| print(chunk, text)),
            Form::Json => all.extend(part.chunks),
        }
        after = part.next;
        if part.more {
            continue;
        }
        if matches!(until, Until::Now) || results::is_over(run.state) {
            screen.give(&json!({ "run": run, "chunks": all }), |_| {});
            return Ok(Outcome::Done);
        }
        sleep(POLL);
    }
}

fn print(chunk: &api::OutputChunk, text: Text) {
    let shown = match text {
        Text::Harmless => lines(&chunk.text),
        Text::Raw => chunk.text.clone(),
    };
    if chunk.stream == "stderr" {
        // Whoever closes the pipe has seen enough.
        let _ = io::stderr().write_all(shown.as_bytes());
    } else {
        screen::print(shown);
        let _ = io::stdout().flush();
    }
}
