//! `sallyport clients`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sallyport_api as api;
use sallyport_model::Timestamp;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::origin::Origin;
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::tool::{KeyFile, public_jwk};
use crate::{Common, clock, lookup, say};

use super::client_shape::{Change, is_shape};
use super::login::trusted;

#[derive(Args)]
pub struct Clients {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List API clients, the newest first; the same as no command.
    List,
    /// Make a key where the tool runs, and print its public half. The key never leaves this computer.
    Keygen {
        /// A name, or a path for the file.
        key: String,
    },
    /// Ask for an API client in your own name.
    Create(Create),
    /// Say of which API client a key is, where the client was made elsewhere.
    Bind {
        /// The name or path given to keygen.
        key: String,
        /// The server's address.
        #[arg(long)]
        server: String,
        /// The client's id.
        #[arg(long)]
        client: String,
        /// A file of certificates that are trusted besides the system's.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Show an API client.
    Show {
        /// Its name or id, or the end of the id.
        client: String,
    },
    /// Ask for another shape of an API client: what it may do, from where, until when. What is not named stays.
    Change(Change),
    /// Stop an API client for good, with its tokens and open requests.
    Stop {
        /// Its name or id, or the end of the id.
        client: String,
    },
}

#[derive(Args)]
struct Create {
    /// What people call it.
    #[arg(long)]
    name: String,
    /// The key: a name or path given to keygen on this computer.
    #[arg(long)]
    key: String,
    /// What it may do; several times. `sallyport clients list --json` says what there is.
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// A range of addresses that it works from; several times.
    #[arg(long = "network", required = true)]
    networks: Vec<String>,
    /// How long it works: 24h, 90d.
    #[arg(long, default_value = "90d", value_parser = say::parse_secs)]
    lifetime: u32,
    /// Its key stays, for tools that cannot replace it each day.
    #[arg(long)]
    keep_key: bool,
    /// It needs a licence for each token: `sallyport licence issue` makes them.
    #[arg(long)]
    needs_licence: bool,
    #[command(flatten)]
    agreement: Agreement,
}

impl Clients {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        match self.what {
            None | Some(What::List) => {
                let (mut client, screen) = self.common.desk()?;
                list(&mut client, screen)
            }
            Some(What::Keygen { key }) => keygen(self.common.screen(), &key),
            Some(What::Bind { key, server, client, ca }) => bind(self.common.screen(), &key, &server, &client, ca),
            Some(What::Create(create)) => {
                let (mut client, screen) = self.common.desk()?;
                create.run(&mut client, screen)
            }
            Some(What::Show { client: wanted }) => {
                let (mut client, screen) = self.common.desk()?;
                show(&mut client, screen, &wanted)
            }
            Some(What::Change(change)) => {
                let (mut client, screen) = self.common.desk()?;
                let one = find(&mut client, &change.client)?;
                change.run(&mut client, screen, one)
            }
            Some(What::Stop { client: wanted }) => {
                let (mut client, screen) = self.common.desk()?;
                stop(&mut client, screen, &wanted)
            }
        }
    }
}

fn keygen(screen: Screen, name: &str) -> Result<Outcome, Failure> {
    let file = KeyFile::generate(KeyFile::place(name))?;
    let jwk = public_jwk(&file.key()?);
    screen.give(&jwk, |screen| {
        screen.say(serde_json::to_string(&jwk).unwrap_or_default());
        screen.say_in(Tone::Quiet, format!("The private half is in {}, for you alone.", file.path().display()));
    });
    Ok(Outcome::Done)
}

fn bind(screen: Screen, name: &str, server: &str, client: &str, ca: Option<PathBuf>) -> Result<Outcome, Failure> {
    let mut file = KeyFile::load(KeyFile::place(name))?;
    let origin = Origin::parse(server)?.to_string();
    file.bind(&origin, client, trusted(ca.as_ref(), None)?)?;
    screen.give(&json!({ "client": client, "server": origin }), |screen| {
        screen.say(format!("{} is of {client} at {origin}.", file.path().display()));
    });
    Ok(Outcome::Done)
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let clients: api::ApiClients = client.read_whole("/v1/clients")?;
    let now = clock::now();
    screen.give(&clients, |screen| {
        let rows = clients.items.iter().map(|one| {
            let (word, tone) = state(one);
            vec![
                Word::new(&one.shape.name),
                Word::toned(word, tone),
                Word::new(one.shape.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
                Word::new(&one.owner_name),
                Word::new(one.shape.networks.join(" ")),
                Word::new(say::relative_or_dash(one.last_used, now)),
                Word::new(say::relative(one.shape.expires, now)),
                Word::toned(one.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["NAME", "STATE", "SCOPES", "OWNER", "NETWORKS", "LAST USED", "EXPIRES", "ID"],
            rows.collect(),
            "No API clients yet: `sallyport clients create` asks for one.",
        );
    });
    Ok(Outcome::Done)
}

fn state(one: &api::ApiClient) -> (&'static str, Tone) {
    match one.state {
        api::ApiClientState::Active => ("works", Tone::Good),
        api::ApiClientState::KeyDue => ("key is due", Tone::Waiting),
        api::ApiClientState::Stopped => ("stopped", Tone::Bad),
        api::ApiClientState::Expired => ("expired", Tone::Quiet),
        api::ApiClientState::OwnerOver => ("owner left", Tone::Bad),
    }
}

pub(super) fn find(client: &mut Client, wanted: &str) -> Result<api::ApiClient, Failure> {
    lookup::named(client, ("/v1/clients", "API client"), wanted, |one: &api::ApiClient| (one.id.to_string(), one.shape.name.as_str()))
}

fn show(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let (one, now) = (find(client, wanted)?, clock::now());
    screen.give(&one, |screen| {
        screen.say(one_line(&one.shape.name));
        let (word, tone) = state(&one);
        screen.facts(&[
            ("state", screen.painted(tone, word)),
            ("why", one.stopped_why.as_deref().map(one_line).unwrap_or_default()),
            ("scopes", one.shape.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
            ("owner", one_line(&one.owner_name)),
            ("networks", one.shape.networks.join(" ")),
            ("expires", say::relative(one.shape.expires, now)),
            ("last used", say::relative_or_dash(one.last_used, now)),
            ("from", one.last_address.clone().unwrap_or_default()),
            ("licence", if one.shape.licence == api::LicenceRule::Needed { "needed for each token" } else { "not needed" }.to_owned()),
            ("last refusal", one.last_refusal.as_ref().map(|refused| refusal(refused, now)).unwrap_or_default()),
            ("key since", say::relative(one.key_created, now)),
            ("id", one.id.to_string()),
        ]);
    });
    Ok(Outcome::Done)
}

fn refusal(refused: &api::LicenceRefused, now: Timestamp) -> String {
    format!("{}, from {}, {}", one_line(&refused.why), one_line(&refused.address), say::relative(refused.at, now))
}

fn stop(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    client.act(Method::POST, &format!("/v1/clients/{}/stop", one.id))?;
    screen.give(&json!({ "stopped": one.id }), |screen| {
        screen.say(format!("Stopped {}: its tokens and open requests are over with it.", one_line(&one.shape.name)));
    });
    Ok(Outcome::Done)
}

impl Create {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let mut file = KeyFile::load(KeyFile::place(&self.key))?;
        let body = api::NewApiClient {
            name: self.name.clone(),
            scopes: self.scopes.iter().cloned().collect(),
            networks: self.networks.clone(),
            expires: clock::now().plus_secs(i64::from(self.lifetime)),
            key: public_jwk(&file.key()?),
            rotation: if self.keep_key { api::KeyRotation::ByHand } else { api::KeyRotation::Daily },
            licence: if self.needs_licence { api::LicenceRule::Needed } else { api::LicenceRule::NotNeeded },
        };
        let before: Vec<api::ApiClient> = client.read_all("/v1/clients", &Query::default())?;
        let api::NewApiClient { name, scopes, networks, expires, rotation, licence, .. } = body.clone();
        let shape = api::ChangeApiClient { name, scopes, networks, expires, rotation, licence: Some(licence) };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::CreateClient(frozen) if frozen.key.as_ref() != Some(&body.key) => Err("the key"),
            api::ActionDetails::CreateClient(frozen) => is_shape(&frozen.after, &shape),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Make the API client {}", one_line(&self.name)));
        let guarded = Guarded { screen, agreement: self.agreement, path: "/v1/clients", preview: &preview, expected: &expected };
        guarded.carry_out(client, &body)?;
        let after: Vec<api::ApiClient> = client.read_all("/v1/clients", &Query::default())?;
        let is_new = |one: &&api::ApiClient| one.key == body.key && before.iter().all(|old| old.id != one.id);
        let made = after.iter().find(is_new).ok_or_else(|| Failure::Answer("the new client is not in the list".to_owned()))?;
        file.bind(&client.server(), &made.id.to_string(), client.ca())?;
        screen.give(made, |screen| {
            screen.say_in(Tone::Good, format!("Made {}.", made.id));
            screen.say(format!("Use it: sallyport tool exec --client {} -- COMMAND", self.key));
        });
        Ok(Outcome::Done)
    }
}
