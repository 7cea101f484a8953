//! Who may ask for what. The table below is the policy; `roles.txt` prints it for people.
//!
//! A [`Permit`] is made here and nowhere else: whoever holds one holds the proof that policy said yes.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use sallyport_model::{SessionId, TenantId, Timestamp, UserId};

/// What a user is in a tenant.
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
}

impl Role {
    /// All roles, most powerful first.
    pub const ALL: [Role; 4] = [Role::Owner, Role::Admin, Role::Technician, Role::Auditor];

    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Technician => "technician",
            Role::Auditor => "auditor",
        }
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
    /// Signed in with a recovery code.
    Restricted,
    /// Signed in without a factor, where the tenant's policy or a trusted network allows it: reads, and never acts (class 0).
    Factorless,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 4] = [Stage::Codes, Stage::Full, Stage::Restricted, Stage::Factorless];
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
    /// Their role.
    pub role: Role,
    /// Their session.
    pub session: SessionId,
    /// What the session is good for.
    pub stage: Stage,
    /// Until when the step-up window of this session is open.
    pub step_up_until: Option<Timestamp>,
}

/// Why policy said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The session is not good for this.
    #[error("the session may not do that")]
    Stage,
    /// The role does not have this capability.
    #[error("the role does not allow this")]
    Role,
}

/// Something that policy can allow: a row of the table.
pub trait Capability {
    /// The word in `routes.txt` and `roles.txt`.
    const NAME: &'static str;
    /// Who has it.
    const ROLES: &'static [Role];
    /// Sessions that it works in.
    const STAGES: &'static [Stage];
}

/// Policy said yes to this actor for this capability.
///
/// There is no way to make one but [`permit`].
pub struct Permit<C: Capability> {
    actor: Actor,
    capability: PhantomData<C>,
}

impl<C: Capability> Permit<C> {
    /// For whom it was made.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<C: Capability> fmt::Debug for Permit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit<{}>({})", C::NAME, self.actor.user)
    }
}

/// Asks policy.
///
/// # Errors
/// Says whether the session or the role is what stands in the way.
pub fn permit<C: Capability>(actor: &Actor) -> Result<Permit<C>, PolicyError> {
    if !C::STAGES.contains(&actor.stage) {
        return Err(PolicyError::Stage);
    }
    if !C::ROLES.contains(&actor.role) {
        return Err(PolicyError::Role);
    }
    Ok(Permit { actor: actor.clone(), capability: PhantomData })
}

/// A row of the table as a value, for those who print or walk it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The capability's word.
    pub name: &'static str,
    /// Who has it.
    pub roles: &'static [Role],
    /// Sessions that it works in.
    pub stages: &'static [Stage],
}

impl Row {
    /// The row of a capability.
    pub const fn of<C: Capability>() -> Self {
        Self { name: C::NAME, roles: C::ROLES, stages: C::STAGES }
    }
}

use Role::{Admin, Auditor, Owner, Technician};
use Stage::{Codes, Factorless, Full, Restricted};

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $word:literal: [$($role:ident),*] in [$($stage:ident),*];)*) => {
        $($(#[$doc])* #[derive(Debug)] pub enum $name {}
        impl Capability for $name {
            const NAME: &'static str = $word;
            const ROLES: &'static [Role] = &[$($role),*];
            const STAGES: &'static [Stage] = &[$($stage),*];
        })*
        /// The whole policy.
        pub const TABLE: &[Row] = &[$(Row::of::<$name>()),*];
    };
}

table! {
    /// See oneself and one's session.
    ReadSelf = "self.read": [Owner, Admin, Technician, Auditor] in [Codes, Full, Restricted, Factorless];
    /// Sign out.
    SignOut = "self.sign_out": [Owner, Admin, Technician, Auditor] in [Codes, Full, Restricted, Factorless];
    /// Confirm that the recovery codes are saved.
    ConfirmRecoveryCodes = "self.confirm_recovery_codes": [Owner, Admin, Technician, Auditor] in [Codes];
    /// See and end one's own sessions.
    ManageOwnSessions = "self.sessions": [Owner, Admin, Technician, Auditor] in [Full];
    /// See one's own factors.
    ReadOwnFactors = "self.factors": [Owner, Admin, Technician, Auditor] in [Full, Restricted];
    /// Ask for new recovery codes of one's own.
    RegenerateRecoveryCodes = "self.recovery_codes": [Owner, Admin, Technician, Auditor] in [Full];
    /// See customers, sites, devices and their inventory.
    ReadDevices = "devices.read": [Owner, Admin, Technician, Auditor] in [Full, Factorless];
    /// Label devices.
    TagDevices = "devices.tag": [Owner, Admin, Technician] in [Full];
    /// Ask for the approval of pending devices.
    ApproveDevices = "devices.approve": [Owner, Admin] in [Full];
    /// Ask for the removal of devices.
    RemoveDevices = "devices.remove": [Owner, Admin] in [Full];
    /// Add customers and sites.
    ManageCustomers = "customers.write": [Owner, Admin] in [Full];
    /// See installers.
    ReadInstallers = "installers.read": [Owner, Admin, Technician, Auditor] in [Full, Factorless];
    /// Ask for installers, and revoke them.
    ManageInstallers = "installers.write": [Owner, Admin] in [Full];
    /// See the script library.
    ReadScripts = "scripts.read": [Owner, Admin, Technician, Auditor] in [Full, Factorless];
    /// Change the script library.
    WriteScripts = "scripts.write": [Owner, Admin, Technician] in [Full];
    /// See jobs, runs and output.
    ReadJobs = "jobs.read": [Owner, Admin, Technician, Auditor] in [Full, Factorless];
    /// Ask to run scripts.
    RunScripts = "jobs.run": [Owner, Admin, Technician] in [Full];
    /// Cancel runs.
    CancelRuns = "jobs.cancel": [Owner, Admin, Technician] in [Full];
    /// See authorization requests.
    ReadRequests = "requests.read": [Owner, Admin, Technician] in [Full];
    /// Prove or deny authorization requests.
    ProveRequests = "requests.prove": [Owner, Admin, Technician] in [Full];
    /// Read the audit log and the trust root.
    ReadAudit = "audit.read": [Owner, Admin, Auditor] in [Full];
    /// Follow live changes.
    FollowEvents = "events.read": [Owner, Admin, Technician, Auditor] in [Full, Factorless];
}

/// The table as text: a line per capability, a column per role.
pub fn print() -> String {
    let mut text = format!("{:<30}{}\n", "capability", Role::ALL.map(|role| format!("{:<12}", role.as_str())).concat().trim_end());
    for row in TABLE {
        let marks = Role::ALL.map(|role| format!("{:<12}", if row.roles.contains(&role) { "yes" } else { "-" })).concat();
        text.push_str(&format!("{:<30}{}\n", row.name, marks.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, stage: Stage) -> Actor {
        Actor {
            tenant: TenantId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            email: "a@b".into(),
            name: "A".into(),
            role,
            session: SessionId::from_bytes([3; 16]),
            stage,
            step_up_until: None,
        }
    }

    #[test]
    fn a_session_that_must_save_its_codes_may_do_only_that() {
        let allowed: Vec<_> = TABLE.iter().filter(|row| row.stages.contains(&Codes)).map(|row| row.name).collect();
        assert_eq!(allowed, ["self.read", "self.sign_out", "self.confirm_recovery_codes"]);
        assert_eq!(permit::<RunScripts>(&actor(Owner, Codes)).unwrap_err(), PolicyError::Stage);
    }

    #[test]
    fn an_auditor_changes_nothing() {
        assert_eq!(permit::<RunScripts>(&actor(Auditor, Full)).unwrap_err(), PolicyError::Role);
        assert!(permit::<ReadAudit>(&actor(Auditor, Full)).is_ok());
    }

    #[test]
    fn every_capability_has_its_own_word() {
        let words: std::collections::BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(words.len(), TABLE.len());
    }
}
