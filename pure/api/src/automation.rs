//! API clients: tools that work in somebody's name.

use std::collections::BTreeSet;

use sallyport_model::{ApiClientId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LicenceRefused, LicenceRule};

/// Whether a client must replace its key each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyRotation {
    /// It registers its next key with the present one; one that does not is warned about, then stopped.
    #[default]
    Daily,
    /// Its key stays: for tools that cannot do better.
    ByHand,
}

/// A public key as a JSON Web Key (RFC 7517): P-256 for ES256, or Ed25519 for EdDSA. The private part never leaves the tool's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicJwk {
    /// `EC` or `OKP`.
    pub kty: String,
    /// `P-256` or `Ed25519`.
    pub crv: String,
    /// Base64url.
    pub x: String,
    /// Base64url; of P-256 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// An API client that is asked for, in the name of whoever asks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiClient {
    /// What people call it.
    pub name: String,
    /// Capabilities, at most those that the owner has; what holds is asked anew at each request.
    pub scopes: BTreeSet<String>,
    /// Ranges of addresses that it works from.
    pub networks: Vec<String>,
    /// When it ends by itself, within 400 days.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// Its public key.
    pub key: PublicJwk,
    /// Whether it must replace its key each day.
    #[serde(default)]
    pub rotation: KeyRotation,
    /// Whether it must show a licence for each token.
    #[serde(default)]
    pub licence: LicenceRule,
}

/// Another shape for an API client.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeApiClient {
    /// What people call it.
    pub name: String,
    /// Capabilities.
    pub scopes: BTreeSet<String>,
    /// Ranges of addresses that it works from.
    pub networks: Vec<String>,
    /// When it ends by itself.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// Whether it must replace its key each day.
    #[serde(default)]
    pub rotation: KeyRotation,
    /// Whether it must show a licence for each token; as it is, where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<LicenceRule>,
}

/// What an API client may do, from where, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiClientShape {
    /// What people call it.
    pub name: String,
    /// Capabilities.
    pub scopes: BTreeSet<String>,
    /// Ranges of addresses that it works from.
    pub networks: Vec<String>,
    /// When it ends by itself.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// Whether it must replace its key each day.
    pub rotation: KeyRotation,
    /// Whether it must show a licence for each token.
    pub licence: LicenceRule,
}

/// Where an API client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiClientState {
    /// It works.
    Active,
    /// Its key is to be replaced, and was not.
    KeyDue,
    /// It was stopped, for good.
    Stopped,
    /// Its time is over.
    Expired,
    /// Its owner's account does not work.
    OwnerOver,
}

/// An API client.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiClient {
    /// Its id: `client_id`, and `iss` and `sub` of its assertions.
    #[schema(value_type = String)]
    pub id: ApiClientId,
    /// What it may do.
    #[serde(flatten)]
    pub shape: ApiClientShape,
    /// Where it stands.
    pub state: ApiClientState,
    /// In whose name it works.
    #[schema(value_type = String)]
    pub owner: UserId,
    /// Their name.
    pub owner_name: String,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was stopped.
    #[schema(value_type = Option<String>)]
    pub stopped: Option<Timestamp>,
    /// Why: `by_person`, `rotation_missed` or `key_reused`.
    pub stopped_why: Option<String>,
    /// When it last got an access token.
    #[schema(value_type = Option<String>)]
    pub last_used: Option<Timestamp>,
    /// From which address.
    pub last_address: Option<String>,
    /// Its present public key.
    pub key: PublicJwk,
    /// When that key was registered.
    #[schema(value_type = String)]
    pub key_created: Timestamp,
    /// The last time that it got no token for want of a licence.
    pub last_refusal: Option<LicenceRefused>,
}

/// A capability that an API client can have.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiScope {
    /// The word.
    pub name: String,
    /// What it allows.
    pub about: String,
}

/// API clients, and what they can have.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiClients {
    /// The newest first.
    pub items: Vec<ApiClient>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What the reader could give to a client of their own.
    pub scopes: Vec<ApiScope>,
}

/// An API client that is made or changed, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiClientDetails {
    /// Which.
    #[schema(value_type = String)]
    pub client: ApiClientId,
    /// Its public key, where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicJwk>,
    /// The shape that it had; absent where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ApiClientShape>,
    /// The shape that it gets.
    pub after: ApiClientShape,
}

/// A request of an access token (RFC 6749, sections 4.1.3 and 4.4), as a form. The header `DPoP` names the key that the token will be bound to.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenForm {
    /// `client_credentials`; `authorization_code` for a program that a person let in; `urn:ietf:params:oauth:grant-type:device_code` for one
    /// that waits for that.
    pub grant_type: String,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    pub client_assertion_type: Option<String>,
    /// A JWT that the client signed (RFC 7523): `typ` `client-authentication+jwt`, `aud` the issuer as one string.
    pub client_assertion: Option<String>,
    /// The client's id, if it says so beside the assertion.
    pub client_id: Option<String>,
    /// Fewer scopes than the client has, with spaces between them.
    pub scope: Option<String>,
    /// The licence, where the client needs one: base64url of the file, without padding.
    pub licence: Option<String>,
    /// A JWT that the host's key signed about this request: `typ` `sallyport-host+jwt`, see the guide.
    pub host_assertion: Option<String>,
    /// The code that came to the program's address.
    pub code: Option<String>,
    /// The verifier of the challenge (RFC 7636).
    pub code_verifier: Option<String>,
    /// The program's address, as it was asked for.
    pub redirect_uri: Option<String>,
    /// The code by which a program polls (RFC 8628).
    pub device_code: Option<String>,
}

/// An access token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// The token: opaque, and worth nothing without the key of the proof.
    pub access_token: String,
    /// `DPoP`.
    pub token_type: String,
    /// Seconds; a token that is not used for 60 of them ends earlier.
    pub expires_in: i64,
    /// What it is good for at most; absent where it is a person's, who may do in it what their roles allow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The client's key is older than a day: register the next one.
    #[serde(default)]
    pub key_due: bool,
    /// How strongly the person behind it proved themselves (RFC 9470), where it is a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// When, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// A person's answer to a program that wants to sign in as them. All but `answer` is what the program asked for, word for word.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramAnswer {
    /// Whether it may.
    pub answer: crate::YesNo,
    /// `sallyport-cli`.
    pub client_id: String,
    /// `code`.
    pub response_type: String,
    /// `http://127.0.0.1:PORT/callback` or `http://[::1]:PORT/callback`.
    pub redirect_uri: String,
    /// SHA-256 of the verifier, base64url.
    pub code_challenge: String,
    /// `S256`.
    pub code_challenge_method: String,
    /// The thumbprint of the key that the session will be bound to (RFC 9449, section 10).
    pub dpop_jkt: String,
    /// Comes back with the answer: 16 to 200 unreserved characters.
    pub state: String,
    /// What the program calls itself.
    #[serde(default)]
    pub name: String,
    /// Classes of authentication, any of which is enough (RFC 9470).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    /// How old the authentication may be, in seconds; less than a minute counts as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

/// Where the browser goes with the answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProgramRedirect {
    /// The program's address, with `code` or `error`, `state` and `iss` (RFC 9207).
    pub redirect: String,
}

/// A token that ends before its time (RFC 7009), as a form.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokeForm {
    /// The token.
    pub token: String,
    /// Not needed.
    pub token_type_hint: Option<String>,
    /// As at the token endpoint.
    pub client_assertion_type: Option<String>,
    /// As at the token endpoint.
    pub client_assertion: Option<String>,
    /// As at the token endpoint.
    pub client_id: Option<String>,
}

/// The next key of a client, as a form.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RotateForm {
    /// As at the token endpoint, signed by the present key.
    pub client_assertion_type: Option<String>,
    /// As at the token endpoint, signed by the present key.
    pub client_assertion: Option<String>,
    /// As at the token endpoint.
    pub client_id: Option<String>,
    /// The next public key: a JSON Web Key, as text.
    pub next_key: String,
    /// Another assertion, signed by the next key: it shows that the client has it.
    pub next_assertion: String,
}

/// A key that took the place of another one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotatedKey {
    /// Until when the former key works.
    #[schema(value_type = String)]
    pub former_until: Timestamp,
    /// When the new key is to be replaced.
    #[schema(value_type = String)]
    pub due: Timestamp,
}

/// The description of `invalid_client` where no key that is registered for the client signed: a tool may forget the key that it used.
pub const UNREGISTERED_KEY: &str = "the assertion is not signed by a registered key";

/// A refusal in the words of OAuth (RFC 6749, section 5.2).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OauthError {
    /// `invalid_request`, `invalid_client`, `invalid_scope`, `unsupported_grant_type`, `invalid_dpop_proof`, `use_dpop_nonce`, ...
    pub error: String,
    /// What is wrong.
    pub error_description: String,
}

/// The authorization server's own description (RFC 8414).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OauthMetadata {
    /// `aud` of assertions.
    pub issuer: String,
    /// Where a person answers a program.
    pub authorization_endpoint: String,
    /// Where tokens are issued.
    pub token_endpoint: String,
    /// Where they end.
    pub revocation_endpoint: String,
    /// Where programs on computers without a browser ask (RFC 8628); absent where no tenant allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// `private_key_jwt`.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// `ES256` and `EdDSA`.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `private_key_jwt`.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// `ES256` and `EdDSA`.
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `client_credentials` and `authorization_code`; where a tenant allows it, `urn:ietf:params:oauth:grant-type:device_code` too.
    pub grant_types_supported: Vec<String>,
    /// `code`.
    pub response_types_supported: Vec<String>,
    /// `S256`.
    pub code_challenge_methods_supported: Vec<String>,
    /// Answers carry `iss` (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Weakest first (RFC 9470).
    pub acr_values_supported: Vec<String>,
    /// `ES256`.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// What a client can have.
    pub scopes_supported: Vec<String>,
    /// Where keys are replaced.
    pub sallyport_key_endpoint: String,
}
