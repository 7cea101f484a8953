//! `sallyport installers`.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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

#[derive(Args)]
pub struct Installers {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List installers, the newest first; the same as no command.
    List,
    /// Make an installer and write its enrolment file.
    Create(Create),
    /// End an installer before its time.
    Revoke {
        /// Its id, or the end of it.
        installer: String,
    },
}

#[derive(Args)]
struct Create {
    /// The site that new devices land in: name, id, or CUSTOMER/SITE.
    #[arg(long)]
    site: String,
    /// Where to write the enrolment file, for its owner alone. It lets devices in: keep it like a key.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What people call it.
    #[arg(long, default_value = "Command line")]
    label: String,
    /// How many devices may enrol with it.
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// How long it works: 90m, 24h, 7d.
    #[arg(long, default_value = "24h", value_parser = say::parse_secs)]
    lifetime: u32,
    /// The only network that devices may enrol from (CIDR).
    #[arg(long)]
    network: Option<String>,
    /// The devices' platform.
    #[arg(long, default_value = "linux")]
    platform: String,
    #[command(flatten)]
    agreement: Agreement,
}

impl Installers {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::Create(create)) => create.run(&mut client, screen),
            Some(What::Revoke { installer }) => revoke(&mut client, screen, &installer),
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let installers: Vec<api::Installer> = client.read_all("/v1/installers", &Query::default())?;
    let now = clock::now();
    screen.give(&installers, |screen| {
        let rows = installers.iter().map(|installer| {
            let (word, tone) = match installer.revoked {
                Some(at) => (format!("revoked {}", say::relative(at, now)), Tone::Bad),
                None if installer.expires <= now => ("expired".to_owned(), Tone::Quiet),
                None if installer.used >= installer.uses => ("used up".to_owned(), Tone::Quiet),
                None => (format!("expires {}", say::relative(installer.expires, now)), Tone::Good),
            };
            vec![
                Word::new(&installer.label),
                Word::toned(word, tone),
                Word::new(format!("{}/{}", installer.used, installer.uses)),
                Word::new(format!("{} / {}", installer.customer_name, installer.site_name)),
                Word::new(format!("{} by {}", say::relative(installer.created, now), installer.created_by)),
                Word::toned(installer.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["LABEL", "STATE", "USED", "PLACE", "MADE", "ID"],
            rows.collect(),
            "No installers yet: `sallyport installers create` makes one, and devices enrol with it.",
        );
    });
    Ok(Outcome::Done)
}

impl Create {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let place = lookup::site(client, &self.site)?;
        // Before a code is spent: a file that cannot be written would lose the installer, which is shown once.
        let file = new_private(&self.out)?;
        let made = self.make(client, screen, &place).and_then(|made| write(file, &self.out, &made).map(|()| made));
        let made = made.inspect_err(|_| {
            // Only our own empty file; the failure that is told is the one that matters.
            let _ = fs::remove_file(&self.out);
        })?;
        let document = json!({ "installer": made.installer, "file": self.out });
        screen.give(&document, |screen| {
            screen.say_in(Tone::Good, format!("Wrote {}.", self.out.display()));
            screen.say("On the device, as root: sallyport-agent enrol FILE");
            screen.facts(&[
                ("installer", made.installer.id.to_string()),
                ("works until", say::relative(made.installer.expires, clock::now())),
            ]);
        });
        Ok(Outcome::Done)
    }

    fn make(&self, client: &mut Client, screen: Screen, place: &lookup::Place) -> Result<api::CreatedInstaller, Failure> {
        let body = api::NewInstaller {
            label: self.label.clone(),
            site: place.id.clone(),
            platform: self.platform.clone(),
            uses: self.uses,
            lifetime_secs: self.lifetime,
            network: self.network.clone(),
        };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::CreateInstaller(frozen) if frozen.uses != self.uses => Err("the number of uses"),
            api::ActionDetails::CreateInstaller(frozen) if frozen.network.is_some() != self.network.is_some() => Err("the network"),
            api::ActionDetails::CreateInstaller(_) => Ok(()),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Make an installer for {} in {}", say::devices(self.uses as usize), one_line(&place.whole)));
        let guarded = Guarded { screen, agreement: self.agreement, path: "/v1/installers", preview: &preview, expected: &expected };
        match guarded.carry_out(client, &body)? {
            api::ActionResult::Installer(made) => Ok(made),
            _ => Err(Failure::Input("somebody else's proof released it: its file went to them".to_owned())),
        }
    }
}

fn new_private(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|why| Failure::File { path: path.to_owned(), why })
}

fn write(mut file: File, path: &Path, made: &api::CreatedInstaller) -> Result<(), Failure> {
    let written = file.write_all(made.enrolment_file.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|why| Failure::File { path: path.to_owned(), why })
}

fn revoke(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let id = lookup::id_of(client, "/v1/installers", "installer", wanted, |installer: &api::Installer| installer.id.to_string())?;
    client.act(Method::DELETE, &format!("/v1/installers/{id}"))?;
    screen.give(&json!({ "revoked": id }), |screen| screen.say(format!("Revoked {id}: nothing enrols with it any more.")));
    Ok(Outcome::Done)
}
