//! `sallyport licence issue`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use sallyport_api as api;
use sallyport_model::Digest;

use super::clients::find;
use super::licence::keep;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::tool::digest_of;
use crate::{clock, say};

/// Asks for a licence.
#[derive(Args)]
pub(crate) struct Issue {
    /// The API client that it lets in: name or id, or the end of the id.
    #[arg(long)]
    client: String,
    /// What the tool is called.
    #[arg(long)]
    tool: String,
    /// Who makes it.
    #[arg(long)]
    publisher: String,
    /// The first version that may run.
    #[arg(long, default_value = "0")]
    from: String,
    /// The first version that is too new.
    #[arg(long)]
    below: String,
    /// A program that may run, which is measured here; several times.
    #[arg(long = "executable", value_name = "FILE", required_unless_present = "sha256")]
    executables: Vec<PathBuf>,
    /// SHA-256 of a program that may run, where it is not on this computer; several times.
    #[arg(long, value_name = "DIGEST")]
    sha256: Vec<Digest>,
    /// A script that the program may be given, which is measured here; several times. Without one, the program reads what it likes.
    #[arg(long = "script", value_name = "FILE")]
    scripts: Vec<PathBuf>,
    /// What it may do, of what its client may do; several times [default: all of it].
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// A host that it may run on: a name, and what `sallyport tool host-key` printed there, as build-1=tpm:02ab...; several times.
    #[arg(long = "host", value_name = "NAME=KEY", required = true, value_parser = host)]
    hosts: Vec<api::LicenceHost>,
    /// Every host's key must be in its TPM.
    #[arg(long)]
    require_tpm: bool,
    /// How long it lasts: 24h, 90d.
    #[arg(long, default_value = "90d", value_parser = say::parse_secs)]
    lifetime: u32,
    /// Where the licence is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    agreement: Agreement,
}

fn host(text: &str) -> Result<api::LicenceHost, &'static str> {
    let wrong = "must be a name and a key, as build-1=tpm:02ab...";
    let (name, key) = text.split_once('=').ok_or(wrong)?;
    let (kind, key) = key.split_once(':').ok_or(wrong)?;
    let kind = match kind {
        "tpm" => api::HostKeyKind::Tpm,
        "file" => api::HostKeyKind::File,
        _ => return Err(wrong),
    };
    Ok(api::LicenceHost { name: name.to_owned(), kind, key: key.to_owned() })
}

impl Issue {
    pub(crate) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let of = find(client, &self.client)?;
        let wanted = self.wanted(&of)?;
        let issued = Cell::new(None);
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::IssueLicence(frozen) if frozen.client != of.id => Err("the client"),
            api::ActionDetails::IssueLicence(frozen) => {
                issued.set(Some(frozen.licence));
                is_wanted(&frozen.terms, &wanted)
            }
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Issue a licence for {} to {}", one_line(&self.tool), one_line(&of.shape.name)));
        let path = format!("/v1/clients/{}/licences", of.id);
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        guarded.carry_out(client, &wanted)?;
        // A class that a window never covers: there was a request, and it said which licence.
        let id = issued.get().ok_or_else(|| Failure::Answer("the licence was issued without a request".to_owned()))?;
        keep(client, &id, &self.out)?;
        let one: api::Licence = client.read(&format!("/v1/licences/{id}"))?;
        screen.give(&one, |screen| {
            screen.say_in(Tone::Good, format!("Issued {id}: {}.", self.out.display()));
            screen.say("It is no secret: bring it to its hosts, and give it to `sallyport tool exec` with --licence.");
        });
        Ok(Outcome::Done)
    }

    fn wanted(&self, of: &api::ApiClient) -> Result<api::NewLicence, Failure> {
        let scopes: BTreeSet<String> = self.scopes.iter().cloned().collect();
        let measured = |paths: &[PathBuf]| paths.iter().map(|path| digest_of(path)).collect::<Result<Vec<_>, _>>();
        let mut executables = measured(&self.executables)?;
        executables.extend(&self.sha256);
        Ok(api::NewLicence {
            tool: self.tool.clone(),
            publisher: self.publisher.clone(),
            from: self.from.clone(),
            below: self.below.clone(),
            executables,
            scripts: measured(&self.scripts)?,
            scopes: if scopes.is_empty() { of.shape.scopes.clone() } else { scopes },
            hosts: self.hosts.clone(),
            host_keys: if self.require_tpm { api::HostKeyRule::Tpm } else { api::HostKeyRule::Any },
            expires: clock::now().plus_secs(i64::from(self.lifetime)),
        })
    }
}

/// Whether the server froze what was asked for; otherwise what differs.
fn is_wanted(frozen: &api::LicenceTerms, wanted: &api::NewLicence) -> Result<(), &'static str> {
    match frozen {
        frozen if frozen.tool != wanted.tool.trim() || frozen.publisher != wanted.publisher.trim() => Err("the tool"),
        frozen if frozen.from != wanted.from.trim() || frozen.below != wanted.below.trim() => Err("the versions"),
        frozen if frozen.executables != wanted.executables => Err("the executables"),
        frozen if frozen.scripts != wanted.scripts => Err("the scripts"),
        frozen if frozen.scopes != wanted.scopes => Err("the scopes"),
        frozen if frozen.hosts != wanted.hosts || frozen.host_keys != wanted.host_keys => Err("the hosts"),
        frozen if frozen.expires != wanted.expires => Err("when it ends"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::Timestamp;

    use super::*;

    fn wanted() -> api::NewLicence {
        api::NewLicence {
            tool: "Report".to_owned(),
            publisher: "Nordwind".to_owned(),
            from: "1".to_owned(),
            below: "2".to_owned(),
            executables: vec![Digest::from_bytes([1; 32])],
            scripts: Vec::new(),
            scopes: BTreeSet::from(["devices.read".to_owned()]),
            hosts: vec![host("build-1=tpm:02ab").unwrap()],
            host_keys: api::HostKeyRule::Tpm,
            expires: Timestamp::from_secs(1_790_000_000),
        }
    }

    #[test]
    fn whatever_was_frozen_differently_is_named() {
        let frozen = |change: fn(&mut api::LicenceTerms)| {
            let api::NewLicence { tool, publisher, from, below, executables, scripts, scopes, hosts, host_keys, expires } = wanted();
            let mut terms = api::LicenceTerms { tool, publisher, from, below, executables, scripts, scopes, hosts, host_keys, expires };
            change(&mut terms);
            is_wanted(&terms, &wanted())
        };
        assert_eq!(frozen(|_| {}), Ok(()));
        assert_eq!(frozen(|terms| terms.publisher.push('x')), Err("the tool"));
        assert_eq!(frozen(|terms| terms.below.push('0')), Err("the versions"));
        assert_eq!(frozen(|terms| terms.executables.push(Digest::from_bytes([2; 32]))), Err("the executables"));
        assert_eq!(frozen(|terms| terms.scripts.push(Digest::from_bytes([2; 32]))), Err("the scripts"));
        assert_eq!(frozen(|terms| terms.scopes = BTreeSet::new()), Err("the scopes"));
        assert_eq!(frozen(|terms| terms.hosts[0].kind = api::HostKeyKind::File), Err("the hosts"));
        assert_eq!(frozen(|terms| terms.host_keys = api::HostKeyRule::Any), Err("the hosts"));
        assert_eq!(frozen(|terms| terms.expires = terms.expires.plus_secs(1)), Err("when it ends"));
    }

    #[test]
    fn a_host_is_a_name_with_a_key_of_a_kind() {
        assert_eq!(host("a=b=file:02").map(|host| host.name), Err("must be a name and a key, as build-1=tpm:02ab..."));
        assert_eq!(host("build-1=file:02ab").unwrap().kind, api::HostKeyKind::File);
        for wrong in ["", "build-1", "build-1=02ab", "build-1=usb:02ab"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
