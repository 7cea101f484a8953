//! What an authorization request says about people, for whoever has to agree.

use sallyport_model::{RoleId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::{MfaPolicy, SessionLimits};
use super::users::{Assignment, Confirmed, ResetTakes, YesNo};

/// A person whom an action names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Their id.
    #[schema(value_type = String)]
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// People whom an action names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PeopleDetails {
    /// All of them.
    pub users: Vec<Person>,
}

/// A change of roles, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangeRoleDetails {
    /// Whose.
    pub user: Person,
    /// Their roles until now.
    pub before: Vec<Assignment>,
    /// Their roles from now on.
    pub after: Vec<Assignment>,
    /// When the account ends by itself.
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// A requirement of single users, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RequireMfaDetails {
    /// Of whom.
    pub users: Vec<Person>,
    /// Whether they must have a factor.
    pub required: YesNo,
}

/// A reset of a factor, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResetFactorDetails {
    /// Whose.
    pub user: Person,
    /// How it was made sure that it is really them.
    pub confirmed: Confirmed,
    /// What it takes.
    pub takes: ResetTakes,
}

/// A change of the policy of factors, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangeMfaPolicyDetails {
    /// Until now.
    pub before: MfaPolicy,
    /// From now on.
    pub after: MfaPolicy,
}

/// A change of how long sessions last, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangeSessionLimitsDetails {
    /// Until now.
    pub before: SessionLimits,
    /// From now on.
    pub after: SessionLimits,
}

/// A custom role, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoleDetails {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RoleId,
    /// What people call it.
    pub name: String,
    /// What it allowed until now.
    pub before: Vec<String>,
    /// What it allows from now on; nothing where it is taken away.
    pub after: Vec<String>,
    /// How many users have it.
    pub users: u64,
}
