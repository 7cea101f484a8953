//! An authenticator and a browser's part of WebAuthn that are not ours: the crate `passkey`.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData, WebauthnError};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::{Value, json};
use url::Url;

use crate::server::TestServer;

/// Somebody who is there, and verified or not.
struct Person {
    verified: bool,
}

#[async_trait]
impl UserValidationMethod for Person {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, presence: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification: self.verified })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A software authenticator with room for one discoverable credential, in a browser.
pub struct SoftPasskey {
    client: Client<Option<Passkey>, Person, RustCryptoBackend, public_suffix::PublicSuffixList, ()>,
    origin: Url,
}

impl SoftPasskey {
    /// One in a browser that is at this origin.
    ///
    /// # Panics
    /// When the origin is no URL.
    pub fn at(origin: &str) -> Self {
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), None, Person { verified: true }, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        let client = Client::new(authenticator).allows_insecure_localhost(true);
        Self { client, origin: Url::parse(origin).expect("an origin") }
    }

    /// The same authenticator, in a browser that was lured to another origin.
    #[must_use]
    pub fn lured_to(mut self, origin: &str) -> Self {
        self.origin = Url::parse(origin).expect("an origin");
        self
    }

    /// Another factor of whoever is signed in with this browser, proved by a code.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn added(server: &TestServer, client: &mut crate::client::Client, code: &str) -> Self {
        let started = client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": code } })).await.json();
        let mut key = Self::at(server.app.config.origin());
        let credential = key.create(&started["options"]).await;
        let finish = json!({ "ceremony": started["ceremony"], "name": "Laptop", "credential": credential });
        assert_eq!(client.post("/v1/me/passkeys/finish", finish).await.status, 204);
        key
    }

    /// Makes a credential, as `navigator.credentials.create` and `toJSON` do.
    ///
    /// # Panics
    /// When the authenticator refuses.
    pub async fn create(&mut self, options: &Value) -> Value {
        let options: CredentialCreationOptions = serde_json::from_value(json!({ "publicKey": options })).expect("options");
        let credential = self.client.register(&self.origin, options, DefaultClientData).await.expect("a credential");
        written(serde_json::to_value(credential).expect("plain data"))
    }

    /// Answers a challenge, as `navigator.credentials.get` and `toJSON` do.
    ///
    /// # Panics
    /// When the authenticator has no such credential.
    pub async fn get(&mut self, options: &Value) -> Value {
        self.try_get(options).await.expect("an answer")
    }

    /// The same, where the browser or the authenticator may refuse.
    pub async fn try_get(&mut self, options: &Value) -> Result<Value, WebauthnError> {
        let mut options = options.clone();
        // To a browser an empty list is none.
        if options["allowCredentials"].as_array().is_some_and(Vec::is_empty) {
            options.as_object_mut().expect("options").remove("allowCredentials");
        }
        let options: CredentialRequestOptions = serde_json::from_value(json!({ "publicKey": options })).expect("options");
        let credential = self.client.authenticate(&self.origin, options, DefaultClientData).await?;
        Ok(written(serde_json::to_value(credential).expect("plain data")))
    }
}

/// Bytes as `toJSON` writes them: base64url in place of lists of numbers.
fn written(value: Value) -> Value {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = items.iter().filter_map(Value::as_u64).filter_map(|number| u8::try_from(number).ok()).collect();
            Value::String(URL_SAFE_NO_PAD.encode(bytes))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(written).collect()),
        Value::Object(members) => Value::Object(members.into_iter().map(|(name, value)| (name, written(value))).collect()),
        other => other,
    }
}
