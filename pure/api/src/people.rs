//! People: users with their roles and scopes, invitations, the policy of factors and of sessions, mail.
//!
//! What is guarded answers 202 with an authorization request (or 201 where an open window is enough); the rest is done at once.

use sallyport_model::{RequestId, RoleId, SessionId, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// Who made a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleKind {
    /// Part of the product.
    BuiltIn,
    /// Made by the tenant.
    Custom,
}

/// All roles, and what roles are made of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Roles {
    /// The built-in ones, the most powerful first, then the custom ones by name.
    pub roles: Vec<Role>,
    /// The capabilities that a custom role may have.
    pub capabilities: Vec<RoleCapability>,
}

/// Something that a role may allow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoleCapability {
    /// Its word, as in a custom role.
    pub name: String,
    /// What it allows, for people.
    pub about: String,
    /// Whether it follows the scope of the role: otherwise it holds for the tenant alone.
    pub scoped: bool,
}

/// A custom role, to be made or replaced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRole {
    /// What people call it.
    pub name: String,
    /// What it allows: words of [`Roles::capabilities`].
    pub capabilities: Vec<String>,
}

/// Who must have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MfaWho {
    /// Owners and administrators.
    Admins,
    /// Everybody.
    All,
    /// Owners, administrators, and users with one of the named roles.
    Roles,
}

/// The tenant's policy of second factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MfaPolicy {
    /// Who must have one.
    pub who: MfaWho,
    /// The roles, where `who` is `roles`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Until when those who must may still sign in without one, if `factorless` allows it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub deadline: Option<Timestamp>,
    /// Whether users who have none may sign in with a password alone: they read, and never act. Never owners and administrators.
    pub factorless: YesNo,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionLimits {
    /// A session without use ends after this.
    pub idle_secs: u32,
    /// A session ends after this, used or not.
    pub lifetime_secs: u32,
}

/// What the tenant decided about signing in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Second factors.
    pub mfa: MfaPolicy,
    /// Sessions.
    pub sessions: SessionLimits,
    /// Whether mail is sent. Without a mail server links are shown to administrators, and what needs mail cannot be switched on.
    pub mail: MailState,
    /// Users without a factor.
    pub without_factor: u64,
}

/// Whether mail is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailState {
    /// Whether the server has a mail server.
    pub configured: YesNo,
    /// Mails that wait to be sent.
    pub waiting: u64,
    /// Mails that were given up in the last 30 days.
    pub failed: u64,
    /// When the last one was sent.
    #[schema(value_type = Option<String>)]
    pub last_sent: Option<Timestamp>,
    /// Why the last attempt failed; absent when it did not.
    pub last_error: Option<String>,
}

/// A mail and what became of it. Its text is not kept once it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// `waiting`, `sent` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the mail server said last.
    pub error: Option<String>,
    /// When it was queued.
    #[schema(value_type = String)]
    pub queued: Timestamp,
    /// When it was sent.
    #[schema(value_type = Option<String>)]
    pub sent: Option<Timestamp>,
}

/// An invitation or activation link that was made. The link is there only where no mail server is, and is shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedInvitation {
    /// For whom.
    #[schema(value_type = String)]
    pub user: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Until when it works.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// How it gets there.
    pub delivery: Delivery,
    /// The link, to be handed over in person or by call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// How a link gets to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is mailed.
    Mail,
    /// Whoever asked hands it over.
    Copy,
}

/// Users that changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangedUsers {
    /// Their ids.
    #[schema(value_type = Vec<String>)]
    pub users: Vec<UserId>,
}

/// A reset that waits for a day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResetHeld {
    /// Whose factor.
    #[schema(value_type = String)]
    pub user: UserId,
    /// When it happens, if they do not stop it.
    #[schema(value_type = String)]
    pub until: Timestamp,
}

/// A token out of a link's fragment.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkToken {
    /// The token.
    pub token: String,
}

/// What is still missing for an invited user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationNeeds {
    /// A password of their own, then a factor.
    Password,
    /// A factor.
    Factor,
}

/// What an invitation is for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The company.
    pub tenant: String,
    /// Who is invited.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Who invited them.
    pub invited_by: String,
    /// Until when it works.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// What is still missing.
    pub needs: InvitationNeeds,
    /// The address that asks, as the server sees it: whose browser is about to be let in.
    pub address: String,
    /// What the asking browser calls itself.
    pub user_agent: String,
}

/// Begins an activation.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartActivation {
    /// The token of the link.
    pub token: String,
    /// Their own password: a new one where the invitation needs one, the present one where it needs a factor alone.
    pub password: String,
}

/// What a browser needs to finish an activation.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivationDraft {
    /// Names this draft; goes back with `finish`.
    pub draft: String,
    /// The authenticator to enrol, shown once.
    pub totp: crate::TotpSecret,
}

/// Finishes an activation.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishActivation {
    /// The token of the link again.
    pub token: String,
    /// The draft from `start`.
    pub draft: String,
    /// A code from the authenticator that was just enrolled.
    pub code: String,
}

/// How an activation link got on its way.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivationMail {
    /// To which address, shortened.
    pub to: String,
    /// Until when it works.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}

/// Whether the signed-in user has a second factor, and what is asked of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OwnMfa {
    /// Whether they have one.
    pub state: Mfa,
    /// Why they must have one.
    pub required_by: Option<MfaRequiredBy>,
    /// Until when it can wait.
    #[schema(value_type = Option<String>)]
    pub deadline: Option<Timestamp>,
    /// Whether *Activate later* is offered.
    pub may_postpone: bool,
}

/// What "Not me" did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotMeDone {
    /// Sessions that ended.
    #[schema(value_type = Vec<String>)]
    pub sessions: Vec<SessionId>,
    /// Authorization requests that were closed.
    pub requests: u64,
    /// Runs that had not reached their device and were cancelled.
    pub runs: u64,
    /// Whether a reset of the factor was stopped.
    pub reset_stopped: bool,
    /// The last guarded actions of the account, the newest first: look whether they were yours.
    pub recent: Vec<GuardedAction>,
    /// What to do next.
    pub next: String,
}

/// The tenant of a scope, for those who build one.
impl Scope {
    /// The whole tenant.
    pub fn tenant(id: TenantId, name: &str) -> Self {
        Self { kind: ScopeKind::Tenant, id: id.to_string(), name: name.to_owned() }
    }
}

/// An invitation as its administrator sees it in an authorization request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteUserDetails {
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their roles.
    pub assignments: Vec<Assignment>,
    /// When the account ends by itself.
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

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
