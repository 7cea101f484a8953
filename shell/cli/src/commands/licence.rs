//! `sallyport licence`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sallyport_api as api;
use sallyport_grant::AuthorityPin;
use sallyport_grant::body::LicenceBody;
use sallyport_grant::licence::Licence;
use sallyport_model::Timestamp;
use serde_json::json;
use ureq::http::Method;

use super::clients::find;
use super::licence_issue::Issue;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::tool::{digest_of, licence_bytes};
use crate::{Common, clock, say};

#[derive(Args)]
pub struct Licences {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Ask for a licence, and keep it as a file once it is issued.
    Issue(Box<Issue>),
    /// List the licences of an API client, the newest first.
    List {
        /// The client's name or id, or the end of the id.
        client: String,
    },
    /// Show an issued licence; with --out, keep its file.
    Show {
        /// Its id.
        licence: String,
        /// Where its file is written.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Revoke a licence for good: the tokens that stand on it end at once.
    Revoke {
        /// Its id.
        licence: String,
    },
    /// Check a licence's file here, without a server. Ends with 5 where it does not hold.
    ///
    /// The signature is checked up to the authority whose pin you give; without one, up to the authority that the file itself names, which
    /// says whose it claims to be and not more. That a licence was revoked, the server alone knows.
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// The licence.
    file: PathBuf,
    /// The authority's pin, from the authority kit or `sallyport-agent status`.
    #[arg(long)]
    pin: Option<String>,
    /// A program: is it one that the licence names?
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
    /// A script: is it one that the licence names?
    #[arg(long, value_name = "FILE", requires = "executable")]
    script: Option<PathBuf>,
}

impl Licences {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        match self.what {
            What::Verify(verify) => verify.run(self.common.screen()),
            What::Issue(issue) => {
                let (mut client, screen) = self.common.desk()?;
                issue.run(&mut client, screen)
            }
            What::List { client: wanted } => {
                let (mut client, screen) = self.common.desk()?;
                list(&mut client, screen, &wanted)
            }
            What::Show { licence, out } => {
                let (mut client, screen) = self.common.desk()?;
                show(&mut client, screen, &licence, out)
            }
            What::Revoke { licence } => {
                let (mut client, screen) = self.common.desk()?;
                client.act(Method::POST, &format!("/v1/licences/{}/revoke", id(&licence)?))?;
                screen.give(&json!({ "revoked": licence }), |screen| {
                    screen.say("Revoked: the tokens that stood on it are over.");
                });
                Ok(Outcome::Done)
            }
        }
    }
}

/// An id and nothing else comes into a path.
fn id(text: &str) -> Result<sallyport_model::LicenceId, Failure> {
    text.parse().map_err(|_| Failure::Unknown { what: "licence", wanted: text.to_owned() })
}

fn list(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let of = find(client, wanted)?;
    let licences: api::Licences = client.read(&format!("/v1/clients/{}/licences", of.id))?;
    let now = clock::now();
    screen.give(&licences, |screen| {
        let rows = licences.items.iter().map(|one| {
            let (word, tone) = state(one.state);
            vec![
                Word::toned(word, tone),
                Word::new(format!("{} {} to {}", one.terms.tool, one.terms.from, one.terms.below)),
                Word::new(one.terms.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" ")),
                Word::new(one.terms.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
                Word::new(say::relative_or_dash(one.last_used, now)),
                Word::new(say::relative(one.terms.expires, now)),
                Word::toned(one.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["STATE", "TOOL", "HOSTS", "SCOPES", "LAST USED", "EXPIRES", "ID"],
            rows.collect(),
            "No licences of this client: `sallyport licence issue` asks for one.",
        );
    });
    Ok(Outcome::Done)
}

fn state(state: api::LicenceState) -> (&'static str, Tone) {
    match state {
        api::LicenceState::Valid => ("valid", Tone::Good),
        api::LicenceState::ExpiringSoon => ("expires soon", Tone::Waiting),
        api::LicenceState::Expired => ("expired", Tone::Quiet),
        api::LicenceState::Revoked => ("revoked", Tone::Bad),
    }
}

fn show(client: &mut Client, screen: Screen, licence: &str, out: Option<PathBuf>) -> Result<Outcome, Failure> {
    let (id, now) = (id(licence)?, clock::now());
    let one: api::Licence = client.read(&format!("/v1/licences/{id}"))?;
    if let Some(path) = &out {
        keep(client, &one.id, path)?;
    }
    screen.give(&one, |screen| {
        let (word, tone) = state(one.state);
        screen.facts(&[
            ("state", screen.painted(tone, word)),
            ("client", one.client.to_string()),
            ("issued", format!("by {}, {}", one_line(&one.issued_by), say::relative(one.issued, now))),
            ("revoked", one.revoked_by.as_deref().map(|by| format!("by {}", one_line(by))).unwrap_or_default()),
            ("last used", say::relative_or_dash(one.last_used, now)),
            ("on", one.last_host.as_deref().map(one_line).unwrap_or_default()),
        ]);
        terms(screen, &one.terms);
    });
    Ok(Outcome::Done)
}

/// Writes an issued licence's file.
pub(super) fn keep(client: &mut Client, id: &sallyport_model::LicenceId, path: &Path) -> Result<(), Failure> {
    let file: api::LicenceFile = client.read(&format!("/v1/licences/{id}/file"))?;
    std::fs::write(path, file.file).map_err(|why| Failure::File { path: path.to_owned(), why })
}

/// What a licence says.
pub(crate) fn terms(screen: Screen, terms: &api::LicenceTerms) {
    let all = |digests: &[sallyport_model::Digest]| digests.iter().map(say::groups).collect::<Vec<_>>().join("\n");
    let host = |host: &api::LicenceHost| {
        let kind = if host.kind == api::HostKeyKind::Tpm { "tpm" } else { "file" };
        format!("{} ({kind}:{})", one_line(&host.name), one_line(&host.key))
    };
    screen.facts(&[
        ("tool", format!("{} by {}", one_line(&terms.tool), one_line(&terms.publisher))),
        ("versions", format!("from {} up to, and not with, {}", one_line(&terms.from), one_line(&terms.below))),
        ("executable", all(&terms.executables)),
        ("script", if terms.scripts.is_empty() { "any".to_owned() } else { all(&terms.scripts) }),
        ("scopes", terms.scopes.iter().map(|word| one_line(word)).collect::<Vec<_>>().join(" ")),
        ("hosts", terms.hosts.iter().map(host).collect::<Vec<_>>().join("\n")),
        ("host keys", if terms.host_keys == api::HostKeyRule::Tpm { "in a TPM" } else { "in a TPM or a file" }.to_owned()),
        ("expires", say::relative(terms.expires, clock::now())),
    ]);
}

impl Verify {
    fn run(self, screen: Screen) -> Result<Outcome, Failure> {
        let now = clock::now();
        let failed = |why: String| Failure::Licence(why);
        let pin = self.pin.as_deref().map(super::verify::parse_pin).transpose()?;
        let licence =
            Licence::verify(&licence_bytes(&self.file)?, pin.map(AuthorityPin), now).map_err(|error| failed(error.to_string()))?;
        licence.stands(now).map_err(|error| failed(error.to_string()))?;
        let executable = self.executable.as_deref().map(digest_of).transpose()?;
        let script = self.script.as_deref().map(digest_of).transpose()?;
        if let Some(executable) = &executable {
            licence.names(executable, script.as_ref()).map_err(|error| failed(error.to_string()))?;
        }
        let document = json!({
            "holds": true, "pin_was_given": pin.is_some(), "executable": executable, "script": script, "digest": licence.digest(),
            "licence": licence.body(),
        });
        screen.give(&document, |screen| tell(screen, licence.body(), pin.is_some(), (executable.is_some(), now)));
        Ok(Outcome::Done)
    }
}

fn tell(screen: Screen, body: &LicenceBody, pinned: bool, (measured, now): (bool, Timestamp)) {
    let program = if measured { ", and it names this program" } else { "" };
    screen.say_in(Tone::Good, format!("The licence holds: the tenant's key signed it{program}."));
    screen.facts(&[
        ("tool", format!("{} by {}", one_line(body.tool.as_str()), one_line(body.publisher.as_str()))),
        ("versions", format!("from {} up to, and not with, {}", body.versions.from, body.versions.below)),
        ("scopes", body.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        (
            "hosts",
            body.hosts
                .iter()
                .map(|host| format!("{} ({})", one_line(host.name.as_str()), host.kind.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("expires", say::relative(body.expires, now)),
        ("pin", say::groups(&body.authority_pin)),
        ("client", body.client.to_string()),
        ("id", body.id.to_string()),
    ]);
    if !pinned {
        screen.say("The pin came from the file. Compare it with the authority kit or `sallyport-agent status`, and give it with --pin.");
    }
    screen.say_in(Tone::Quiet, format!("Whether it was revoked, the server knows: sallyport licence show {}", body.id));
}
