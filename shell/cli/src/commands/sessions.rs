//! `sallyport sessions`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say, session};

const LIST: &str = "/v1/me/sessions";

#[derive(Args)]
pub struct Sessions {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List your sessions; the same as no command.
    List,
    /// End one of them.
    End {
        /// Its id, or the end of it.
        #[arg(value_name = "SESSION")]
        id: String,
    },
    /// End all but this one.
    EndOthers,
    /// Somebody else is in your account: end everything.
    ///
    /// Ends all sessions, this one too, closes what you asked for and what did not reach its device yet, stops a reset of your factor, and
    /// shows your last guarded actions: look whether they were yours.
    NotMe,
}

impl Sessions {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::End { id }) => {
                let id = lookup::id_of(&mut client, LIST, "session", &id, |session: &api::Session| session.id.to_string())?;
                client.act(Method::DELETE, &format!("{LIST}/{id}"))?;
                screen.give(&json!({ "ended": id }), |screen| screen.say("Ended."));
                Ok(Outcome::Done)
            }
            Some(What::EndOthers) => {
                client.act(Method::DELETE, LIST)?;
                screen.give(&json!({ "ended": "others" }), |screen| screen.say("All other sessions ended."));
                Ok(Outcome::Done)
            }
            Some(What::NotMe) => not_me(&mut client, screen),
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let sessions: Vec<api::Session> = client.read_all(LIST, &Query::default())?;
    let now = clock::now();
    screen.give(&sessions, |screen| {
        let rows = sessions.iter().map(|session| {
            let last = if session.current { "this one".to_owned() } else { say::relative(session.last_active, now) };
            let tone = if session.current { Tone::Good } else { Tone::Plain };
            vec![
                Word::toned(last, tone),
                Word::new(session.program.clone().unwrap_or_else(|| say::browser(&session.user_agent))),
                Word::toned(address(session), if session.two_networks.is_some() { Tone::Bad } else { Tone::Plain }),
                Word::new(&session.method),
                Word::toned(say::relative(session.expires, now), Tone::Quiet),
                Word::toned(session.id.to_string(), Tone::Quiet),
            ]
        });
        screen.table(&["LAST USED", "WITH", "FROM", "BY", "ENDS", "ID"], rows.collect());
    });
    Ok(Outcome::Done)
}

/// `203.0.113.7, Lyon, France`, and where it is used from two networks at once.
fn address(session: &api::Session) -> String {
    let place = session.place.as_ref().map_or_else(String::new, |place| format!(", {place}"));
    let both =
        session.two_networks.as_ref().map_or_else(String::new, |two| format!(", in {} and {} at once", two.networks[0], two.networks[1]));
    format!("{}{place}{both}", session.address)
}

fn not_me(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let done: api::NotMeDone = client.act_and_read(Method::POST, "/v1/me/not-me")?;
    session::forget(client.path())?;
    let now = clock::now();
    screen.give(&done, |screen| {
        let count = |count: usize, word| say::plural(i64::try_from(count).unwrap_or(i64::MAX), word);
        let closed = |closed: u64, word| count(usize::try_from(closed).unwrap_or(usize::MAX), word);
        let (requests, runs) = (closed(done.requests, "request"), closed(done.runs, "run"));
        screen.say_in(Tone::Good, format!("{} ended; {requests} and {runs} closed.", count(done.sessions.len(), "session")));
        if done.reset_stopped {
            screen.say_in(Tone::Good, "The reset of your factor is stopped.");
        }
        for action in &done.recent {
            screen.say(format!("  {}  {}  {}", say::relative(action.at, now), one_line(&action.state), one_line(&action.summary)));
        }
        screen.say(one_line(&done.next));
    });
    Ok(Outcome::Done)
}
