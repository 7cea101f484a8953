//! `sallyport roles`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use ureq::http::Method;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, lookup};

const LIST: &str = "/v1/roles";

#[derive(Args)]
pub struct Roles {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List roles with what they allow; the same as no command.
    List,
    /// List what a custom role may allow.
    Capabilities,
    /// Make a custom role, or change the one that has this name.
    Save {
        /// What people call it, or its id.
        role: String,
        /// What it allows from now on, all of it; may be repeated.
        #[arg(long = "can", required = true, value_name = "CAPABILITY")]
        capabilities: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Take away a custom role that nobody has.
    Delete {
        /// What people call it, or its id.
        role: String,
        #[command(flatten)]
        agreement: Agreement,
    },
}

impl Roles {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let known: api::Roles = client.read(LIST)?;
        match self.what.unwrap_or(What::List) {
            What::List => list(screen, &known),
            What::Capabilities => capabilities(screen, &known),
            What::Save { role, capabilities, agreement } => return save(&mut client, screen, agreement, known, (role, capabilities)),
            What::Delete { role, agreement } => return delete(&mut client, screen, agreement, known, &role),
        }
        Ok(Outcome::Done)
    }
}

fn list(screen: Screen, known: &api::Roles) {
    screen.give(known, |screen| {
        let rows = known.roles.iter().map(|role| {
            vec![
                Word::new(&role.name),
                Word::toned(&role.id, Tone::Quiet),
                Word::new(role.users.to_string()),
                Word::new(if role.kind == api::RoleKind::Custom { role.capabilities.join(" ") } else { role.about.clone() }),
            ]
        });
        screen.table(&["ROLE", "ID", "USERS", "ALLOWS"], rows.collect());
    });
}

fn capabilities(screen: Screen, known: &api::Roles) {
    screen.give(&known.capabilities, |screen| {
        let rows = known.capabilities.iter().map(|capability| {
            let place = if capability.scoped { "where the role holds" } else { "tenant" };
            vec![Word::new(&capability.name), Word::new(place), Word::new(&capability.about)]
        });
        screen.table(&["CAPABILITY", "HOLDS FOR", "ALLOWS"], rows.collect());
    });
}

fn find(known: api::Roles, wanted: &str) -> Result<api::Role, Failure> {
    let custom = known.roles.into_iter().filter(|role| role.kind == api::RoleKind::Custom).collect();
    lookup::one_of(custom, "custom role", wanted, |role| (role.id.clone(), &role.name))
}

fn save(
    client: &mut Client,
    screen: Screen,
    agreement: Agreement,
    known: api::Roles,
    (wanted, capabilities): (String, Vec<String>),
) -> Result<Outcome, Failure> {
    let stored = find(known, &wanted).ok();
    let name = stored.as_ref().map_or(wanted, |role| role.name.clone());
    let expected = |action: &api::ActionDetails| match action {
        api::ActionDetails::SaveRole(frozen) if frozen.name != name => Err("the name"),
        api::ActionDetails::SaveRole(frozen) if !same(&frozen.after, &capabilities) => Err("what it allows"),
        api::ActionDetails::SaveRole(_) => Ok(()),
        _ => Err("the kind of action"),
    };
    let preview = || screen.say(format!("{}: {}", one_line(&name), capabilities.join(" ")));
    let path = stored.as_ref().map_or_else(|| LIST.to_owned(), |role| format!("{LIST}/{}", role.id));
    let guarded = Guarded { screen, agreement, path: &path, preview: &preview, expected: &expected };
    let body = api::SaveRole { name: name.clone(), capabilities: capabilities.clone() };
    let result = if stored.is_some() { guarded.replace(client, &body)? } else { guarded.carry_out(client, &body)? };
    screen.give(&result, |screen| screen.say_in(Tone::Good, format!("{} is saved.", one_line(&name))));
    Ok(Outcome::Done)
}

/// Whether two lists name the same, in whatever order.
fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    sorted(one) == sorted(other)
}

fn delete(client: &mut Client, screen: Screen, agreement: Agreement, known: api::Roles, wanted: &str) -> Result<Outcome, Failure> {
    let role = find(known, wanted)?;
    let expected = |action: &api::ActionDetails| match action {
        api::ActionDetails::DeleteRole(frozen) if frozen.id.to_string() != role.id => Err("the role"),
        api::ActionDetails::DeleteRole(_) => Ok(()),
        _ => Err("the kind of action"),
    };
    let preview = || screen.say(format!("Delete the role {}", one_line(&role.name)));
    let path = format!("{LIST}/{}", role.id);
    let guarded = Guarded { screen, agreement, path: &path, preview: &preview, expected: &expected };
    let result = guarded.plainly(Method::DELETE, client)?;
    screen.give(&result, |screen| screen.say_in(Tone::Good, format!("{} is gone.", one_line(&role.name))));
    Ok(Outcome::Done)
}
