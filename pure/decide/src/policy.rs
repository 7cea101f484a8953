//! Who may ask for what, and where. The table in [`table`](self) is the policy; `roles.txt` prints it for people.
//!
//! A [`Permit`] is made here and nowhere else: whoever holds one holds the proof that policy said yes, and how far it reaches.

mod rights;
mod table;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use sallyport_grant::body::RemoteKind;
use sallyport_model::{ApiClientId, SessionId, TenantId, Timestamp, UserId};

use crate::actions::Action;

pub use rights::{AssignedRole, Assignment, CustomRole, Place, Reach, Rights, Scope, may_act_on, may_give};
pub use table::*;

/// What a user is in a tenant, a customer or a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Holds the authority kit; may do everything.
    Owner,
    /// Manages people, installers and devices.
    Admin,
    /// Works on devices.
    Technician,
    /// Reads, the audit log above all.
    Auditor,
    /// Somebody from outside who helps for a while: such an account always has an end.
    Support,
}

impl Role {
    /// All roles, most powerful first.
    pub const ALL: [Role; 5] = [Role::Owner, Role::Admin, Role::Technician, Role::Auditor, Role::Support];

    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Technician => "technician",
            Role::Auditor => "auditor",
            Role::Support => "support",
        }
    }

    /// What it is for, for people.
    pub fn about(self) -> &'static str {
        match self {
            Role::Owner => "Holds the authority kit and may do everything, for the whole tenant",
            Role::Admin => "Manages people, installers and devices",
            Role::Technician => "Works on devices",
            Role::Auditor => "Reads, the audit log above all",
            Role::Support => "Somebody from outside who helps on devices until a day that is set",
        }
    }

    /// Whether an account with it must have an end.
    pub fn must_expire(self) -> bool {
        self == Role::Support
    }

    /// Whether it may hold for a customer or a site alone.
    pub fn can_be_scoped(self) -> bool {
        self != Role::Owner
    }
}

/// The text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

/// What a session is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The recovery codes were shown and not yet confirmed as saved.
    Codes,
    /// Signed in with a password and a factor.
    Full,
    /// Signed in with a recovery code or the authority kit.
    Restricted,
    /// Signed in without a factor, where the tenant's policy or a trusted network allows it: reads, and never acts (class 0).
    Factorless,
    /// Signed in with a password that is known from a data breach, and a factor: chooses another password first.
    NewPassword,
    /// A program that a person let in by a device code: it reads and asks, and proves nothing. What it asks for waits for its person's browser.
    DeviceCode,
    /// No session at all: an API client with an access token, in the name of its owner. It proves nothing that only people can.
    Client,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 7] =
        [Stage::Codes, Stage::Full, Stage::Restricted, Stage::Factorless, Stage::NewPassword, Stage::DeviceCode, Stage::Client];
}

/// Who asks, as the session says: facts about a signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Their tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their roles and where each holds.
    pub rights: Rights,
    /// Their session. A request of an API client has none: this is the client's id then, so that what is counted for a session is
    /// counted for the client.
    pub session: SessionId,
    /// What the session is good for.
    pub stage: Stage,
    /// Until when the step-up window of this session is open.
    pub step_up_until: Option<Timestamp>,
    /// The kind of remote session that the window was first used for; it is good for no other.
    pub step_up_kind: Option<RemoteKind>,
}

impl Actor {
    /// The API client that asks in this person's name, where it is one.
    pub fn client(&self) -> Option<ApiClientId> {
        (self.stage == Stage::Client).then(|| ApiClientId::from_bytes(*self.session.as_bytes()))
    }

    /// Whether their open window is proof enough for an action of class 1 now.
    pub fn window_covers(&self, action: &Action, now: Timestamp) -> bool {
        let fits = match (action.remote_kind(), self.step_up_kind) {
            (Some(wanted), Some(used)) => wanted == used,
            (Some(_) | None, _) => true,
        };
        fits && self.step_up_until.is_some_and(|until| now < until)
    }
}

/// Why policy said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The session is not good for this.
    #[error("the session may not do that")]
    Stage,
    /// No role of theirs has this capability.
    #[error("the role does not allow this")]
    Role,
}

/// Something that policy can allow: a row of the table.
pub trait Capability {
    /// Its row.
    const ROW: Row;
}

/// Policy said yes to this actor for this capability, within this reach.
///
/// There is no way to make one but [`permit`].
pub struct Permit<C: Capability> {
    actor: Actor,
    reach: Reach,
    capability: PhantomData<C>,
}

impl<C: Capability> Permit<C> {
    /// For whom it was made.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Where it holds: whoever touches devices, customers or sites by it asks this first.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }
}

impl<C: Capability> fmt::Debug for Permit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit<{}>({})", C::ROW.name, self.actor.user)
    }
}

/// Asks policy.
///
/// # Errors
/// Says whether the session or the role is what stands in the way.
pub fn permit<C: Capability>(actor: &Actor) -> Result<Permit<C>, PolicyError> {
    let reach = decide(&C::ROW, actor)?;
    Ok(Permit { actor: actor.clone(), reach, capability: PhantomData })
}

/// The decision behind every permit: how far a row of the table reaches for an actor.
///
/// # Errors
/// Says whether the session or the role is what stands in the way.
pub fn decide(row: &Row, actor: &Actor) -> Result<Reach, PolicyError> {
    if !row.stages.contains(&actor.stage) {
        return Err(PolicyError::Stage);
    }
    actor.rights.reach(row).ok_or(PolicyError::Role)
}

/// Where a capability can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// For oneself: everybody has it, whatever their roles.
    Oneself,
    /// Wherever a role that has it holds: devices, their jobs, customers, sites, installers.
    Places,
    /// For what all share, as soon as any role has it anywhere.
    Anywhere,
    /// For the tenant as a whole: only roles of the whole tenant give it.
    Tenant,
}

impl Holds {
    /// The word in `roles.txt`.
    pub fn as_str(self) -> &'static str {
        match self {
            Holds::Oneself => "oneself",
            Holds::Places => "scope",
            Holds::Anywhere => "shared",
            Holds::Tenant => "tenant",
        }
    }
}

/// A row of the table as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The capability's word.
    pub name: &'static str,
    /// What it allows, for people.
    pub about: &'static str,
    /// The built-in roles that have it.
    pub roles: &'static [Role],
    /// Sessions that it works in.
    pub stages: &'static [Stage],
    /// Where it can hold.
    pub holds: Holds,
}

impl Row {
    /// The row of a capability.
    pub const fn of<C: Capability>() -> Self {
        C::ROW
    }

    /// Whether an API client may have it as a scope: nothing about identities, factors, policy, trust or proofs is.
    pub fn is_for_clients(&self) -> bool {
        self.stages.contains(&Stage::Client)
    }

    /// Whether it changes what a session or its person is known by. Only who has the session's present token may ask for it: a former
    /// one, which requests under way still have for some seconds, may not.
    pub fn wants_present_token(&self) -> bool {
        const CHANGES: [&str; 6] = [
            Elevate::ROW.name,
            ChangeOwnPassword::ROW.name,
            ConfirmRecoveryCodes::ROW.name,
            RegenerateRecoveryCodes::ROW.name,
            EnrolFactors::ROW.name,
            RemoveOwnFactor::ROW.name,
        ];
        CHANGES.contains(&self.name)
    }

    /// Whether a custom role may have it. Owners are made by owners: no list of words makes one.
    pub fn is_for_custom_roles(&self) -> bool {
        self.holds != Holds::Oneself && self.name != ManageOwners::ROW.name
    }
}

/// The row of that word.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// The table as text: a line per capability, where it holds, a column per built-in role, and whether an API client may have it.
pub fn print() -> String {
    let mut text = line("capability", "holds for", Role::ALL.map(Role::as_str), "clients");
    for row in TABLE {
        let yes = |holds: bool| if holds { "yes" } else { "-" };
        text.push_str(&line(row.name, row.holds.as_str(), Role::ALL.map(|role| yes(row.roles.contains(&role))), yes(row.is_for_clients())));
    }
    text
}

fn line(name: &str, holds: &str, marks: [&str; Role::ALL.len()], clients: &str) -> String {
    let marks = marks.map(|mark| format!("{mark:<12}")).concat();
    format!("{name:<30}{holds:<12}{marks}{clients}\n")
}

#[cfg(test)]
mod tests;
