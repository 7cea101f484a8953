//! `sallyport users`.

mod changes;

use changes::{PauseVerification, RequireMfa, Role, same_roles};
use clap::{Args, Subcommand, ValueEnum};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::people::assignments;
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

const LIST: &str = "/v1/users";

#[derive(Args)]
pub struct Users {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List users; the same as no command.
    List(List),
    /// Show a user with their roles, sessions and last guarded actions.
    Show {
        /// Their e-mail address, or their id.
        user: String,
    },
    /// Invite somebody. Without a mail server the link is printed, for handing it over.
    Invite(Invite),
    /// Disable users: their sessions end at once.
    Disable(Named),
    /// Enable users.
    Enable(Named),
    /// Take away the factors of somebody who lost theirs, so that they enrol new ones.
    ResetFactor(Reset),
    /// Require a second factor of users, or no longer.
    ///
    /// Where the tenant requires one of everybody, there is nothing to require of single users.
    RequireMfa(RequireMfa),
    /// Give a user other roles.
    Role(Role),
    /// Make the link of an invitation or activation anew; earlier ones are dead.
    Resend {
        /// Their e-mail address, or their id.
        user: String,
    },
    /// Let a user who has a second factor sign in from new addresses without a mailed link, for a while.
    PauseVerification(PauseVerification),
    /// End all sessions of a user.
    EndSessions {
        /// Their e-mail address, or their id.
        user: String,
    },
}

#[derive(Args, Default)]
struct List {
    /// Words that must all be found in name, address, roles or scopes.
    #[arg(long, short)]
    query: Option<String>,
    /// Only users whose second factor is active, required or off; without: required or off.
    #[arg(long)]
    mfa: Option<String>,
    /// Only users that are invited, active, disabled or locked.
    #[arg(long)]
    state: Option<String>,
    /// Only users with this role: its word, or a custom role's id.
    #[arg(long)]
    role: Option<String>,
    /// In which order: name, email, role, mfa, state, last_sign_in or created; -name is the other way round.
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
}

#[derive(Args)]
struct Invite {
    /// Their e-mail address.
    email: String,
    /// Their name.
    #[arg(long)]
    name: String,
    /// A role for the whole tenant (technician), a customer (technician@cus_...) or a site (technician@sit_...); may be repeated.
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// After how many days the account ends by itself; required for support.
    #[arg(long, value_name = "DAYS")]
    ends_after: Option<u32>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Args)]
struct Named {
    /// E-mail addresses or ids.
    #[arg(required = true)]
    users: Vec<String>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Args)]
struct Reset {
    /// Their e-mail address, or their id.
    user: String,
    /// How you made sure that it is really them.
    #[arg(long, value_enum)]
    confirmed: Made,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Made {
    /// Face to face.
    InPerson,
    /// By calling a number that was known before.
    ByCall,
}

impl Users {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what.unwrap_or(What::List(List::default())) {
            What::List(list) => list.run(&mut client, screen),
            What::Show { user } => show(&mut client, screen, &user),
            What::Invite(invite) => invite.run(&mut client, screen),
            What::Disable(named) => named.run(&mut client, screen, "disable"),
            What::Enable(named) => named.run(&mut client, screen, "enable"),
            What::ResetFactor(reset) => reset.run(&mut client, screen),
            What::RequireMfa(require) => require.run(&mut client, screen),
            What::Role(role) => role.run(&mut client, screen),
            What::Resend { user } => changes::resend(&mut client, screen, &user),
            What::PauseVerification(pause) => pause.run(&mut client, screen),
            What::EndSessions { user } => {
                let user = find(&mut client, &user)?;
                client.act(Method::POST, &format!("{LIST}/{}/end-sessions", user.id))?;
                screen.give(&json!({ "ended": user.id }), |screen| screen.say(format!("All sessions of {} ended.", one_line(&user.name))));
                Ok(Outcome::Done)
            }
        }
    }
}

impl List {
    fn run(&self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let query = Query::default()
            .with_some("q", self.query.as_deref())
            .with_some("mfa", self.mfa.as_deref())
            .with_some("state", self.state.as_deref())
            .with_some("role", self.role.as_deref())
            .with_some("sort", self.sort.as_deref());
        let users: Vec<api::User> = client.read_all(LIST, &query)?;
        let now = clock::now();
        screen.give(&users, |screen| {
            let rows = users.iter().map(|user| {
                let (state, tone) = state(user.state);
                let (mfa, mfa_tone) = mfa(user.mfa);
                vec![
                    Word::new(&user.name),
                    Word::new(&user.email),
                    Word::toned(state, tone),
                    Word::toned(mfa, mfa_tone),
                    Word::new(assignments(&user.assignments)),
                    Word::toned(say::relative_or_dash(user.last_sign_in, now), Tone::Quiet),
                ]
            });
            screen.table(&["NAME", "ADDRESS", "STATE", "MFA", "ROLES", "LAST SIGN-IN"], rows.collect());
        });
        Ok(Outcome::Done)
    }
}

fn state(state: api::AccountState) -> (&'static str, Tone) {
    match state {
        api::AccountState::Invited => ("invited", Tone::Waiting),
        api::AccountState::Active => ("active", Tone::Good),
        api::AccountState::Disabled => ("disabled", Tone::Quiet),
        api::AccountState::Locked => ("locked", Tone::Bad),
    }
}

fn mfa(mfa: api::Mfa) -> (&'static str, Tone) {
    match mfa {
        api::Mfa::Active => ("active", Tone::Good),
        api::Mfa::Required => ("required", Tone::Waiting),
        api::Mfa::Off => ("off", Tone::Bad),
    }
}

/// Why they must have one: what an entry of theirs cannot change is named.
fn required_by(required: Option<api::MfaRequiredBy>) -> &'static str {
    match required {
        Some(api::MfaRequiredBy::Tenant) => "the tenant requires one of everybody",
        Some(api::MfaRequiredBy::Role) => "a role requires one",
        Some(api::MfaRequiredBy::User) => "required of this user",
        None => "nobody requires one",
    }
}

/// A user by address or id.
pub(crate) fn find(client: &mut Client, wanted: &str) -> Result<api::User, Failure> {
    if wanted.contains('@') {
        let users: Vec<api::User> = client.read_all(LIST, &Query::default().with("q", wanted))?;
        let found = users.into_iter().find(|user| user.email.eq_ignore_ascii_case(wanted));
        return found.ok_or_else(|| Failure::Input(format!("nobody has the address {wanted}")));
    }
    let id = lookup::id_of(client, LIST, "user", wanted, |user: &api::User| user.id.to_string())?;
    Ok(client.read::<api::UserDetails>(&format!("{LIST}/{id}"))?.user)
}

fn show(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let id = find(client, wanted)?.id;
    let details: api::UserDetails = client.read(&format!("{LIST}/{id}"))?;
    let (user, now) = (&details.user, clock::now());
    screen.give(&details, |screen| {
        screen.facts(&[
            ("user", format!("{} <{}>", one_line(&user.name), one_line(&user.email))),
            ("state", state(user.state).0.to_owned()),
            ("second factor", format!("{} ({})", mfa(user.mfa).0, required_by(user.mfa_required_by))),
            ("roles", assignments(&user.assignments)),
            ("ends", say::relative_or_dash(user.expires, now)),
            ("last sign-in", say::relative_or_dash(user.last_sign_in, now)),
            ("sessions", user.sessions.to_string()),
        ]);
        for action in &details.recent {
            screen.say(format!("  {}  {}  {}", say::relative(action.at, now), one_line(&action.state), one_line(&action.summary)));
        }
    });
    Ok(Outcome::Done)
}

impl Invite {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let body = api::InviteUser {
            email: self.email.clone(),
            name: self.name.clone(),
            assignments: self.roles.iter().map(|role| assignment(role)).collect::<Result<_, _>>()?,
            expires: self.ends_after.map(|days| clock::now().plus_secs(i64::from(days) * 86_400)),
        };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::InviteUser(frozen) if !frozen.email.eq_ignore_ascii_case(&self.email) => Err("the address"),
            api::ActionDetails::InviteUser(frozen) if !same_roles(&frozen.assignments, &body.assignments) => Err("the roles"),
            api::ActionDetails::InviteUser(frozen) if frozen.expires != body.expires => Err("the end"),
            api::ActionDetails::InviteUser(_) => Ok(()),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Invite {} <{}> as {}", one_line(&self.name), one_line(&self.email), self.roles.join(", ")));
        let guarded = Guarded { screen, agreement: self.agreement, path: LIST, preview: &preview, expected: &expected };
        done(screen, &guarded.carry_out(client, &body)?);
        Ok(Outcome::Done)
    }
}

/// `technician`, `technician@cus_...`, `technician@sit_...`.
fn assignment(text: &str) -> Result<api::NewAssignment, Failure> {
    let (role, place) = text.split_once('@').map_or((text, None), |(role, place)| (role, Some(place)));
    let scope = match place {
        None => api::ScopeKind::Tenant,
        Some(place) if place.starts_with("cus_") => api::ScopeKind::Customer,
        Some(place) if place.starts_with("sit_") => api::ScopeKind::Site,
        Some(place) => return Err(Failure::Input(format!("{place} is no id of a customer (cus_...) or a site (sit_...)"))),
    };
    Ok(api::NewAssignment { role: role.to_owned(), scope, id: place.map(str::to_owned) })
}

impl Named {
    fn run(self, client: &mut Client, screen: Screen, verb: &str) -> Result<Outcome, Failure> {
        let found = self.users.iter().map(|user| find(client, user)).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<String> = found.iter().map(|user| user.id.to_string()).collect();
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::DisableUsers(frozen) | api::ActionDetails::EnableUsers(frozen) => {
                let same = frozen.users.len() == ids.len() && frozen.users.iter().all(|user| ids.contains(&user.id.to_string()));
                if same { Ok(()) } else { Err("the users") }
            }
            _ => Err("the kind of action"),
        };
        let preview = || found.iter().for_each(|user| screen.say(format!("{verb} {} <{}>", one_line(&user.name), one_line(&user.email))));
        let path = format!("{LIST}/{verb}");
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        done(screen, &guarded.carry_out(client, &api::Users { users: ids.clone() })?);
        Ok(Outcome::Done)
    }
}

impl Reset {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let user = find(client, &self.user)?;
        let confirmed = match self.confirmed {
            Made::InPerson => api::Confirmed::InPerson,
            Made::ByCall => api::Confirmed::ByCall,
        };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ResetFactor(frozen) if frozen.user.id != user.id => Err("the user"),
            api::ActionDetails::ResetFactor(_) => Ok(()),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Reset the factors of {} <{}>", one_line(&user.name), one_line(&user.email)));
        let path = format!("{LIST}/{}/reset-factor", user.id);
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        done(screen, &guarded.carry_out(client, &api::ResetFactor { confirmed })?);
        Ok(Outcome::Done)
    }
}

fn done(screen: Screen, result: &api::ActionResult) {
    screen.give(result, |screen| match result {
        api::ActionResult::Invitation(made) => tell_link(screen, made),
        api::ActionResult::ResetHeld(held) => {
            let until = say::relative(held.until, clock::now());
            screen.say_in(Tone::Waiting, format!("There is no second person: it happens {until}, unless the user stops it."));
        }
        _ => screen.say_in(Tone::Good, "Done."),
    });
}

/// Where a link went, or the link itself.
fn tell_link(screen: Screen, made: &api::CreatedInvitation) {
    let until = say::relative(made.expires, clock::now());
    match &made.link {
        Some(link) => {
            screen.say_in(Tone::Good, format!("The link, shown once; it works once, until {until}. Hand it over in person or by call:"));
            screen.say(one_line(link));
        }
        None => screen.say_in(Tone::Good, format!("A link is mailed to {}; it works until {until}.", one_line(&made.email))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_with_their_place() {
        let one = |text: &str| assignment(text).map(|one| (one.role, one.scope, one.id)).ok();
        assert_eq!(one("technician"), Some(("technician".into(), api::ScopeKind::Tenant, None)));
        assert_eq!(one("auditor@cus_1"), Some(("auditor".into(), api::ScopeKind::Customer, Some("cus_1".into()))));
        assert_eq!(one("auditor@sit_1"), Some(("auditor".into(), api::ScopeKind::Site, Some("sit_1".into()))));
        assert_eq!(one("auditor@nordwind"), None);
    }
}
