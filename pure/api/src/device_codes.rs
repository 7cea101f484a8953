//! Programs on computers without a browser, let in by a code that their person types (RFC 8628).

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Assertion, StartedAssertion, YesNo};

/// A program on a computer without a browser asks to be let in (RFC 8628, section 3.1), as a form. The header `DPoP` names the key that the
/// session will be bound to.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceCodeForm {
    /// `sallyport-cli`.
    pub client_id: String,
    /// What the program calls itself.
    pub name: Option<String>,
}

/// What the program shows its person, and polls with (RFC 8628, section 3.2).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceCode {
    /// For polling the token endpoint; worth nothing without the key of the proof.
    pub device_code: String,
    /// For the person, who types it.
    pub user_code: String,
    /// Where they type it.
    pub verification_uri: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds between two polls.
    pub interval: i64,
}

/// A code that a person typed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedCode {
    /// Eight letters; case, spaces and hyphens do not matter.
    pub user_code: String,
}

/// A program that waits for its person's answer. What it says of itself is a claim; where it asked from is not.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct WaitingProgram {
    /// What it calls itself.
    pub name: String,
    /// Where it asked from.
    pub address: String,
    /// Town and country of the address, where a database of places is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it sent as its user agent.
    pub user_agent: String,
    /// When it asked.
    #[schema(value_type = String)]
    pub asked: Timestamp,
    /// Until when it waits.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// The challenge that a yes answers: the digest of all of this, of the program's key and of who is asked.
    pub proof: StartedAssertion,
}

/// A person's answer to a program that waits.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCodeAnswer {
    /// Its code, once more.
    pub user_code: String,
    /// Whether it may.
    pub answer: YesNo,
    /// The passkey's answer to the challenge; for a yes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Assertion>,
}
