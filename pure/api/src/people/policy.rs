//! What holds for everybody: second factors, sessions, mail.

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::roles::MfaWho;
use super::users::YesNo;

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
    /// Whether owners and administrators prove themselves by passkeys alone. Absent in a change: as it is.
    #[serde(default)]
    pub admins_passkey: Option<YesNo>,
    /// Whether programs are let in by a device code that a person types (RFC 8628). Absent in a change: as it is.
    #[serde(default)]
    pub device_codes: Option<YesNo>,
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
