//! A tool whose client needs a licence, with the host that vouches for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sallyport_grant::{Envelope, PayloadType};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Call, Reply};
use crate::owner::Owner;
use crate::server::TestServer;
use crate::tool::{ASSERTION_TYPE, Tool, posted};

/// A host with a key of its own for each seed.
#[derive(Clone)]
pub struct VouchingHost(SigningKey);

impl VouchingHost {
    /// The host of a seed.
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).expect("a scalar"))
    }

    /// Its public key, as a licence names it.
    pub fn key(&self) -> String {
        hex::encode(self.0.verifying_key().to_sec1_point(true).as_bytes())
    }

    /// Signs whatever is asked of it.
    pub fn signs(&self, header: &Value, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let signature: Signature = self.0.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// SHA-256 of a text, as a licence names a program.
pub fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A tool with a licence.
#[derive(Clone)]
pub struct LicensedTool {
    /// The tool with its client, which needs a licence.
    pub tool: Tool,
    /// The licence's id.
    pub licence: String,
    /// Its file.
    pub file: String,
    /// The host that the licence names.
    pub host: VouchingHost,
}

/// A request of a token, all of it right before somebody changes it.
pub struct Asking {
    /// The client's assertion.
    pub assertion: String,
    /// The licence as the form takes it, where one is shown.
    pub licence: Option<String>,
    /// The host's claims.
    pub claims: Value,
    /// Whose key signs them.
    pub host: VouchingHost,
    /// What the host signed, where it is something else.
    pub instead: Option<String>,
    /// Scopes that are asked for.
    pub scope: String,
}

/// A licence's file as the form takes it.
pub fn shown(file: &str) -> String {
    URL_SAFE_NO_PAD.encode(file)
}

/// RFC 7638, of a P-256 key.
fn thumbprint(jwk: &Value) -> String {
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// What a console would ask for a licence.
pub fn wanted(tool: &Tool, host: &VouchingHost, scopes: &[&str]) -> Value {
    json!({
        "tool": "Patch report", "publisher": "Nordwind", "from": "1.2", "below": "2", "executables": [digest("report 1.4")], "scopes": scopes,
        "hosts": [{ "name": "build-1", "kind": "file", "key": host.key() }], "expires": tool.now().plus_secs(30 * 86_400),
    })
}

impl LicensedTool {
    /// Has a client made that needs a licence, and a licence issued for it.
    pub async fn made(server: &TestServer, owner: &mut Owner, seed: u8, scopes: &[&str]) -> Self {
        let mut tool = Tool::new(server, seed);
        let mut shape = tool.wanted(scopes);
        shape["licence"] = json!("needed");
        let made = owner.does(server, Call::new("POST", "/v1/clients").body(shape)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        made.json()["action"]["client"].as_str().expect("an id").clone_into(&mut tool.id);
        let host = VouchingHost::new(seed.wrapping_add(100));
        let (licence, file) = issue(server, owner, &tool, wanted(&tool, &host, scopes)).await;
        Self { tool, licence, file, host }
    }

    /// The right request of this moment.
    pub fn asking(&self) -> Asking {
        let assertion = self.tool.assertion();
        let now = self.tool.now().secs();
        let envelope = Envelope::parse(self.file.as_bytes(), PayloadType::Licence).expect("a licence");
        let claims = json!({
            "iss": self.host.key(), "kind": "file", "aud": self.tool.origin(), "iat": now, "exp": now + 60, "client": self.tool.id,
            "assertion": digest(&assertion), "jkt": thumbprint(&self.tool.wire.jwk()), "licence": envelope.digest(), "version": "1.4",
            "executable": digest("report 1.4"), "script": null,
        });
        Asking { assertion, licence: Some(shown(&self.file)), claims, host: self.host.clone(), instead: None, scope: String::new() }
    }

    /// Asks for a token with what is right but for what is changed; keeps the token where one is issued.
    pub async fn asks(&mut self, change: impl FnOnce(&mut Asking)) -> Reply {
        let mut asking = self.asking();
        change(&mut asking);
        let call = asking.call();
        self.tool.token.clear();
        let mut reply = self.tool.attempts(&call, |_, _| {}).await;
        if reply.json()["error"] == "use_dpop_nonce" {
            reply = self.tool.attempts(&call, |_, _| {}).await;
        }
        if reply.status == 200 {
            reply.json()["access_token"].as_str().expect("a token").clone_into(&mut self.tool.token);
        }
        reply
    }
}

impl Asking {
    /// The call.
    pub fn call(&self) -> Call {
        let header = json!({ "typ": "sallyport-host+jwt", "alg": "ES256" });
        let host = self.instead.clone().unwrap_or_else(|| self.host.signs(&header, &self.claims.to_string()));
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", self.assertion.as_str()),
            ("scope", self.scope.as_str()),
        ];
        if let Some(licence) = &self.licence {
            fields.push(("licence", licence));
        }
        if !host.is_empty() {
            fields.push(("host_assertion", &host));
        }
        posted("/v1/oauth/token", &fields)
    }
}

/// Has a licence issued; its id and its file.
pub async fn issue(server: &TestServer, owner: &mut Owner, tool: &Tool, wanted: Value) -> (String, String) {
    let reply = owner.does(server, Call::new("POST", &format!("/v1/clients/{}/licences", tool.id)).body(wanted)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let id = reply.json()["action"]["licence"].as_str().expect("an id").to_owned();
    let file = owner.client.get(&format!("/v1/licences/{id}/file")).await;
    assert_eq!(file.status, 200, "{}", file.json());
    (id, file.json()["file"].as_str().expect("a file").to_owned())
}
