//! What a connection is asked to be, and whether the server froze just that.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use sallyport_api as api;
use zeroize::Zeroizing;

use super::connections::find;
use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{ask, clock, say};

/// Asks for a connection.
#[derive(Args)]
pub(crate) struct Add {
    /// What people call it.
    #[arg(long)]
    name: String,
    /// Where requests go: https://psa.example/api
    #[arg(long)]
    url: String,
    /// The header that takes the credential, and what stands before it: "X-Api-Key" or "Authorization: Token". Without it and --basic: a
    /// bearer token.
    #[arg(long, conflicts_with = "basic", value_name = "NAME[: PREFIX]")]
    header: Option<String>,
    /// The credential is the password of this user.
    #[arg(long, value_name = "USER")]
    basic: Option<String>,
    /// A header that goes with every request and is no secret; several times.
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// Requests that are allowed, like "GET,POST /tickets/**"; several times.
    #[arg(long = "allow", required = true, value_name = "METHODS PATH", value_parser = rule)]
    allows: Vec<api::AllowedRequests>,
    /// The id of a user or API client who may use it; several times. Without it: all who may use connections.
    #[arg(long = "caller", value_name = "ID")]
    callers: Vec<String>,
    /// Calls within a minute.
    #[arg(long, default_value_t = 60)]
    per_minute: u32,
    /// How long it works: 90d.
    #[arg(long, default_value = "365d", value_parser = say::parse_secs)]
    lifetime: u32,
    /// A path that answers 2xx to a good credential, and 401 or 403 to any other.
    #[arg(long, value_name = "PATH")]
    check: Option<String>,
    /// The request that replaces the credential: "POST /keys/rotate".
    #[arg(long, value_name = "METHOD PATH", value_parser = one_request, requires = "check")]
    rotate: Option<(api::HttpVerb, String)>,
    /// Days between two replacements.
    #[arg(long, default_value_t = 30, requires = "rotate")]
    rotate_days: u32,
    /// The body of that request: JSON, in whose texts {new} and {old} stand for the credentials.
    #[arg(long, value_name = "JSON", default_value = "", requires = "rotate")]
    rotate_body: String,
    /// Where the vendor's answer has the new credential, where the vendor makes it: /data/token
    #[arg(long, value_name = "POINTER", requires = "rotate")]
    rotate_answer: Option<String>,
    #[command(flatten)]
    agreement: Agreement,
}

impl Add {
    pub(crate) fn run(self: Box<Self>, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let (agreement, mut wanted) = (self.agreement, self.terms());
        let secret = secret()?;
        wanted.secret = Some(secret.to_string());
        let shape = wanted.clone();
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::CreateConnection(frozen) if !frozen.new_credential || frozen.before.is_some() => Err("the kind of action"),
            api::ActionDetails::CreateConnection(frozen) => is_shape(&frozen.after, &shape),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Make the connection {} to {}", one_line(&shape.name), one_line(&shape.base_url)));
        let before: Vec<api::Connection> = client.read_all("/v1/connections", &Query::default())?;
        let guarded = Guarded { screen, agreement, path: "/v1/connections", preview: &preview, expected: &expected };
        guarded.carry_out(client, &wanted)?;
        let after: Vec<api::Connection> = client.read_all("/v1/connections", &Query::default())?;
        let is_new = |one: &&api::Connection| is_shape(&one.shape, &shape).is_ok() && before.iter().all(|old| old.id != one.id);
        let made = after.iter().find(is_new).ok_or_else(|| Failure::Answer("the new connection is not in the list".to_owned()))?;
        screen.give(made, |screen| {
            screen.say_in(Tone::Good, format!("Made {}.", made.id));
            screen.say(format!("Use it: sallyport connections call {:?} GET /...", one_line(&made.shape.name)));
        });
        Ok(Outcome::Done)
    }

    fn terms(self) -> api::WantedConnection {
        let credential = placement(self.header.as_deref(), self.basic).unwrap_or(api::CredentialPlacement::Bearer);
        let (every_days, body) = (self.rotate_days, self.rotate_body);
        let new = self.rotate_answer.map_or(api::SecretSource::Made, |pointer| api::SecretSource::Answer { pointer });
        api::WantedConnection {
            name: self.name,
            base_url: self.url,
            credential,
            secret: None,
            headers: self.headers.into_iter().collect::<BTreeMap<_, _>>(),
            allows: self.allows,
            callers: self.callers.into_iter().collect::<BTreeSet<_>>(),
            per_minute: self.per_minute,
            expires: clock::now().plus_secs(i64::from(self.lifetime)),
            check: self.check,
            rotation: self.rotate.map(|(method, path)| api::RotationHook { every_days, method, path, body, new }),
        }
    }
}

/// Changes a connection; what is not named stays.
#[derive(Args)]
pub(crate) struct Change {
    /// Its name or id, or the end of the id.
    connection: String,
    /// Another name.
    #[arg(long)]
    name: Option<String>,
    /// Where requests go from now on. The credential is asked for anew: it was entrusted for one place.
    #[arg(long)]
    url: Option<String>,
    /// The header that takes the credential, and what stands before it. The credential is asked for anew.
    #[arg(long, conflicts_with_all = ["basic", "bearer"], value_name = "NAME[: PREFIX]")]
    header: Option<String>,
    /// The credential is the password of this user. It is asked for anew.
    #[arg(long, value_name = "USER", conflicts_with = "bearer")]
    basic: Option<String>,
    /// The credential is a bearer token. It is asked for anew.
    #[arg(long)]
    bearer: bool,
    /// It gets another credential, which is asked for, or comes by standard input.
    #[arg(long)]
    credential: bool,
    /// A header that goes with every request from now on; several times.
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "with_none")]
    headers: Vec<(String, String)>,
    /// No headers go with requests from now on.
    #[arg(long)]
    with_none: bool,
    /// Requests that are allowed from now on, like "GET,POST /tickets/**"; several times.
    #[arg(long = "allow", value_name = "METHODS PATH", value_parser = rule)]
    allows: Vec<api::AllowedRequests>,
    /// The id of a user or API client who may use it from now on; several times.
    #[arg(long = "caller", value_name = "ID", conflicts_with = "everybody")]
    callers: Vec<String>,
    /// All who may use connections may use it.
    #[arg(long)]
    everybody: bool,
    /// Calls within a minute.
    #[arg(long)]
    per_minute: Option<u32>,
    /// How long it works from now: 90d.
    #[arg(long, value_parser = say::parse_secs)]
    lifetime: Option<u32>,
    /// A path that answers 2xx to a good credential, and 401 or 403 to any other.
    #[arg(long, value_name = "PATH")]
    check: Option<String>,
    /// Days between two replacements of its credential.
    #[arg(long, conflicts_with = "no_rotation")]
    rotate_days: Option<u32>,
    /// Its credential is not replaced any more.
    #[arg(long)]
    no_rotation: bool,
    #[command(flatten)]
    agreement: Agreement,
}

impl Change {
    pub(crate) fn run(self: Box<Self>, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let one = find(client, &self.connection)?;
        let agreement = self.agreement;
        let is_other = self.credential;
        let mut wanted = self.terms(one.shape.clone())?;
        let elsewhere = wanted.base_url.trim_end_matches('/') != one.shape.base_url || wanted.credential != one.shape.credential;
        if is_other || elsewhere {
            wanted.secret = Some(secret()?.to_string());
        }
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeConnection(frozen) if frozen.connection != one.id => Err("the connection"),
            api::ActionDetails::ChangeConnection(frozen) if frozen.new_credential != wanted.secret.is_some() => Err("its credential"),
            api::ActionDetails::ChangeConnection(frozen) => is_shape(&frozen.after, &wanted),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Change the connection {} to {}", one_line(&wanted.name), one_line(&wanted.base_url)));
        let path = format!("/v1/connections/{}", one.id);
        let guarded = Guarded { screen, agreement, path: &path, preview: &preview, expected: &expected };
        guarded.replace(client, &wanted)?;
        let changed: api::Connection = client.read(&path)?;
        screen.give(&changed, |screen| screen.say_in(Tone::Good, format!("Changed {}.", one_line(&changed.shape.name))));
        Ok(Outcome::Done)
    }

    fn terms(self, now: api::ConnectionShape) -> Result<api::WantedConnection, Failure> {
        let rotation = match (now.rotation, self.rotate_days) {
            _ if self.no_rotation => None,
            (Some(hook), days) => Some(api::RotationHook { every_days: days.unwrap_or(hook.every_days), ..hook }),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Failure::Input("nothing says how its credential is replaced: make another connection".to_owned()));
            }
        };
        let bearer = self.bearer.then_some(api::CredentialPlacement::Bearer);
        Ok(api::WantedConnection {
            name: self.name.unwrap_or(now.name),
            base_url: self.url.unwrap_or(now.base_url),
            credential: placement(self.header.as_deref(), self.basic).or(bearer).unwrap_or(now.credential),
            secret: None,
            headers: if self.with_none || !self.headers.is_empty() { self.headers.into_iter().collect() } else { now.headers },
            allows: if self.allows.is_empty() { now.allows } else { self.allows },
            callers: if self.everybody || !self.callers.is_empty() { self.callers.into_iter().collect() } else { now.callers },
            per_minute: self.per_minute.unwrap_or(now.per_minute),
            expires: self.lifetime.map_or(now.expires, |secs| clock::now().plus_secs(i64::from(secs))),
            check: self.check.or(now.check),
            rotation,
        })
    }
}

/// How the credential goes in, where that is said.
fn placement(header: Option<&str>, basic: Option<String>) -> Option<api::CredentialPlacement> {
    if let Some(user) = basic {
        return Some(api::CredentialPlacement::Basic { user });
    }
    let (name, prefix) = header.map(|header| header.split_once(':').unwrap_or((header, "")))?;
    let prefix = if prefix.trim().is_empty() { String::new() } else { format!("{} ", prefix.trim()) };
    Some(api::CredentialPlacement::Header { name: name.trim().to_owned(), prefix })
}

/// Asked for without an echo; the first line of standard input where nobody types.
fn secret() -> Result<Zeroizing<String>, Failure> {
    const WHAT: &str = "the credential";
    if ask::is_person() { ask::hidden("Credential at the vendor", WHAT) } else { ask::stdin_line(WHAT) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn verb(word: &str) -> Result<api::HttpVerb, String> {
    serde_json::from_value(word.trim().to_ascii_uppercase().into())
        .map_err(|_| format!("{word:?} is no method: GET, POST, PUT, PATCH, DELETE"))
}

fn rule(text: &str) -> Result<api::AllowedRequests, String> {
    let (methods, path) = text.trim().split_once(' ').ok_or("must be methods and a path, like \"GET,POST /tickets/**\"")?;
    let methods = methods.split(',').map(verb).collect::<Result<_, _>>()?;
    Ok(api::AllowedRequests { methods, path: path.trim().to_owned() })
}

fn one_request(text: &str) -> Result<(api::HttpVerb, String), String> {
    let (method, path) = text.trim().split_once(' ').ok_or("must be a method and a path, like \"POST /keys/rotate\"")?;
    Ok((verb(method)?, path.trim().to_owned()))
}

/// Whether frozen terms are those that were asked for; otherwise what differs.
fn is_shape(frozen: &api::ConnectionShape, wanted: &api::WantedConnection) -> Result<(), &'static str> {
    match frozen {
        frozen if frozen.name != wanted.name.trim() => Err("the name"),
        frozen if frozen.base_url != wanted.base_url.trim().trim_end_matches('/') => Err("where it goes"),
        frozen if frozen.credential != wanted.credential => Err("how its credential goes in"),
        frozen if frozen.headers != wanted.headers => Err("its headers"),
        frozen if frozen.allows != wanted.allows => Err("what it allows"),
        frozen if frozen.callers != wanted.callers => Err("who may use it"),
        frozen if frozen.per_minute != wanted.per_minute => Err("its limit"),
        frozen if frozen.expires != wanted.expires => Err("when it ends"),
        frozen if frozen.check != wanted.check => Err("what proves its credential"),
        frozen if frozen.rotation != wanted.rotation => Err("how its credential is replaced"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::Timestamp;

    use super::*;

    fn wanted() -> api::WantedConnection {
        api::WantedConnection {
            name: "PSA".to_owned(),
            base_url: "https://psa.example/api/".to_owned(),
            credential: api::CredentialPlacement::Bearer,
            secret: Some("a-secret-word".to_owned()),
            headers: BTreeMap::new(),
            allows: vec![rule("GET,POST /tickets/**").unwrap()],
            callers: BTreeSet::new(),
            per_minute: 60,
            expires: Timestamp::from_secs(1_790_000_000),
            check: None,
            rotation: None,
        }
    }

    #[test]
    fn whatever_was_frozen_differently_is_named() {
        let frozen = |change: fn(&mut api::ConnectionShape)| {
            let api::WantedConnection { name, credential, headers, allows, callers, per_minute, expires, check, rotation, .. } = wanted();
            let base_url = "https://psa.example/api".to_owned();
            let mut shape =
                api::ConnectionShape { name, base_url, credential, headers, allows, callers, per_minute, expires, check, rotation };
            change(&mut shape);
            is_shape(&shape, &wanted())
        };
        assert_eq!(frozen(|_| {}), Ok(()));
        assert_eq!(frozen(|shape| shape.name.push('x')), Err("the name"));
        assert_eq!(frozen(|shape| shape.base_url.push('x')), Err("where it goes"));
        assert_eq!(
            frozen(|shape| shape.credential = api::CredentialPlacement::Basic { user: "x".into() }),
            Err("how its credential goes in")
        );
        assert_eq!(frozen(|shape| shape.allows[0].path.push('x')), Err("what it allows"));
        assert_eq!(frozen(|shape| shape.callers = BTreeSet::from(["usr_x".into()])), Err("who may use it"));
        assert_eq!(frozen(|shape| shape.per_minute += 1), Err("its limit"));
        assert_eq!(frozen(|shape| shape.expires = shape.expires.plus_secs(1)), Err("when it ends"));
        assert_eq!(frozen(|shape| shape.check = Some("/me".into())), Err("what proves its credential"));
    }

    #[test]
    fn rules_are_read_from_a_line() {
        let read = rule(" get,DELETE  /tickets/* ").unwrap();
        assert_eq!((read.methods.len(), read.path.as_str()), (2, "/tickets/*"));
        assert!(rule("/tickets").is_err() && rule("FETCH /tickets").is_err());
        assert_eq!(one_request("post /keys").unwrap(), (api::HttpVerb::Post, "/keys".to_owned()));
        assert_eq!(pair("clientId=abc=d").unwrap(), ("clientId".to_owned(), "abc=d".to_owned()));
    }
}
