//! Trusted and required networks, and addresses that people approve.

use sallyport_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Networks from which technicians may sign in with the password alone; such a session reads, until a factor is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedNetwork {
    /// What people call it: "Office Lyon, fibre".
    pub label: String,
    /// `192.0.2.0/24`, `2001:db8::/48`, or single addresses.
    pub ranges: Vec<String>,
}

/// What a network can be required for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkCapability {
    /// Signing in, and everything after it.
    SignIn,
    /// Asking for and proving guarded actions.
    Guarded,
    /// Making installers.
    Installers,
    /// People, roles, factors of others and policy.
    Administration,
    /// Agents' connections.
    AgentLink,
}

/// Networks that a capability works from; elsewhere it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredNetwork {
    /// What it is required for; at most one entry for each.
    pub capability: NetworkCapability,
    /// `192.0.2.0/24`, `2001:db8::/48`, or single addresses; several for redundant lines.
    pub ranges: Vec<String>,
}

/// Whether something applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It applies.
    On,
    /// It does not.
    Off,
}

/// The tenant's rules about addresses.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NetworkPolicy {
    /// Goes back with a change: a change of something else in between is refused.
    pub version: u64,
    /// Trusted networks.
    pub trusted: Vec<TrustedNetwork>,
    /// Required networks.
    pub required: Vec<RequiredNetwork>,
    /// Whether a sign-in from a new address wants a mailed link or a passkey.
    pub address_verification: Switch,
    /// The address that this request came from, to choose ranges by.
    pub your_address: String,
}

/// Rules about addresses, by themselves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NetworkRules {
    /// Trusted networks.
    pub trusted: Vec<TrustedNetwork>,
    /// Required networks.
    pub required: Vec<RequiredNetwork>,
    /// Whether a sign-in from a new address wants a mailed link or a passkey.
    pub address_verification: Switch,
}

/// Asks for other rules about addresses. Refused where it would lock the asking person out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeNetworks {
    /// The version that was read.
    pub version: u64,
    /// Trusted networks, all of them.
    pub trusted: Vec<TrustedNetwork>,
    /// Required networks, all of them.
    pub required: Vec<RequiredNetwork>,
    /// Whether a sign-in from a new address wants a mailed link or a passkey; needs a mail server.
    pub address_verification: Switch,
}

/// An address that its user approved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovedAddress {
    /// The address.
    pub address: String,
    /// Town and country, where a database of places is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the browser called itself that it was approved for.
    pub user_agent: String,
    /// When.
    #[schema(value_type = String)]
    pub approved: Timestamp,
    /// The last sign-in from it.
    #[schema(value_type = Option<String>)]
    pub last_used: Option<Timestamp>,
}

/// The token of a mailed link, from the part of the address behind `#`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressToken {
    /// The token.
    pub token: String,
}

/// What a mailed link would approve: shown before the button.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddressToApprove {
    /// Whose sign-in it was.
    pub email: String,
    /// The address.
    pub address: String,
    /// Town and country, where a database of places is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The browser that tried to sign in: whoever does not know it does not press the button.
    pub user_agent: String,
    /// When it tried.
    #[schema(value_type = String)]
    pub asked: Timestamp,
    /// Until when the link works.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}

/// Pauses the verification of addresses for a user who has a factor; it goes on by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseAddressVerification {
    /// For whom.
    #[schema(value_type = String)]
    pub user: UserId,
    /// For how long: 1 to 168 hours; 0 ends a pause.
    pub hours: u32,
}

/// Whether the verification of addresses is paused for a user.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PausedAddressVerification {
    /// For whom.
    #[schema(value_type = String)]
    pub user: UserId,
    /// Until when; absent where it is not paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}
