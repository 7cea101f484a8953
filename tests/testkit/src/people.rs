//! People beside the owner: invited and activated as the console does it.

use sallyport_server::clock::Clock;
use serde_json::{Value, json};

use crate::client::{Call, Client, Reply};
use crate::owner::{Owner, oathtool, sign_in};
use crate::server::TestServer;

/// The password that everybody but the owner chooses.
pub const THEIR_PASSWORD: &str = "seven lanterns under a copper bridge";

/// Somebody with an account, in a browser of their own.
pub struct Colleague {
    /// Their id.
    pub id: String,
    /// Their address.
    pub email: String,
    /// The browser in which they activated their account: a full session.
    pub client: Client,
    /// The authenticator's secret, in base32.
    pub secret: String,
    /// Their recovery codes.
    pub recovery_codes: Vec<String>,
}

impl Colleague {
    /// What their authenticator shows now.
    pub fn code(&self, server: &TestServer) -> String {
        oathtool(&self.secret, server.clock.now())
    }

    /// Signs in with a browser and a fresh code.
    pub async fn sign_in(&self, client: &mut Client, server: &TestServer) -> Reply {
        sign_in(client, &self.email, THEIR_PASSWORD, &self.code(server)).await
    }

    /// Asks for something guarded and proves it with a fresh code.
    pub async fn does(&mut self, server: &TestServer, call: Call) -> Reply {
        server.clock.advance(30);
        let code = self.code(server);
        done(&mut self.client, call, &code).await
    }
}

/// Asks and proves: the reply of the proof, or of the asking where nothing had to be proved or it was refused.
pub async fn done(client: &mut Client, call: Call, code: &str) -> Reply {
    let asked = client.send(call).await;
    if asked.status != 202 {
        return asked;
    }
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    client.post(&path, json!({ "totp": code })).await
}

impl Owner {
    /// Asks for something guarded and proves it with a fresh code.
    pub async fn does(&mut self, server: &TestServer, call: Call) -> Reply {
        server.clock.advance(30);
        let code = self.code(server);
        done(&mut self.client, call, &code).await
    }

    /// Invites somebody: what the proof answered.
    pub async fn invites(&mut self, server: &TestServer, email: &str, assignments: Value, expires: Value) -> Reply {
        let body = json!({ "email": email, "name": name_of(email), "assignments": assignments, "expires": expires });
        self.does(server, Call::new("POST", "/v1/users").body(body)).await
    }

    /// Invites somebody and lets them activate their account.
    pub async fn colleague(&mut self, server: &TestServer, seed: u8, email: &str, assignments: Value) -> Colleague {
        let expires = match assignments[0]["role"] == "support" {
            true => json!(server.clock.now().plus_secs(30 * 86_400)),
            false => Value::Null,
        };
        let reply = self.invites(server, email, assignments, expires).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        let result = reply.json()["result"].clone();
        let link = result["link"].as_str().unwrap_or_else(|| panic!("a link to hand over: {result}"));
        let token = link.split_once('#').expect("behind #").1.to_owned();
        let mut colleague = activate(server, Client::new(server, seed), &token, THEIR_PASSWORD).await;
        colleague.id = result["user"].as_str().expect("an id").to_owned();
        colleague
    }
}

/// `amelie.winter@x` is called `amelie.winter`.
fn name_of(email: &str) -> &str {
    email.split('@').next().unwrap_or(email)
}

/// Goes through an activation with the token of a link, up to a full session.
pub async fn activate(server: &TestServer, mut client: Client, token: &str, password: &str) -> Colleague {
    let look = client.post("/v1/invitations/look", json!({ "token": token })).await;
    assert_eq!(look.status, 200, "{}", look.json());
    let start = client.post("/v1/invitations/start", json!({ "token": token, "password": password })).await;
    assert_eq!(start.status, 200, "{}", start.json());
    let secret = start.json()["totp"]["secret"].as_str().expect("a secret").to_owned();
    let code = oathtool(&secret, server.clock.now());
    let body = json!({ "token": token, "draft": start.json()["draft"], "code": code });
    let finish = client.post("/v1/invitations/finish", body).await;
    assert_eq!(finish.status, 201, "{}", finish.json());
    let recovery_codes = serde_json::from_value(finish.json()["recovery_codes"].clone()).expect("codes");
    assert_eq!(client.post("/v1/me/recovery-codes/saved", json!({})).await.status, 204);
    let me = client.get("/v1/me").await.json();
    let text = |key: &str| me[key].as_str().expect("a text").to_owned();
    Colleague { id: text("user"), email: text("email"), client, secret, recovery_codes }
}
