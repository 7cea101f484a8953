//! `sallyport audit`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use sallyport_model::DeviceId;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, clock, lookup, say};

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
    /// Entries about this device (name or id), and the jobs and schedules that ran on it.
    #[arg(long)]
    device: Option<String>,
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
        let device = self.device.as_deref().map(|device| about(client, device)).transpose()?;
        let query = Query::default().with_some("kind", self.kind.as_deref()).with_some("actor", self.actor.as_deref());
        let query = query.with_some("device", device.as_deref());
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

/// A device that was removed has no name any more, and its entries have its id.
fn about(client: &mut Client, device: &str) -> Result<String, Failure> {
    match device.parse::<DeviceId>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Ok(lookup::device(client, device)?.id.to_string()),
    }
}

fn sentence(entry: &api::AuditEntry) -> String {
    one_line(&entry.sentence.iter().map(|part| part.text.as_str()).collect::<String>())
}

#[cfg(test)]
mod tests {
    use sallyport_model::{Digest, Timestamp};

    use super::*;

    #[test]
    fn log_06_no_entry_forges_another_on_the_terminal() {
        let hostile = "x\r\n      8  now           Anna signed in\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{2028}\u{200b}";
        let part = |text: &str| api::SentencePart { text: text.to_owned(), link: None };
        let entry = api::AuditEntry {
            index: 7,
            at: Timestamp::from_secs(1_790_000_000),
            kind: "script.created".to_owned(),
            actor: None,
            sentence: vec![part(hostile), part(" created script "), part(hostile)],
            details: serde_json::Value::Null,
            leaf: Digest::from_bytes([1; 32]),
        };
        let line = sentence(&entry);
        assert!(line.contains(" created script ") && line.contains("x\u{240d}\u{240a}"), "{line:?}");
        let deceives = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
        assert!(!line.chars().any(deceives), "{line:?}");
    }
}
