//! Operations on people and on the policy that binds them: what is frozen of each, and the rules they obey.

mod mfa;
pub mod notices;

use sallyport_model::{RoleId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

pub use mfa::{ADMIN_PASSKEYS, AdminsProve, DeviceCodes, Factorless, Grace, MfaPolicy, MfaWho, RequiredBy, grace, proves, required_by};

use crate::accounts::session::Timers;

/// A person whom an action names, as they were when it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Which.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// A role that is given, with the names that people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// A built-in role's word, or a custom role's id.
    pub role: String,
    /// What people call it.
    pub role_name: String,
    /// `tenant`, `customer` or `site`.
    pub scope_kind: String,
    /// The id of what it holds for.
    pub scope: String,
    /// Its name.
    pub scope_name: String,
}

/// Somebody is invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteUser {
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their roles.
    pub assignments: Vec<Given>,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
}

/// A user gets other roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRole {
    /// Whose.
    pub user: Person,
    /// Until now.
    pub before: Vec<Given>,
    /// From now on.
    pub after: Vec<Given>,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
}

/// Whether users must have a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Required {
    /// They must.
    Yes,
    /// They need not.
    No,
}

/// A factor is required of single users, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequireMfa {
    /// Of whom.
    pub users: Vec<Person>,
    /// Whether.
    pub required: Required,
}

/// How an administrator made sure that it is really this person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Face to face.
    InPerson,
    /// By calling a number that was known before.
    ByCall,
}

/// What it takes to reset somebody's factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetTakes {
    /// One administrator with a fresh code.
    OneAdmin,
    /// Two people: it is an administrator's own factor.
    TwoPeople,
    /// One administrator and a day in which the user can stop it: there is no second person.
    Hold,
}

/// A user's factors are taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetFactor {
    /// Whose.
    pub user: Person,
    /// How it was made sure that it is really them.
    pub confirmed: Confirmed,
    /// What it takes.
    pub takes: ResetTakes,
}

/// The policy of factors changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMfaPolicy {
    /// Until now.
    pub before: MfaPolicy,
    /// From now on.
    pub after: MfaPolicy,
}

/// The timers of sessions change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSessionLimits {
    /// Until now.
    pub before: Timers,
    /// From now on.
    pub after: Timers,
}

/// A custom role is made, changed or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRole {
    /// Which.
    pub id: RoleId,
    /// What people call it.
    pub name: String,
    /// What it allowed until now; nothing where it is new.
    pub before: Vec<String>,
    /// What it allows from now on; nothing where it goes.
    pub after: Vec<String>,
    /// How many users have it.
    pub users: u64,
}

/// `Anna Berg`, or `3 users`.
pub(crate) fn named(users: &[Person]) -> String {
    match users {
        [one] => one.name.clone(),
        many => format!("{} users", many.len()),
    }
}

/// `technician of Nordwind, auditor of Example`.
pub(crate) fn roles(given: &[Given]) -> String {
    given.iter().map(|one| format!("{} of {}", one.role_name, one.scope_name)).collect::<Vec<_>>().join(", ")
}
