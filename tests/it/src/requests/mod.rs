//! Authorization requests over HTTP: what is shown to who approves, the states that they go through, and that nothing of them changes.

mod frozen;
mod shown;
mod states;

use sallyport_testkit::client::{Client, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use crate::fleet::devices::{device, with_devices};

/// An owner with three devices that never connect, and a script.
struct Office {
    server: TestServer,
    owner: Owner,
    script: String,
}

impl Office {
    async fn on(engine: Engine) -> Self {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        with_devices(&server, &mut owner, 3).await;
        let script = owner.script("probe", "uptime\n").await;
        Self { server, owner, script }
    }

    /// Asks to run the script on two devices, which takes a code: where the request waits.
    async fn asks(&mut self) -> String {
        let body = json!({ "script": self.script, "version": 1, "devices": [device(1), device(2)] });
        let asked = self.owner.client.post("/v1/jobs", body).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        asked.header("location").expect("where it waits").to_owned()
    }

    async fn proves(&mut self, waits: &str, code: &str) -> Reply {
        self.owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await
    }

    /// A code that was not used.
    fn fresh(&self) -> String {
        self.server.clock.advance(30);
        self.owner.code(&self.server)
    }

    async fn state(&mut self, waits: &str) -> Value {
        self.owner.client.get(waits).await.json()["state"].clone()
    }

    async fn jobs(&mut self) -> usize {
        count(&mut self.owner.client, "/v1/jobs").await
    }
}

async fn count(client: &mut Client, path: &str) -> usize {
    client.get(path).await.json()["items"].as_array().map_or(0, Vec::len)
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.json());
}
