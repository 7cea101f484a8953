//! An owner who never waits for the next code: with three authenticators, many codes fit into the minute that a
//! program's clock and the server's may be apart.

use std::cell::Cell;

use sallyport_server::clock::Clock as _;
use serde_json::json;

use crate::owner::{Owner, oathtool};
use crate::server::TestServer;

/// Seconds after which the next code comes.
pub const STEP_SECS: i64 = 30;

/// An owner's authenticators, asked in turn.
pub struct Authenticators {
    secrets: Vec<String>,
    used: Cell<usize>,
}

impl Authenticators {
    /// Seconds that go by while the two further ones are added.
    pub const ADDED_IN_SECS: i64 = 2 * STEP_SECS;

    /// Adds two further ones to the owner's first.
    pub async fn of(owner: &mut Owner, server: &TestServer) -> Self {
        let mut secrets = vec![owner.secret.clone()];
        for name in ["Tablet", "Key ring"] {
            server.clock.advance(STEP_SECS);
            let proof = json!({ "proof": { "totp": owner.code(server) } });
            let begun = owner.client.post("/v1/me/totp/start", proof).await.json();
            let secret = begun["totp"]["secret"].as_str().unwrap_or_else(|| panic!("a secret: {begun}")).to_owned();
            let body = json!({ "draft": begun["draft"], "name": name, "code": oathtool(&secret, server.clock.now()) });
            let done = owner.client.post("/v1/me/totp/finish", body).await;
            assert!(done.status < 300, "{}", String::from_utf8_lossy(&done.body));
            secrets.push(secret);
        }
        Self { secrets, used: Cell::new(0) }
    }

    /// A code that no other answer was given. Once all authenticators were asked, the clock goes a step further.
    pub fn code(&self, server: &TestServer) -> String {
        let used = self.used.replace(self.used.get() + 1);
        let turn = used % self.secrets.len();
        if turn == 0 {
            server.clock.advance(STEP_SECS);
        }
        oathtool(&self.secrets[turn], server.clock.now())
    }
}
