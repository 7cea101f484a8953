//! Set-up, sign-in, sessions and factors.

use sallyport_model::{FactorId, SessionId, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Assignment, HeldReset, OwnMfa};

/// Whether the one-time set-up is still to be done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// True until the first owner exists; then false for good.
    pub open: bool,
}

/// Begins the set-up: who the owner is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartSetup {
    /// The one-time token from the link that the server printed.
    pub token: String,
    /// The company's name.
    pub tenant_name: String,
    /// The owner's name.
    pub name: String,
    /// The owner's e-mail address, with which they sign in.
    pub email: String,
    /// The owner's password: at least 15 characters, nothing common.
    pub password: String,
}

/// What the owner's browser needs to finish the set-up.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SetupDraft {
    /// Names this draft; goes back with `finish`.
    pub draft: String,
    /// The authenticator to enrol, shown once.
    pub totp: TotpSecret,
    /// The id that the tenant will have.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The server's public keys, to be put into the root that the authority key signs.
    pub server_keys: ServerKeys,
}

/// The server's public keys of one tenant, each 64 hexadecimal digits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServerKeys {
    /// X25519: the agent link.
    pub link: String,
    /// Ed25519: attests that a factor was verified.
    pub attestation: String,
    /// Ed25519: signs checkpoints of the audit log.
    pub log: String,
    /// Ed25519: signs revocations.
    pub fresh: String,
    /// Ed25519: signs enrolment files.
    pub enrolment: String,
}

/// A new TOTP secret (RFC 6238, SHA-1, 6 digits, 30 s).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpSecret {
    /// Base32, to type by hand.
    pub secret: String,
    /// `otpauth://` for a QR code.
    pub uri: String,
}

/// Finishes the set-up.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishSetup {
    /// The one-time token again.
    pub token: String,
    /// The draft from `start`.
    pub draft: String,
    /// A code from the authenticator that was just enrolled.
    pub code: String,
    /// The root's body (base64 of its JSON bytes), made by the browser from the server's keys and the authority's.
    pub root_body: String,
    /// The authority's Ed25519 public key, 64 hexadecimal digits.
    pub authority_key: String,
    /// The authority's signature (base64) over the pre-authentication encoding of the root's body.
    pub root_signature: String,
}

/// Recovery codes, shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten codes, each good for one sign-in.
    pub recovery_codes: Vec<String>,
}

/// Signs in with all three at once; the answer never tells which was wrong.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// The authenticator's code, or a recovery code.
    pub code: String,
}

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionStage {
    /// The recovery codes were shown and not yet confirmed as saved.
    Codes,
    /// Signed in with a password and a factor.
    Full,
    /// Signed in with a recovery code or the authority kit: may enrol a factor, nothing else.
    Restricted,
    /// Signed in without a factor, where the tenant's policy allows it: reads, and never acts.
    Factorless,
    /// Signed in with a password that is known from a data breach, and a factor: may choose another password, nothing else.
    NewPassword,
    /// A program that was let in by a device code: it reads and asks, and proves nothing.
    DeviceCode,
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The user.
    #[schema(value_type = String)]
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Their most powerful role: owner, admin, technician, auditor, support, or a custom role's name.
    pub role: String,
    /// Their roles and where each holds.
    pub assignments: Vec<Assignment>,
    /// What they may do in this session: words of `roles.txt`.
    pub capabilities: Vec<String>,
    /// Whether they have a second factor, and what is asked of them.
    pub mfa: OwnMfa,
    /// A reset of their factor that waits, so that they can stop it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_reset: Option<HeldReset>,
    /// The tenant.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// This session.
    pub session: Session,
    /// When they last proved who they are in this session (RFC 9470's `auth_time`); using the session does not change it.
    #[schema(value_type = String)]
    pub auth_time: Timestamp,
    /// How strongly (RFC 9470's `acr`): `urn:sallyport:acr:pwd`, `:mfa`, `:phr` or `:phr-hw`, each stronger than the one before.
    pub acr: String,
    /// By what (RFC 8176's `amr`).
    pub amr: Vec<String>,
    /// Recovery codes that are left.
    pub recovery_codes_left: u32,
    /// When the step-up window closes; absent when it is not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub step_up_until: Option<Timestamp>,
    /// Since when a check-up of the authenticator is due: it was not used for 28 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub check_up: Option<Timestamp>,
    /// The kind of remote session that the window serves; absent until one has used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up_kind: Option<String>,
}

/// A signed-in browser or command line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// What it may do.
    pub stage: SessionStage,
    /// When it began.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When its person last did something.
    #[schema(value_type = String)]
    pub last_active: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// When it ends if nothing is done.
    #[schema(value_type = String)]
    pub idle_expires: Timestamp,
    /// The address that it was opened from.
    pub address: String,
    /// What the browser or the command line calls itself.
    pub user_agent: String,
    /// How its person proved themselves: `totp`, `passkey`, `recovery_code`, `authority_kit` or `password`.
    pub method: String,
    /// Town and country of the address, where a database of places is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where it was used from two networks at the same time: its person was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_networks: Option<TwoNetworks>,
    /// Whether the browser also keeps the session to this device (Device Bound Session Credentials).
    #[serde(default)]
    pub device_bound: bool,
    /// What the program calls itself that was let in by a browser; absent for browsers themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// A session was used from two networks at the same time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TwoNetworks {
    /// The two: an autonomous system (`AS64500`) where a database of them is configured, otherwise a range of addresses.
    pub networks: [String; 2],
    /// When that was noticed last.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

/// One of a user's factors.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Factor {
    /// Its id.
    #[schema(value_type = String)]
    pub id: FactorId,
    /// `totp` or `passkey`.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was enrolled.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was last used.
    #[schema(value_type = Option<String>)]
    pub last_used: Option<Timestamp>,
    /// Whether it is locked after too many wrong codes.
    pub locked: bool,
    /// From when it counts for guarded actions, where that is later: one that was enrolled after a recovery waits for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub counts_from: Option<Timestamp>,
    /// What is known of a passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<crate::PasskeyFacts>,
}
