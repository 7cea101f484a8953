//! `sallyport remote-sessions`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use super::remote_policy::PolicyChange;
use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

const LIST: &str = "/v1/remote-sessions";

#[derive(Args)]
pub struct RemoteSessions {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List open remote sessions; the same as no command.
    List {
        /// Those that are over, too.
        #[arg(long)]
        all: bool,
    },
    /// End a remote session for everybody.
    End {
        /// Its id, or the end of it.
        #[arg(value_name = "SESSION")]
        id: String,
    },
    /// Show what is recorded and asked in remote sessions, or change it.
    Policy(PolicyChange),
}

impl RemoteSessions {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None => list(&mut client, screen, "open"),
            Some(What::List { all }) => list(&mut client, screen, if all { "any" } else { "open" }),
            Some(What::End { id }) => end(&mut client, screen, &id),
            Some(What::Policy(change)) => change.run(&mut client, screen),
        }
    }
}

fn list(client: &mut Client, screen: Screen, state: &str) -> Result<Outcome, Failure> {
    let sessions: Vec<api::RemoteSession> = client.read_all(LIST, &Query::default().with("state", state))?;
    let now = clock::now();
    screen.give(&sessions, |screen| {
        let rows = sessions.iter().map(|session| {
            let people: Vec<&str> =
                session.attachments.iter().filter(|attached| attached.ended.is_none()).map(|attached| attached.name.as_str()).collect();
            let (state, tone) = match session.ended {
                Some(at) => (format!("ended {}", say::relative(at, now)), Tone::Quiet),
                None => ("open".to_owned(), Tone::Good),
            };
            vec![
                Word::new(&session.device_name),
                Word::new(&session.kind),
                Word::toned(state, tone),
                Word::new(format!("{} by {}", say::relative(session.created, now), session.opened_by_name)),
                Word::new(people.join(", ")),
                Word::toned(session.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(&["DEVICE", "KIND", "STATE", "OPENED", "ATTACHED", "ID"], rows.collect(), "No remote session is open.");
    });
    Ok(Outcome::Done)
}

fn end(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let id = lookup::id_of(client, LIST, "remote session", wanted, |session: &api::RemoteSession| session.id.to_string())?;
    client.act(Method::DELETE, &format!("{LIST}/{id}"))?;
    screen.give(&json!({ "ended": id }), |screen| screen.say(format!("Ended {id}.")));
    Ok(Outcome::Done)
}
