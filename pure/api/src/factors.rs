//! Factors beyond the first authenticator: passkeys, several authenticators, check-ups, password changes; networks and addresses.
//!
//! What goes into and comes out of a browser's `navigator.credentials` has the names of WebAuthn Level 3 (sections 5.1.8 to 5.4.6), so that
//! `PublicKeyCredential.parseCreationOptionsFromJSON`, `parseRequestOptionsFromJSON` and `toJSON` fit as they are.

use sallyport_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TotpSecret;

/// A credential that exists: what a browser looks for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CredentialDescriptor {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credential's id, base64url.
    pub id: String,
    /// How the authenticator can be reached, as it said when it was registered.
    pub transports: Vec<String>,
}

/// The site that a credential is for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RelyingParty {
    /// The host name.
    pub id: String,
    /// The company's name.
    pub name: String,
}

/// The account that a credential is for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialUser {
    /// The user's id, base64url.
    pub id: String,
    /// The e-mail address.
    pub name: String,
    /// The name.
    pub display_name: String,
}

/// An algorithm that is accepted: -7 (ES256) or -8 (EdDSA).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CredentialParameter {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The COSE number.
    pub alg: i32,
}

/// What an authenticator must be able to do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// `required`: the credential is found without a user name.
    pub resident_key: String,
    /// The same, for older browsers.
    pub require_resident_key: bool,
    /// `required`: fingerprint, face or PIN, each time.
    pub user_verification: String,
}

/// Options for `navigator.credentials.create`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    /// The challenge, base64url.
    pub challenge: String,
    /// The site.
    pub rp: RelyingParty,
    /// The account.
    pub user: CredentialUser,
    /// The algorithms, the preferred one first.
    pub pub_key_cred_params: Vec<CredentialParameter>,
    /// How long this is good, in milliseconds.
    pub timeout: u64,
    /// Credentials that this account has already.
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What the authenticator must be able to do.
    pub authenticator_selection: AuthenticatorSelection,
    /// `none`.
    pub attestation: String,
}

/// Options for `navigator.credentials.get`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    /// The challenge, base64url. For a request it is the SHA-256 of what is authorized.
    pub challenge: String,
    /// How long this is good, in milliseconds.
    pub timeout: u64,
    /// The host name.
    pub rp_id: String,
    /// The account's credentials; empty at sign-in, where the authenticator says whose it is.
    pub allow_credentials: Vec<CredentialDescriptor>,
    /// `required`.
    pub user_verification: String,
}

/// A registration that was begun.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StartedRegistration {
    /// Names the ceremony; goes back with `finish`.
    pub ceremony: String,
    /// For the browser.
    pub options: CreationOptions,
}

/// A proof by passkey that was begun.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StartedAssertion {
    /// Names the ceremony; goes back with the answer.
    pub ceremony: String,
    /// For the browser.
    pub options: RequestOptions,
}

/// A new credential, as `toJSON` writes it. Members that are not named here are ignored and never trusted.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewCredential {
    /// The credential's id, base64url.
    pub id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator said.
    pub response: AttestationResponse,
}

/// What an authenticator says of a new credential.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttestationResponse {
    /// Base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// Base64url.
    pub attestation_object: String,
    /// How it can be reached: `usb`, `nfc`, `ble`, `hybrid`, `internal`.
    #[serde(default)]
    pub transports: Vec<String>,
}

/// An answer by a passkey, as `toJSON` writes it. Members that are not named here are ignored and never trusted.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assertion {
    /// The credential's id, base64url.
    pub id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator signed.
    pub response: AssertionResponse,
}

/// What an authenticator signed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// Base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// Base64url.
    pub authenticator_data: String,
    /// Base64url.
    pub signature: String,
    /// The user's id, base64url; needed at sign-in.
    pub user_handle: Option<String>,
}

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
    /// The new one: at least 15 characters, nothing common, nothing breached.
    pub new: String,
    /// A fresh factor (purpose `password`).
    pub proof: FactorAnswer,
    /// What becomes of one's other sessions.
    pub other_sessions: OtherSessions,
}

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
