//! `sallyport connections`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word, remark};
use crate::{Common, clock, lookup, say, screen};

use super::connection_terms::{Add, Change};

#[derive(Args)]
pub struct Connections {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List connections, the newest first; the same as no command.
    List,
    /// Ask for a connection. Its credential is asked for, or comes by standard input; it is never an argument, and never shown again.
    Add(Box<Add>),
    /// Ask for other terms of a connection, or give it another credential. What is not named stays.
    Change(Box<Change>),
    /// Show a connection, with its last calls.
    Show {
        /// Its name or id, or the end of the id.
        connection: String,
    },
    /// Stop a connection for good. Its credential is forgotten.
    Stop {
        /// Its name or id, or the end of the id.
        connection: String,
    },
    /// Have the credential of a connection replaced now.
    Rotate {
        /// Its name or id, or the end of the id.
        connection: String,
    },
    /// Send a request over a connection, and print what the vendor answers.
    Call(Call),
}

#[derive(Args)]
struct Call {
    /// Its name or id, or the end of the id.
    connection: String,
    /// GET, POST, PUT, PATCH or DELETE.
    #[arg(value_parser = method)]
    method: Method,
    /// The path below the connection's address, with its query: /tickets?page=2
    path: String,
    /// The body, as JSON; - reads it from standard input.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

fn method(text: &str) -> Result<Method, String> {
    let wanted = text.to_ascii_uppercase();
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&wanted.as_str());
    wanted.parse().ok().filter(|_| known).ok_or_else(|| "must be GET, POST, PUT, PATCH or DELETE".to_owned())
}

impl Connections {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::Add(add)) => add.run(&mut client, screen),
            Some(What::Change(change)) => change.run(&mut client, screen),
            Some(What::Show { connection }) => show(&mut client, screen, &connection),
            Some(What::Stop { connection }) => stop(&mut client, screen, &connection),
            Some(What::Rotate { connection }) => rotate(&mut client, screen, &connection),
            Some(What::Call(call)) => call.run(&mut client, screen),
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let connections: Vec<api::Connection> = client.read_all("/v1/connections", &Query::default())?;
    let now = clock::now();
    screen.give(&json!({ "items": connections }), |screen| {
        let rows = connections.iter().map(|one| {
            let (word, tone) = state(one);
            vec![
                Word::new(&one.shape.name),
                Word::toned(word, tone),
                Word::new(&one.shape.base_url),
                Word::new(&one.owner_name),
                Word::new(say::relative_or_dash(one.last_used, now)),
                Word::new(say::relative_or_dash(one.rotation_state.due, now)),
                Word::new(say::relative(one.shape.expires, now)),
                Word::toned(one.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["NAME", "STATE", "GOES TO", "OWNER", "LAST USED", "REPLACED", "EXPIRES", "ID"],
            rows.collect(),
            "No connections yet: `sallyport connections add` asks for one.",
        );
    });
    Ok(Outcome::Done)
}

fn state(one: &api::Connection) -> (&'static str, Tone) {
    match one.state {
        api::ConnectionState::Active => ("works", Tone::Good),
        api::ConnectionState::RotationFailing => ("credential not replaced", Tone::Waiting),
        api::ConnectionState::CredentialRefused => ("credential refused", Tone::Bad),
        api::ConnectionState::Stopped => ("stopped", Tone::Bad),
        api::ConnectionState::Expired => ("expired", Tone::Quiet),
    }
}

pub(super) fn find(client: &mut Client, wanted: &str) -> Result<api::Connection, Failure> {
    lookup::named(client, ("/v1/connections", "connection"), wanted, |one: &api::Connection| (one.id.to_string(), one.shape.name.as_str()))
}

fn show(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    let calls: api::ConnectionCalls = client.read(&format!("/v1/connections/{}/calls", one.id))?;
    let document = json!({ "connection": one, "calls": calls.items });
    screen.give(&document, |screen| {
        screen.say(one_line(&one.shape.name));
        facts(screen, &one);
        let rows = calls.items.iter().map(|call| {
            vec![
                Word::new(say::relative(call.at, clock::now())),
                Word::new(&call.caller_name),
                Word::new(&call.method),
                Word::new(&call.path),
                Word::new(call.outcome.as_deref().unwrap_or("under way")),
            ]
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            screen.say_in(Tone::Quiet, "No calls yet.");
        } else {
            screen.table(&["WHEN", "CALLER", "METHOD", "PATH", "ANSWER"], rows);
        }
    });
    Ok(Outcome::Done)
}

fn facts(screen: Screen, one: &api::Connection) {
    let (now, (word, tone)) = (clock::now(), state(one));
    let rotation = &one.rotation_state;
    let failure = rotation.failure.as_deref().map(|why| format!("{} times, {}", rotation.attempts, one_line(why))).unwrap_or_default();
    screen.facts(&[
        ("state", screen.painted(tone, word)),
        ("goes to", one_line(&one.shape.base_url)),
        ("credential", placement(&one.shape.credential)),
        ("allows", allowed(&one.shape)),
        ("for", for_whom(&one.shape)),
        ("a minute", one.shape.per_minute.to_string()),
        ("owner", one_line(&one.owner_name)),
        ("expires", say::relative(one.shape.expires, now)),
        ("last used", say::relative_or_dash(one.last_used, now)),
        (
            "refused",
            one.last_refusal
                .as_deref()
                .map(|why| format!("{} ({})", say::relative_or_dash(one.last_refused, now), one_line(why)))
                .unwrap_or_default(),
        ),
        ("replaced", say::relative_or_dash(rotation.last, now)),
        ("due", say::relative_or_dash(rotation.due, now)),
        ("failed", failure),
        ("id", one.id.to_string()),
    ]);
}

/// How a credential goes in, for people.
pub(crate) fn placement(placement: &api::CredentialPlacement) -> String {
    match placement {
        api::CredentialPlacement::Bearer => "Authorization: Bearer".to_owned(),
        api::CredentialPlacement::Header { name, prefix } => one_line(&format!("{name}: {prefix}")).trim_end().to_owned(),
        api::CredentialPlacement::Basic { user } => format!("Authorization: Basic, as {}", one_line(user)),
    }
}

/// What is allowed, for people.
pub(crate) fn allowed(shape: &api::ConnectionShape) -> String {
    let words = |verbs: &std::collections::BTreeSet<api::HttpVerb>| {
        verbs.iter().map(|verb| format!("{verb:?}").to_uppercase()).collect::<Vec<_>>().join(",")
    };
    shape.allows.iter().map(|rule| format!("{} {}", words(&rule.methods), one_line(&rule.path))).collect::<Vec<_>>().join("; ")
}

/// Who may use it, for people.
pub(crate) fn for_whom(shape: &api::ConnectionShape) -> String {
    match shape.callers.is_empty() {
        true => "all who may use connections".to_owned(),
        false => shape.callers.iter().map(|id| one_line(id)).collect::<Vec<_>>().join(" "),
    }
}

fn stop(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    client.act(Method::POST, &format!("/v1/connections/{}/stop", one.id))?;
    screen.give(&json!({ "stopped": one.id }), |screen| {
        screen.say(format!("Stopped {}: its credential is forgotten.", one_line(&one.shape.name)));
    });
    Ok(Outcome::Done)
}

fn rotate(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    client.act(Method::POST, &format!("/v1/connections/{}/rotate", one.id))?;
    screen.give(&json!({ "rotates": one.id }), |screen| {
        screen.say(format!(
            "The credential of {} is being replaced: sallyport connections show says what came of it.",
            one_line(&one.shape.name)
        ));
    });
    Ok(Outcome::Done)
}

impl Call {
    /// What comes back is for a program or a file as often as for people: its bytes are printed as they are, but never on a terminal.
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let one = find(client, &self.connection)?;
        let body = match self.data.as_deref() {
            None => Vec::new(),
            Some("-") => std::io::read_to_string(std::io::stdin()).map_err(|error| Failure::Input(error.to_string()))?.into_bytes(),
            Some(text) => text.as_bytes().to_vec(),
        };
        let target = format!("/v1/connections/{}/proxy/{}", one.id, self.path.trim_start_matches('/'));
        let (status, answer) = client.pass(self.method, &target, body)?;
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            String::from_utf8_lossy(&answer).lines().for_each(|line| screen.say(one_line(line)));
        } else {
            screen::print(&answer);
        }
        if (200..300).contains(&status) {
            return Ok(Outcome::Done);
        }
        remark(format!("The vendor answered with status {status}."));
        Ok(Outcome::SomeFailed)
    }
}
