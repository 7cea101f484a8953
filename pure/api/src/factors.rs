//! Factors beyond the first authenticator: passkeys, several authenticators, check-ups, password changes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Assertion, NewCredential, TotpSecret};

/// A passkey's answer to a ceremony that was begun.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAnswer {
    /// From `start`.
    pub ceremony: String,
    /// From the browser.
    pub credential: Assertion,
}

/// A passkey's answer to an authorization request.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyProof {
    /// From the browser.
    pub credential: Assertion,
}

/// A factor, proved for this one call: exactly one of the two.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorAnswer {
    /// A fresh code from an authenticator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// A passkey's answer, begun at `/v1/me/challenges` for the same purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeyAnswer>,
}

/// What a passkey is asked for apart from sign-in and authorization requests. An answer for one is refused for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChallengePurpose {
    /// Add or change factors.
    Factors,
    /// Change the password.
    Password,
    /// Lift a session that was opened without a factor, or challenge one again.
    Elevate,
    /// Show that the factor still works.
    CheckUp,
}

/// Begins a proof by passkey.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChallenge {
    /// What it is for.
    pub purpose: ChallengePurpose,
}

/// Begins the registration of a passkey.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartPasskey {
    /// A fresh factor (purpose `factors`). Left out where the session is good for enrolling: after a recovery code or an activation.
    #[serde(default)]
    pub proof: Option<FactorAnswer>,
}

/// Finishes the registration of a passkey.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishPasskey {
    /// From `start`.
    pub ceremony: String,
    /// What its owner calls it.
    pub name: String,
    /// From the browser.
    pub credential: NewCredential,
}

/// Begins the enrolment of one more authenticator app.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartTotp {
    /// A fresh factor (purpose `factors`). Left out where the session is good for enrolling: after a recovery code or an activation.
    #[serde(default)]
    pub proof: Option<FactorAnswer>,
}

/// An authenticator app that is not enrolled yet.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpDraft {
    /// Goes back with `finish`.
    pub draft: String,
    /// To scan or to type, shown once.
    pub totp: TotpSecret,
}

/// Finishes the enrolment of an authenticator app.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishTotp {
    /// From `start`.
    pub draft: String,
    /// What its owner calls it.
    pub name: String,
    /// A code that it shows; it is used up by this.
    pub code: String,
}

/// Gives a factor another name.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameFactor {
    /// What its owner calls it.
    pub name: String,
}

/// What is known of a passkey beside its name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeyFacts {
    /// Whether it may be copied to other devices by its maker's cloud (a synced passkey).
    pub backup_eligible: bool,
    /// Whether it was, when it was last used.
    pub backed_up: bool,
    /// How it can be reached: `usb`, `nfc`, `ble`, `hybrid`, `internal`.
    pub transports: Vec<String>,
    /// The maker's id of the model, all zero where it does not say.
    pub aaguid: String,
}

/// Lifts a session to a full one: from a trusted network without a factor, or after its address left the allowed ranges.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Elevate {
    /// A fresh factor (purpose `elevate`).
    pub proof: FactorAnswer,
}

/// Shows that a factor still works.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckUp {
    /// A fresh factor (purpose `check_up`).
    pub proof: FactorAnswer,
}

/// What becomes of other sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherSessions {
    /// They end.
    End,
    /// They go on.
    Keep,
}

/// Changes one's own password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password so far.
    pub current: String,
    /// The new one: at least 15 characters, on none of the server's lists of common and of breached ones.
    pub new: String,
    /// A fresh factor (purpose `password`).
    pub proof: FactorAnswer,
    /// What becomes of one's other sessions.
    pub other_sessions: OtherSessions,
}
