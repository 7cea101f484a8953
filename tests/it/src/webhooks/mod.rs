//! Webhooks: what is told, to whom, signed how, and what becomes of it when the other side fails. The receiver is a server of its own on
//! the loopback; signatures are verified by a library that is not ours.

mod command_line;
mod deliveries;
mod failures;
mod scopes;
mod signatures;

use std::time::Duration;

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::receiver::Receiver;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

/// Until what must become true is given up.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: TestServer,
    owner: Owner,
    receiver: Receiver,
    seed: u8,
}

impl World {
    /// A server that may reach the loopback, since its configuration lists it.
    async fn new(engine: Engine) -> Self {
        let server = TestServer::configured(engine, |raw| {
            raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
            raw.outbound_http = Some("listed".to_owned());
        })
        .await;
        let owner = Owner::set_up(&server).await;
        Self { server, owner, receiver: Receiver::start().await, seed: 60 }
    }

    async fn asks(&mut self, url: &str, events: &[&str]) -> Reply {
        let body = json!({ "name": format!("to {url}"), "url": url, "events": events });
        self.owner.does(&self.server, Call::new("POST", "/v1/webhooks").body(body)).await
    }

    /// A webhook to a path of the receiver: its id and its secret.
    async fn hook(&mut self, path: &str, events: &[&str]) -> (String, String) {
        let url = self.receiver.url(path);
        let made = self.asks(&url, events).await;
        assert_eq!(made.status, 200, "{}", made.json());
        let result = made.json()["result"].clone();
        let text = |key: &str| result[key].as_str().unwrap_or_else(|| panic!("{key} of {result}")).to_owned();
        (text("webhook"), text("secret"))
    }

    /// Something that is told: a request that waits for nobody else.
    async fn something_happens(&mut self) -> Value {
        self.server.clock.advance(30);
        let asked = self.owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        let path = format!("/v1/authorization-requests/{}/deny", asked.json()["id"].as_str().expect("an id"));
        assert_eq!(self.owner.client.post(&path, json!({})).await.status, 204);
        asked.json()
    }

    async fn get(&mut self, path: &str) -> Value {
        let reply = self.owner.client.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        reply.json()
    }

    async fn deliveries(&mut self, hook: &str) -> Vec<Value> {
        let page = self.get(&format!("/v1/webhooks/{hook}/deliveries")).await;
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// The deliveries of a webhook, once they are all as they should be.
    async fn once(&mut self, hook: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = tokio::time::Instant::now();
        loop {
            let deliveries = self.deliveries(hook).await;
            if holds(&deliveries) {
                return deliveries;
            }
            assert!(begun.elapsed() < PATIENCE, "{deliveries:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Goes on after so long that the session is over.
    async fn later(&mut self, secs: i64) {
        self.server.clock.advance(secs);
        self.seed += 1;
        let mut client = Client::new(&self.server, self.seed);
        let code = self.owner.code(&self.server);
        assert_eq!(self.owner.sign_in(&mut client, &code).await.status, 200);
        self.owner.client = client;
        self.server.clock.advance(30);
    }
}

fn states(deliveries: &[Value]) -> Vec<&str> {
    deliveries.iter().filter_map(|one| one["state"].as_str()).collect()
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.json());
}
