//! One-use links: invitations, activation, "Not me".

use sallyport_model::{SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::{Assignment, GuardedAction, Mfa, MfaRequiredBy};

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
    /// Another one, where the present one is known from a data breach (`password_breached`).
    #[serde(default)]
    pub new_password: Option<String>,
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
