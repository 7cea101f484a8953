//! What goes into and comes out of a browser's `navigator.credentials`.
//!
//! It has the names of WebAuthn Level 3 (sections 5.1.8 to 5.4.6), so that `PublicKeyCredential.parseCreationOptionsFromJSON`,
//! `parseRequestOptionsFromJSON` and `toJSON` fit as they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
