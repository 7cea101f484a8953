//! A tool with an API client, as our own would be: a key that signs assertions, and another one that its access token is bound to.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::{SigningKey, VerifyKey};
use sallyport_server::clock::Clock as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Call, Client, Reply};
use crate::owner::Owner;
use crate::server::{TestClock, TestServer};

static IDS: AtomicU64 = AtomicU64::new(0);

/// `client_assertion_type`.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A tool.
#[derive(Clone)]
pub struct Tool {
    /// Signs its requests; what it signs them with is what its token is bound to.
    pub wire: Client,
    /// Its id; empty before it has one.
    pub id: String,
    /// Its access token, once it has one.
    pub token: String,
    /// The newest nonce.
    pub nonce: String,
    key: SigningKey,
    clock: TestClock,
    origin: String,
}

/// An id that was not used before.
pub fn fresh_id() -> String {
    format!("jti-{:020}", IDS.fetch_add(1, Ordering::Relaxed))
}

/// A form, percent-encoded.
pub fn form(fields: &[(&str, &str)]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let written = |text: &str| -> String {
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", written(value))).collect::<Vec<_>>().join("&")
}

/// A call with a form.
pub fn posted(path: &str, fields: &[(&str, &str)]) -> Call {
    Call::new("POST", path).raw(form(fields)).header("content-type", "application/x-www-form-urlencoded")
}

impl Tool {
    /// A tool with keys of its own for each seed, without a client yet.
    pub fn new(server: &TestServer, seed: u8) -> Self {
        Self {
            wire: Client::new(server, seed),
            id: String::new(),
            token: String::new(),
            nonce: String::new(),
            key: SigningKey::from_bytes(&[seed; 32]),
            clock: server.clock.clone(),
            origin: server.app.config.origin().to_owned(),
        }
    }

    /// The same client with another key for its assertions.
    #[must_use]
    pub fn with_key(&self, seed: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[seed; 32]), ..self.clone() }
    }

    /// The same tool in a run of its own: another key for its token, and no token yet.
    #[must_use]
    pub fn another_run(&self, server: &TestServer, seed: u8) -> Self {
        Self { wire: Client::new(server, seed), token: String::new(), nonce: String::new(), ..self.clone() }
    }

    /// The server's time.
    pub fn now(&self) -> sallyport_model::Timestamp {
        self.clock.now()
    }

    /// The server's own identifier.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public key of its assertions.
    pub fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(VerifyKey::of(&self.key).as_bytes()) })
    }

    /// What a console would ask for it.
    pub fn wanted(&self, scopes: &[&str]) -> Value {
        json!({
            "name": "nightly", "scopes": scopes, "networks": ["127.0.0.0/8"], "key": self.jwk(),
            "expires": self.clock.now().plus_secs(30 * 86_400),
        })
    }

    /// Has a client made for it in the owner's name.
    pub async fn made(server: &TestServer, owner: &mut Owner, seed: u8, scopes: &[&str]) -> Self {
        let mut tool = Self::new(server, seed);
        let reply = owner.does(server, Call::new("POST", "/v1/clients").body(tool.wanted(scopes))).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()["action"]["client"].as_str().expect("an id").clone_into(&mut tool.id);
        tool
    }

    /// Header and claims of an assertion that is right now.
    pub fn assertion_parts(&self) -> (Value, Value) {
        let now = self.clock.now().secs();
        let claims = json!({ "iss": self.id, "sub": self.id, "aud": self.origin, "jti": fresh_id(), "iat": now, "exp": now + 60 });
        (json!({ "typ": "client-authentication+jwt", "alg": "EdDSA" }), claims)
    }

    /// Signs an assertion, whatever it says.
    pub fn assert(&self, (header, claims): &(Value, Value)) -> String {
        use ed25519_dalek::Signer as _;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// A right assertion.
    pub fn assertion(&self) -> String {
        self.assert(&self.assertion_parts())
    }

    /// The call for a token with such an assertion.
    pub fn token_call(assertion: &str) -> Call {
        let fields = [("grant_type", "client_credentials"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        posted("/v1/oauth/token", &fields)
    }

    /// The claims of a proof of plain RFC 9449 that is right for a call now, with the tool's token where it has one.
    pub fn proof_claims(&self, call: &Call) -> Value {
        let path = call.path.split('?').next().unwrap_or_default();
        let mut claims = json!({
            "jti": fresh_id(), "htm": call.method, "htu": format!("{}{path}", self.origin), "iat": self.clock.now().secs(),
            "nonce": self.nonce,
        });
        if !self.token.is_empty() {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(self.token.as_bytes())));
        }
        claims
    }

    /// The header of its proofs.
    pub fn proof_header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.wire.jwk() })
    }

    /// Gets a token; what was answered.
    pub async fn gets_token(&mut self) -> Reply {
        self.token.clear();
        let mut reply = self.asks_for_token().await;
        if reply.json()["error"] == "use_dpop_nonce" {
            reply = self.asks_for_token().await;
        }
        if reply.status == 200 {
            reply.json()["access_token"].as_str().expect("a token").clone_into(&mut self.token);
        }
        reply
    }

    async fn asks_for_token(&mut self) -> Reply {
        let call = Self::token_call(&self.assertion());
        self.attempts(&call, |_, _| {}).await
    }

    /// Sends with its token, if it has one, and a proof; once more where the server wants its nonce.
    pub async fn sends(&mut self, call: Call) -> Reply {
        let reply = self.attempts(&call, |_, _| {}).await;
        if reply.code() == "use_dpop_nonce" { self.attempts(&call, |_, _| {}).await } else { reply }
    }

    /// Asks without a body.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.sends(Call::new("GET", path)).await
    }

    /// Sends once; header and claims of the proof are right but for what is changed.
    pub async fn attempts(&mut self, call: &Call, change: impl Fn(&mut Value, &mut Value)) -> Reply {
        let (mut header, mut claims) = (self.proof_header(), self.proof_claims(call));
        change(&mut header, &mut claims);
        self.sends_with(call, &self.wire.signed(&header, &claims)).await
    }

    /// Sends once with this proof.
    pub async fn sends_with(&mut self, call: &Call, proof: &str) -> Reply {
        let mut call = call.clone();
        if !self.token.is_empty() && !call.headers.iter().any(|(name, _)| name == "authorization") {
            call = call.header("authorization", &format!("DPoP {}", self.token));
        }
        let reply = self.wire.send_with(&call, Some(proof)).await;
        if let Some(nonce) = reply.header("dpop-nonce") {
            nonce.clone_into(&mut self.nonce);
        }
        reply
    }

    /// Ends a token before its time.
    pub async fn revokes(&self, token: &str) -> Reply {
        let assertion = self.assertion();
        let fields = [("token", token), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        self.wire.send_with(&posted("/v1/oauth/revoke", &fields), None).await
    }

    /// Registers the next key with the present one.
    pub async fn rotates(&self, next: &Self) -> Reply {
        let (assertion, next_assertion, jwk) = (self.assertion(), next.assertion(), next.jwk().to_string());
        let fields = [
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
            ("next_key", jwk.as_str()),
            ("next_assertion", next_assertion.as_str()),
        ];
        self.wire.send_with(&posted("/v1/oauth/keys", &fields), None).await
    }
}
