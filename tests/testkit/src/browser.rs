//! A browser that knows Device Bound Session Credentials, with its part played here: its own requests have no page's signature, only cookies
//! and the device's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::client::{Call, Client, Reply};
use crate::owner::{EMAIL, Owner, PASSWORD};
use crate::server::TestServer;

/// Where a session is bound.
pub const REGISTER: &str = "/v1/device-session/register";
/// Where it is renewed.
pub const RENEW: &str = "/v1/device-session/renew";

/// A browser that knows the protocol, around a page's client.
pub struct Browser {
    /// The page.
    pub page: Client,
    /// The device's key.
    pub key: SigningKey,
    /// The short-lived cookie, as it would be sent.
    pub device: Option<String>,
    /// The session's id.
    pub session: String,
}

/// A value in quotes that follows a name in a header.
pub fn quoted<'a>(header: &'a str, name: &str) -> &'a str {
    let rest = header.split_once(&format!("{name}\"")).unwrap_or_else(|| panic!("{name} in {header}")).1;
    rest.split('"').next().expect("a value")
}

/// What a browser answers to a challenge.
pub fn jwt(key: &SigningKey, with_key: &Value, challenge: &str) -> String {
    let mut header = json!({ "typ": "dbsc+jwt", "alg": "ES256" });
    if !with_key.is_null() {
        header["jwk"] = with_key.clone();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&json!({ "jti": challenge })));
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// The public half of a device's key.
pub fn jwk(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
}

/// The device's key of a seed.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a scalar")
}

/// Signs in as a browser does; gives the offer's challenge beside it.
pub async fn sign_in(server: &TestServer, owner: &Owner, seed: u8) -> (Browser, String) {
    let mut page = Client::new(server, seed);
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": owner.code(server) });
    let reply = page.send(Call::new("POST", "/v1/sign-in").body(body).header("sec-fetch-site", "same-origin")).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let offer = reply.header("secure-session-registration").expect("an offer").to_owned();
    assert!(offer.starts_with("(ES256);") && quoted(&offer, "path=") == REGISTER, "{offer}");
    let session = reply.json()["session"]["id"].as_str().expect("an id").to_owned();
    (Browser { page, key: key(seed + 100), device: None, session }, quoted(&offer, "challenge=").to_owned())
}

impl Browser {
    /// A request of the browser itself, without a page's proof.
    pub async fn own(&self, path: &str, response: Option<&str>) -> Reply {
        let mut call = Call::new("POST", path).header("sec-secure-session-id", &format!("\"{}\"", self.session));
        if let Some(response) = response {
            call = call.header("secure-session-response", response);
        }
        self.page.send_with(&call, None).await
    }

    fn keep(&mut self, reply: &Reply) {
        let cookie = reply.header("set-cookie").unwrap_or_else(|| panic!("a cookie: {} {}", reply.status, reply.json()));
        assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
        self.device = cookie.split(';').next().map(str::to_owned);
    }

    /// Binds the session to the device's key.
    pub async fn register(&mut self, challenge: &str) -> Reply {
        let reply = self.own(REGISTER, Some(&jwt(&self.key, &jwk(&self.key), challenge))).await;
        if reply.status == 200 {
            self.keep(&reply);
        }
        reply
    }

    /// What the server asks to be signed.
    pub async fn challenge(&self) -> String {
        let reply = self.own(RENEW, None).await;
        assert_eq!(reply.status, 403, "{}", reply.json());
        let header = reply.header("secure-session-challenge").expect("a challenge");
        assert_eq!(quoted(header, "id="), self.session);
        quoted(header, "").to_owned()
    }

    /// Renews the short-lived cookie.
    pub async fn renew(&mut self) -> Reply {
        let challenge = self.challenge().await;
        let reply = self.own(RENEW, Some(&jwt(&self.key, &Value::Null, &challenge))).await;
        self.keep(&reply);
        reply
    }

    /// A request of the page, with every cookie that the browser has.
    pub async fn page(&mut self, path: &str) -> Reply {
        let mut call = Call::new("GET", path);
        if let Some(device) = &self.device {
            call = call.header("cookie", device);
        }
        self.page.send(call).await
    }
}
