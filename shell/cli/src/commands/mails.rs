//! `sallyport mails`: what was sent to whom, and what became of it.

use clap::Args;
use sallyport_api as api;

use crate::client::Query;
use crate::failure::{Failure, Outcome};
use crate::screen::{Tone, Word};
use crate::{Common, clock, say};

#[derive(Args)]
pub struct Mails {
    /// Show at most this many, the newest first.
    #[arg(long, default_value_t = 30)]
    limit: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Mails {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let mails: Vec<api::Mail> = client.read_up_to("/v1/mails", &Query::default(), self.limit)?;
        let empty = if mails.is_empty() { nothing_yet(client.read::<api::Policy>("/v1/policy")?.mail.configured) } else { "" };
        let now = clock::now();
        screen.give(&mails, |screen| {
            let rows = mails.iter().map(|mail| {
                let (state, tone) = state(&mail.state);
                vec![
                    Word::new(&mail.to),
                    Word::toned(state, tone),
                    Word::new(&mail.subject),
                    Word::new(mail.attempts.to_string()),
                    Word::toned(say::relative(mail.queued, now), Tone::Quiet),
                    Word::toned(said(mail), Tone::Bad),
                ]
            });
            screen.list(&["TO", "STATE", "SUBJECT", "TRIES", "QUEUED", "THE MAIL SERVER SAID"], rows.collect(), empty);
        });
        Ok(Outcome::Done)
    }
}

/// What an empty list means.
fn nothing_yet(configured: api::YesNo) -> &'static str {
    match configured {
        api::YesNo::Yes => "No mail yet: invitations, links and notices stand here once there are some. Their text is kept by nobody.",
        api::YesNo::No => {
            "No mail server is configured: links are handed over, and nobody is told what happens to their account. Set [mail] on the server."
        }
    }
}

/// Words of newer servers stay as they are.
fn state(state: &str) -> (&str, Tone) {
    match state {
        "waiting" => ("waiting", Tone::Waiting),
        "sent" => ("sent", Tone::Good),
        "failed" => ("given up", Tone::Bad),
        other => (other, Tone::Plain),
    }
}

/// Why it did not arrive; what was sent after all has nothing to say.
fn said(mail: &api::Mail) -> &str {
    mail.error.as_deref().filter(|_| mail.state != "sent").unwrap_or_default()
}
