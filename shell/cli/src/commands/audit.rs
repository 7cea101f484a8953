//! `sallyport audit`.

use clap::{Args, Subcommand};
use sallyport_api as api;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, clock, say};

use super::verify;

#[derive(Args)]
pub struct Audit {
    #[command(subcommand)]
    what: Option<What>,
    /// Entries of this kind: job.created, session.opened, ...
    #[arg(long)]
    kind: Option<String>,
    /// Entries by this person or thing (id).
    #[arg(long)]
    actor: Option<String>,
    /// Show at most this many.
    #[arg(long, default_value_t = 30)]
    limit: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Check that the log is signed by the tenant's key and holds its newest entries.
    Verify {
        /// How many of the newest entries to check.
        #[arg(long, default_value_t = 20)]
        last: usize,
        /// The pin that you know, from the authority kit or from `sallyport-agent status`.
        #[arg(long, value_name = "SHA-256")]
        pin: Option<String>,
    },
}

impl Audit {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match &self.what {
            Some(What::Verify { last, pin }) => verify::verify(&mut client, screen, *last, pin.as_deref()),
            None => self.list(&mut client, screen),
        }
    }

    fn list(&self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let query = Query::default().with_some("kind", self.kind.as_deref()).with_some("actor", self.actor.as_deref());
        let entries: Vec<api::AuditEntry> = client.read_up_to("/v1/audit", &query, self.limit)?;
        let now = clock::now();
        screen.give(&entries, |screen| {
            // As in other logs: the newest one stands at the bottom, next to the prompt.
            for entry in entries.iter().rev() {
                let place = format!("{:>7}  {:<12}", entry.index, say::relative(entry.at, now));
                screen.say(format!("{}  {}", screen.painted(Tone::Quiet, &place), sentence(entry)));
            }
        });
        Ok(Outcome::Done)
    }
}

fn sentence(entry: &api::AuditEntry) -> String {
    one_line(&entry.sentence.iter().map(|part| part.text.as_str()).collect::<String>())
}
