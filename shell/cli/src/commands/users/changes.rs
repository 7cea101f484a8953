//! `sallyport users require-mfa`, `role`, `resend` and `pause-verification`.

use clap::{Args, ValueEnum};
use sallyport_api as api;
use ureq::http::Method;

use super::{LIST, assignment, done, find};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::people::assignments;
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{clock, say};

#[derive(Args)]
pub(super) struct RequireMfa {
    /// E-mail addresses or ids.
    #[arg(required = true)]
    users: Vec<String>,
    /// Whether they must have a second factor, whatever else requires one of them.
    #[arg(long, value_enum, default_value = "yes")]
    required: Required,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Required {
    Yes,
    No,
}

#[derive(Args)]
pub(super) struct Role {
    /// Their e-mail address, or their id.
    user: String,
    /// A role from now on, for the whole tenant (technician), a customer (technician@cus_...) or a site (technician@sit_...); may be
    /// repeated. Roles that are not named are over.
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// After how many days the account ends by itself; required for support.
    #[arg(long, value_name = "DAYS")]
    ends_after: Option<u32>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Args)]
pub(super) struct PauseVerification {
    /// Their e-mail address, or their id.
    user: String,
    /// For how many hours, 168 at most; 0 ends a pause.
    #[arg(long)]
    hours: u32,
}

impl RequireMfa {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let found = self.users.iter().map(|user| find(client, user)).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<String> = found.iter().map(|user| user.id.to_string()).collect();
        let (required, words) = match self.required {
            Required::Yes => (api::YesNo::Yes, "Require a second factor of"),
            Required::No => (api::YesNo::No, "No longer require a second factor of"),
        };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::RequireMfa(frozen) if frozen.required != required => Err("what is required"),
            api::ActionDetails::RequireMfa(frozen) => {
                let same = frozen.users.len() == ids.len() && frozen.users.iter().all(|user| ids.contains(&user.id.to_string()));
                if same { Ok(()) } else { Err("the users") }
            }
            _ => Err("the kind of action"),
        };
        let preview = || found.iter().for_each(|user| screen.say(format!("{words} {} <{}>", one_line(&user.name), one_line(&user.email))));
        let path = format!("{LIST}/mfa");
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        done(screen, &guarded.carry_out(client, &api::RequireMfa { users: ids.clone(), required })?);
        Ok(Outcome::Done)
    }
}

impl Role {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let user = find(client, &self.user)?;
        let wanted = self.roles.iter().map(|role| assignment(role)).collect::<Result<Vec<_>, _>>()?;
        let expires = self.ends_after.map(|days| clock::now().plus_secs(i64::from(days) * 86_400));
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeRole(frozen) if frozen.user.id != user.id => Err("the user"),
            api::ActionDetails::ChangeRole(frozen) if frozen.expires != expires => Err("the end"),
            api::ActionDetails::ChangeRole(frozen) if !same_roles(&frozen.after, &wanted) => Err("the roles"),
            api::ActionDetails::ChangeRole(_) => Ok(()),
            _ => Err("the kind of action"),
        };
        let preview = || {
            screen.say(format!("{} <{}>: {}", one_line(&user.name), one_line(&user.email), assignments(&user.assignments)));
            screen.say(format!("from now on: {}", self.roles.join(", ")));
        };
        let path = format!("{LIST}/{}/assignments", user.id);
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        done(screen, &guarded.carry_out(client, &api::ChangeAssignments { assignments: wanted.clone(), expires })?);
        Ok(Outcome::Done)
    }
}

/// Whether a frozen change gives exactly these roles. The tenant's own id is not typed.
pub(super) fn same_roles(frozen: &[api::Assignment], wanted: &[api::NewAssignment]) -> bool {
    let is = |frozen: &api::Assignment, wanted: &api::NewAssignment| {
        frozen.role == wanted.role && frozen.scope.kind == wanted.scope && wanted.id.as_ref().is_none_or(|id| *id == frozen.scope.id)
    };
    frozen.len() == wanted.len() && frozen.iter().all(|one| wanted.iter().any(|other| is(one, other)))
}

/// Makes the link of an invitation or activation anew.
pub(super) fn resend(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let user = find(client, wanted)?;
    let made: api::CreatedInvitation = client.act_and_read(Method::POST, &format!("{LIST}/{}/resend-invitation", user.id))?;
    screen.give(&made, |screen| {
        screen.say("Earlier links are dead.");
        super::tell_link(screen, &made);
    });
    Ok(Outcome::Done)
}

impl PauseVerification {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let user = find(client, &self.user)?;
        let body = api::PauseAddressVerification { user: user.id, hours: self.hours };
        let paused: api::PausedAddressVerification = client.change(Method::POST, "/v1/policy/networks/pause", &body)?;
        screen.give(&paused, |screen| match paused.until {
            Some(until) => {
                let until = say::relative(until, clock::now());
                screen.say_in(
                    Tone::Waiting,
                    format!("New addresses of {} are not verified; that ends by itself {until}.", one_line(&user.name)),
                );
            }
            None => screen.say_in(Tone::Good, format!("New addresses of {} are verified.", one_line(&user.name))),
        });
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(role: &str, kind: api::ScopeKind, id: &str) -> api::Assignment {
        let scope = api::Scope { kind, id: id.into(), name: "a place".into() };
        api::Assignment { role: role.into(), role_name: role.into(), scope }
    }

    #[test]
    fn other_roles_than_the_wanted_ones_are_noticed() {
        let wanted = [assignment("auditor").unwrap(), assignment("technician@cus_1").unwrap()];
        let right = [given("technician", api::ScopeKind::Customer, "cus_1"), given("auditor", api::ScopeKind::Tenant, "ten_1")];
        assert!(same_roles(&right, &wanted));
        let wider = [given("technician", api::ScopeKind::Tenant, "ten_1"), right[1].clone()];
        let elsewhere = [given("technician", api::ScopeKind::Customer, "cus_2"), right[1].clone()];
        let mightier = [given("owner", api::ScopeKind::Tenant, "ten_1"), right[0].clone()];
        for other in [&wider[..], &elsewhere, &mightier, &right[..1]] {
            assert!(!same_roles(other, &wanted), "{other:?}");
        }
    }
}
