//! `sallyport factors`: what one proves oneself with.

mod changes;

pub(crate) use changes::show_key;
use changes::{Add, CheckUp, Remove};
use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

const LIST: &str = "/v1/me/factors";

#[derive(Args)]
pub struct Factors {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List your authenticators and passkeys; the same as no command.
    List,
    /// Set up one more authenticator app. Passkeys are added in the console: they need a browser.
    Add(Add),
    /// Give a factor another name.
    Rename {
        /// Its name or its id.
        factor: String,
        /// What it is called from now on.
        name: String,
    },
    /// Remove a factor; never the last one.
    Remove(Remove),
    /// Show that your authenticator still works, before it is needed. Authorizes nothing.
    CheckUp(CheckUp),
    /// Replace all recovery codes by ten new ones, shown once.
    RecoveryCodes {
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Stop the reset of your factor that somebody asked for.
    StopReset,
    /// List the addresses that you approved for signing in.
    Addresses,
    /// Take the approval of an address back.
    ForgetAddress {
        /// The address.
        address: String,
    },
}

impl Factors {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what.unwrap_or(What::List) {
            What::List => list(&mut client, screen),
            What::Add(add) => add.run(&mut client, screen),
            What::Rename { factor, name } => rename(&mut client, screen, &factor, name),
            What::Remove(remove) => remove.run(&mut client, screen),
            What::CheckUp(check_up) => check_up.run(&mut client, screen),
            What::RecoveryCodes { agreement } => recovery_codes(&mut client, screen, agreement),
            What::StopReset => {
                client.act(Method::DELETE, "/v1/me/held-reset")?;
                screen.give(&json!({ "stopped": true }), |screen| screen.say_in(Tone::Good, "Stopped: your factor stays."));
                Ok(Outcome::Done)
            }
            What::Addresses => addresses(&mut client, screen),
            What::ForgetAddress { address } => {
                client.act(Method::DELETE, &format!("/v1/me/addresses/{}", path_part(&address)?))?;
                screen
                    .give(&json!({ "forgotten": address }), |screen| screen.say(format!("{} is approved no longer.", one_line(&address))));
                Ok(Outcome::Done)
            }
        }
    }
}

/// An address as a part of a path.
fn path_part(address: &str) -> Result<String, Failure> {
    address.parse::<std::net::IpAddr>().map(|address| address.to_string()).map_err(|_| Failure::Input(format!("{address} is no address")))
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let factors: Vec<api::Factor> = client.read_all(LIST, &Query::default())?;
    let now = clock::now();
    screen.give(&factors, |screen| {
        let rows = factors.iter().map(|factor| {
            let (state, tone) = state(factor, now);
            vec![
                Word::new(&factor.name),
                Word::new(kind(factor)),
                Word::toned(state, tone),
                Word::new(say::relative_or_dash(factor.last_used, now)),
                Word::toned(factor.id.to_string(), Tone::Quiet),
            ]
        });
        screen.table(&["NAME", "KIND", "STATE", "LAST USED", "ID"], rows.collect());
    });
    Ok(Outcome::Done)
}

/// What it is, and whether it lives on one device or in its maker's cloud: the console says the same.
fn kind(factor: &api::Factor) -> &'static str {
    match &factor.passkey {
        None => "authenticator app",
        Some(passkey) if passkey.backed_up => "passkey, synced by its maker",
        Some(passkey) if passkey.backup_eligible => "passkey, may be synced, is not yet",
        Some(passkey) if passkey.transports.iter().any(|way| way == "usb") => "passkey, on a security key",
        Some(_) => "passkey, on one device",
    }
}

fn state(factor: &api::Factor, now: sallyport_model::Timestamp) -> (String, Tone) {
    match factor.counts_from.filter(|from| *from > now) {
        _ if factor.locked => ("locked".to_owned(), Tone::Bad),
        Some(from) => (format!("counts for guarded actions {}", say::relative(from, now)), Tone::Waiting),
        None => ("active".to_owned(), Tone::Good),
    }
}

/// A factor by name or id.
fn find(client: &mut Client, wanted: &str) -> Result<api::Factor, Failure> {
    let factors: Vec<api::Factor> = client.read_all(LIST, &Query::default())?;
    lookup::one_of(factors, "factor", wanted, |factor| (factor.id.to_string(), &factor.name))
}

fn rename(client: &mut Client, screen: Screen, wanted: &str, name: String) -> Result<Outcome, Failure> {
    let factor = find(client, wanted)?;
    client.tell(Method::PATCH, &format!("{LIST}/{}", factor.id), &api::RenameFactor { name: name.clone() })?;
    screen.give(&json!({ "renamed": factor.id, "name": name }), |screen| {
        screen.say(format!("{} is called {} now.", one_line(&factor.name), one_line(&name)));
    });
    Ok(Outcome::Done)
}

fn recovery_codes(client: &mut Client, screen: Screen, agreement: Agreement) -> Result<Outcome, Failure> {
    let expected = |action: &api::ActionDetails| match action {
        api::ActionDetails::RegenerateRecoveryCodes => Ok(()),
        _ => Err("the kind of action"),
    };
    let preview = || screen.say("Replace all your recovery codes");
    let guarded = Guarded { screen, agreement, path: "/v1/me/recovery-codes", preview: &preview, expected: &expected };
    let result = guarded.plainly(Method::POST, client)?;
    screen.give(&result, |screen| {
        if let api::ActionResult::RecoveryCodes(codes) = &result {
            screen.say_in(Tone::Good, "Your new recovery codes, shown once. The old ones are dead. Keep them off this computer.");
            codes.recovery_codes.iter().for_each(|code| screen.say(one_line(code)));
        }
    });
    Ok(Outcome::Done)
}

fn addresses(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let addresses: Vec<api::ApprovedAddress> = client.read_all("/v1/me/addresses", &Query::default())?;
    let now = clock::now();
    screen.give(&addresses, |screen| {
        let rows = addresses.iter().map(|one| {
            vec![
                Word::new(&one.address),
                Word::new(one.place.as_deref().unwrap_or("-")),
                Word::new(&one.user_agent),
                Word::new(say::relative(one.approved, now)),
                Word::toned(say::relative_or_dash(one.last_used, now), Tone::Quiet),
            ]
        });
        screen.list(
            &["ADDRESS", "PLACE", "APPROVED FOR", "WHEN", "LAST USED"],
            rows.collect(),
            "No address was approved: sign-ins from new ones are not asked about, or none came.",
        );
    });
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use sallyport_model::{FactorId, Timestamp};

    use super::*;

    fn passkey(backup_eligible: bool, backed_up: bool, way: &str) -> api::Factor {
        let made = Timestamp::from_secs(1_790_000_000);
        let details = api::PasskeyFacts { backup_eligible, backed_up, transports: vec![way.to_owned()], aaguid: String::new() };
        api::Factor {
            id: FactorId::new(made, [7; 10]),
            kind: "passkey".to_owned(),
            name: "Laptop".to_owned(),
            created: made,
            last_used: None,
            locked: false,
            counts_from: None,
            passkey: Some(details),
        }
    }

    #[test]
    fn wa_06_a_passkey_is_called_synced_only_where_it_is() {
        assert_eq!(kind(&passkey(true, true, "internal")), "passkey, synced by its maker");
        assert_eq!(kind(&passkey(true, false, "internal")), "passkey, may be synced, is not yet");
        assert_eq!(kind(&passkey(false, false, "internal")), "passkey, on one device");
        assert_eq!(kind(&passkey(false, false, "usb")), "passkey, on a security key");
        assert_eq!(kind(&api::Factor { passkey: None, ..passkey(false, false, "internal") }), "authenticator app");
    }
}
