//! Users: who they are, what stands behind their sign-in, what is asked for about them.

use sallyport_model::{RequestId, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::MfaPolicy;
use super::roles::RoleKind;
use crate::Session;

/// Where a role holds: the tenant, one customer, or one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scope {
    /// `tenant`, `customer` or `site`.
    pub kind: ScopeKind,
    /// The customer's or the site's id; the tenant's where the kind is `tenant`.
    pub id: String,
    /// Its name; of a site with its customer: `Nordwind / Berlin`.
    pub name: String,
}

/// What a scope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// Everything.
    Tenant,
    /// A customer with all of its sites.
    Customer,
    /// One site.
    Site,
}

/// A role that a user has, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The role: a built-in one's word (`owner`, `admin`, `technician`, `auditor`, `support`) or a custom one's id.
    pub role: String,
    /// What people call it.
    pub role_name: String,
    /// Where it holds.
    pub scope: Scope,
}

/// A role to be given, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    /// A built-in role's word, or a custom role's id.
    pub role: String,
    /// `tenant`, `customer` or `site`.
    pub scope: ScopeKind,
    /// The customer's or the site's id; absent for the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Invited; the invitation was not used yet.
    Invited,
    /// May sign in.
    Active,
    /// May not: somebody disabled it, or its time is over.
    Disabled,
    /// May not: every factor is locked after too many wrong codes.
    Locked,
}

/// Whether an account has a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mfa {
    /// A factor is enrolled.
    Active,
    /// None is, and one is required.
    Required,
    /// None is, and none is required.
    Off,
}

/// Why an account must have a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MfaRequiredBy {
    /// All users of the tenant must.
    Tenant,
    /// One of its roles must; administrators always do.
    Role,
    /// An administrator required it of this account.
    User,
}

/// How many factors of each kind an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorCounts {
    /// Authenticator apps.
    pub totp: u32,
    /// Passkeys.
    pub passkeys: u32,
    /// Recovery codes that are left.
    pub recovery_codes_left: u32,
}

/// A user, as the list shows them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Their id.
    #[schema(value_type = String)]
    pub id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Where the account stands.
    pub state: AccountState,
    /// Whether they have a second factor.
    pub mfa: Mfa,
    /// Why they must have one; absent where they need not.
    pub mfa_required_by: Option<MfaRequiredBy>,
    /// Their factors.
    pub factors: FactorCounts,
    /// Their roles, the most powerful first.
    pub assignments: Vec<Assignment>,
    /// When the account ends by itself.
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
    /// When they last signed in.
    #[schema(value_type = Option<String>)]
    pub last_sign_in: Option<Timestamp>,
    /// When the account was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// Live sessions.
    pub sessions: u32,
    /// Until when an open invitation or activation link works; absent where there is none.
    #[schema(value_type = Option<String>)]
    pub invited_until: Option<Timestamp>,
    /// A reset of their factor that waits, so that they can stop it.
    pub held_reset: Option<HeldReset>,
    /// Whether it is the one who asks.
    pub you: bool,
}

/// A reset of somebody's factor that waits for a day, so that whoever still has the factor can stop it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldReset {
    /// When it happens.
    #[schema(value_type = String)]
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
}

/// Users with the counts for the tabs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserPage {
    /// The users, in the list's order.
    pub items: Vec<User>,
    /// Where the next page begins; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many match the filters.
    pub total: u64,
    /// How many there are, whatever the filters.
    pub counts: UserCounts,
}

/// How many users there are of each kind.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct UserCounts {
    /// All of them.
    pub all: u64,
    /// With a factor.
    pub mfa_active: u64,
    /// Without one, though they must.
    pub mfa_required: u64,
    /// Without one.
    pub mfa_off: u64,
    /// Invited.
    pub invited: u64,
    /// Disabled.
    pub disabled: u64,
    /// Locked.
    pub locked: u64,
}

/// A user with all that administrators see of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// The tenant's policy of factors: where it requires them of everybody, nothing is required of single users.
    pub policy: MfaPolicy,
    /// What one administrator alone can do about a lost factor: `one_admin`, `two_people` or `hold`.
    pub reset_takes: ResetTakes,
    /// Until when the verification of their addresses is paused; absent where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub verification_paused_until: Option<Timestamp>,
    /// Their live sessions.
    pub sessions: Vec<Session>,
    /// Their last guarded actions, the newest first.
    pub recent: Vec<GuardedAction>,
}

/// What it takes to reset a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetTakes {
    /// One administrator, with a fresh proof.
    OneAdmin,
    /// Two people.
    TwoPeople,
    /// One administrator and a day, in which the user can stop it.
    Hold,
}

/// A guarded action that somebody asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GuardedAction {
    /// Its request.
    #[schema(value_type = String)]
    pub request: RequestId,
    /// What it was, as one sentence.
    pub summary: String,
    /// `open`, `executed`, `denied` or `expired`.
    pub state: String,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

/// Invites somebody.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteUser {
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their roles; at least one.
    pub assignments: Vec<NewAssignment>,
    /// When the account ends by itself; required for the role `support`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// Names users.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// Their ids.
    pub users: Vec<String>,
}

/// Replaces a user's roles.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAssignments {
    /// Their roles from now on; at least one.
    pub assignments: Vec<NewAssignment>,
    /// When the account ends by itself; required for the role `support`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// Whether something is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum YesNo {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// Requires a factor of users, or no longer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequireMfa {
    /// Their ids.
    pub users: Vec<String>,
    /// Whether they must have one.
    pub required: YesNo,
}

/// How an administrator made sure that it is really this person who lost their factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Face to face.
    InPerson,
    /// By calling a number that was known before.
    ByCall,
}

/// Takes away a user's factors, so that they enrol new ones.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetFactor {
    /// How it was made sure that it is really them.
    pub confirmed: Confirmed,
}

/// A role: built in, or a named list of capabilities.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// A built-in role's word, or a custom role's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// `built_in` or `custom`.
    pub kind: RoleKind,
    /// What it allows.
    pub capabilities: Vec<String>,
    /// Whether it can hold for a customer or a site alone.
    pub scopes: Vec<ScopeKind>,
    /// Whether an account with it must have an end.
    pub must_expire: bool,
    /// How many users have it.
    pub users: u64,
}

/// The tenant of a scope, for those who build one.
impl Scope {
    /// The whole tenant.
    pub fn tenant(id: TenantId, name: &str) -> Self {
        Self { kind: ScopeKind::Tenant, id: id.to_string(), name: name.to_owned() }
    }
}
