//! The first owner: goes through the set-up as the console does, with an authenticator that is not ours.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_grant::{Envelope, PayloadType, SignatureKind, SigningKey, VerifyKey};
use sallyport_model::Timestamp;
use sallyport_server::clock::Clock;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::host::Host;
use crate::python::python_with;
use crate::server::TestServer;

/// The owner's e-mail address.
pub const EMAIL: &str = "owner@nordwind.example";
/// The owner's password.
pub const PASSWORD: &str = "violet teapots whistle at dawn";

/// The code that `oathtool` computes for a base32 secret at a time.
///
/// # Panics
/// Where `oathtool` is not installed: tests are never skipped.
pub fn oathtool(secret: &str, at: Timestamp) -> String {
    let output = Command::new("oathtool").args(["--totp", "-b", secret, "--now", &format!("@{}", at.secs())]).output();
    let output = output.expect("oathtool must be installed: apt-get install oathtool");
    assert!(output.status.success(), "oathtool: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("digits").trim().to_owned()
}

/// The code that `pyotp` computes at a time for what a QR code says.
///
/// # Panics
/// Where it refuses the URI, or cannot be installed: tests are never skipped.
pub fn pyotp(uri: &str, at: Timestamp) -> String {
    let program = "import pyotp, sys; print(pyotp.parse_uri(sys.argv[1]).at(int(sys.argv[2])))";
    let python = python_with("pyotp", "totp-python", &["pyotp==2.9.0"]);
    let output = Command::new(python).args(["-c", program, uri, &at.secs().to_string()]).output().expect("python starts");
    assert!(output.status.success(), "pyotp: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("digits").trim().to_owned()
}

/// A set-up that was begun.
pub struct Begun {
    /// The one-time token.
    pub token: String,
    /// What `start` answered.
    pub draft: Value,
    /// The authority key, as the owner keeps it.
    pub authority: SigningKey,
}

impl Begun {
    /// The secret, in base32.
    pub fn secret(&self) -> &str {
        self.draft["totp"]["secret"].as_str().expect("a secret")
    }

    /// The root that a browser would make.
    pub fn root(&self, now: Timestamp) -> Value {
        let keys = &self.draft["server_keys"];
        let tenant = &self.draft["tenant"];
        let origin = format!("sallyport/{}", tenant.as_str().expect("an id"));
        json!({
            "type": "sallyport.root/1", "tenant": tenant, "version": 1, "issued": now, "expires": now.plus_secs(365 * 86_400), "threshold": 1,
            "authority": [self.authority_key()], "link": keys["link"], "attestation": keys["attestation"],
            "log": { "origin": origin, "key": keys["log"] }, "fresh": keys["fresh"], "enrolment": keys["enrolment"],
        })
    }

    fn authority_key(&self) -> String {
        hex::encode(VerifyKey::of(&self.authority).as_bytes())
    }

    /// The body of `finish` with a root that the authority signs.
    pub fn finish(&self, code: &str, root: &Value) -> Value {
        let body = root.to_string().into_bytes();
        let envelope = Envelope::signed(PayloadType::Root, body.clone(), SignatureKind::NativeEd25519, &self.authority);
        json!({
            "token": self.token, "draft": self.draft["draft"], "code": code, "root_body": STANDARD.encode(body),
            "authority_key": self.authority_key(), "root_signature": STANDARD.encode(&envelope.signatures()[0].sig),
        })
    }
}

/// The body of `start`.
pub fn start_body(token: &str) -> Value {
    json!({ "token": token, "tenant_name": "Nordwind IT", "name": "Amelie Winter", "email": EMAIL, "password": PASSWORD })
}

/// The token of the printed link.
pub fn token_of(server: &TestServer) -> String {
    let link = server.setup_link.as_deref().expect("the set-up is open");
    link.split_once('#').expect("behind #").1.to_owned()
}

/// Begins the set-up.
pub async fn begin(server: &TestServer, client: &mut Client) -> Begun {
    begin_with(token_of(server), client).await
}

/// Begins the set-up with the token of a link.
pub async fn begin_with(token: String, client: &mut Client) -> Begun {
    let reply = client.post("/v1/setup/start", start_body(&token)).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    Begun { token, draft: reply.json(), authority: SigningKey::from_bytes(&[42; 32]) }
}

/// The owner of a finished installation.
pub struct Owner {
    /// The browser in which the set-up was done: a full session.
    pub client: Client,
    /// The authenticator's secret, in base32.
    pub secret: String,
    /// The ten codes.
    pub recovery_codes: Vec<String>,
    /// The authority key, as the owner keeps it.
    pub authority: SigningKey,
}

impl Owner {
    /// Does the whole set-up, then lets a step go by, so that the next code is a fresh one.
    pub async fn set_up(server: &TestServer) -> Self {
        let mut client = Client::new(server, 1);
        let begun = begin(server, &mut client).await;
        let now = server.clock.now();
        let code = oathtool(begun.secret(), now);
        let reply = client.post("/v1/setup/finish", begun.finish(&code, &begun.root(now))).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let recovery_codes: Vec<String> = serde_json::from_value(reply.json()["recovery_codes"].clone()).expect("codes");
        assert_eq!(client.post("/v1/me/recovery-codes/saved", json!({})).await.status, 204);
        server.clock.advance(30);
        Self { client, secret: begun.secret().to_owned(), recovery_codes, authority: begun.authority }
    }

    /// What the authenticator shows now.
    pub fn code(&self, server: &impl Host) -> String {
        oathtool(&self.secret, server.clock().now())
    }

    /// Signs in with a browser, with the right password and this code.
    pub async fn sign_in(&self, client: &mut Client, code: &str) -> Reply {
        sign_in(client, EMAIL, PASSWORD, code).await
    }
}

/// Signs in with a browser.
pub async fn sign_in(client: &mut Client, email: &str, password: &str, code: &str) -> Reply {
    client.post("/v1/sign-in", json!({ "email": email, "password": password, "code": code })).await
}
