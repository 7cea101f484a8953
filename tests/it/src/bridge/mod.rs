//! The bridge: other vendors' APIs, used with credentials that nobody gets to see, against a vendor that speaks real HTTP.

mod calls;
mod command_line;
mod rotation;
mod secrets;
mod tls;
mod vendor;

use std::time::Duration;

use sallyport_server::clock::Clock as _;
use sallyport_server::config::Raw;
use sallyport_testkit::client::{Call, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use vendor::{SECRET, Vendor};

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: TestServer,
    owner: Owner,
    vendor: Vendor,
    /// Of the connection.
    id: String,
}

/// The loopback is listed, as an operator lists a network of their own.
fn listing(raw: &mut Raw) {
    raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
    raw.outbound_http = Some("listed".to_owned());
}

impl World {
    async fn new(engine: Engine, change: Value) -> Self {
        Self::configured(engine, change, |_| {}).await
    }

    async fn configured(engine: Engine, change: Value, settings: impl FnOnce(&mut Raw)) -> Self {
        let server = TestServer::configured(engine, |raw| {
            listing(raw);
            settings(raw);
        })
        .await;
        let (mut owner, vendor) = (Owner::set_up(&server).await, Vendor::start().await);
        let wanted = wanted(&server, &vendor, change);
        let made = owner.does(&server, Call::new("POST", "/v1/connections").body(wanted)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        let id = made.json()["action"]["connection"].as_str().expect("an id").to_owned();
        Self { server, owner, vendor, id }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/connections/{}{rest}", self.id)
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, &self.path(&format!("/proxy/{path}")))
    }

    async fn calls(&mut self, method: &str, path: &str) -> Reply {
        let call = self.call(method, path);
        self.owner.client.send(call).await
    }

    async fn connection(&mut self) -> Value {
        let path = self.path("");
        let reply = self.owner.client.get(&path).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()
    }

    /// Entries of one kind in the audit log, the newest first.
    async fn audit(&mut self, kind: &str) -> Vec<Value> {
        let page = self.owner.client.get(&format!("/v1/audit?kind={kind}&limit=100")).await.json();
        page["items"].as_array().cloned().unwrap_or_else(|| panic!("entries: {page}"))
    }

    /// Waits until there are so many.
    async fn told(&mut self, kind: &str, count: usize) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let entries = self.audit(kind).await;
            if entries.len() >= count {
                assert_eq!(entries.len(), count, "{entries:?}");
                return entries;
            }
            assert!(tokio::time::Instant::now() < deadline, "{kind}: {entries:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the connection is as wanted.
    async fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let connection = self.connection().await;
            if is(&connection) {
                return connection;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {connection}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What a console would ask for, with some of it changed.
fn wanted(server: &TestServer, vendor: &Vendor, change: Value) -> Value {
    let mut wanted = json!({
        "name": "Ticket system", "base_url": vendor.url, "credential": { "in": "bearer" }, "secret": SECRET,
        "allows": [{ "methods": ["GET"], "path": "/**" }, { "methods": ["POST", "PUT", "PATCH", "DELETE"], "path": "/tickets/**" }],
        "per_minute": 60, "expires": server.clock.now().plus_secs(90 * 86_400), "check": "/me",
    });
    wanted.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    wanted
}

/// A credential that the server makes and the vendor takes.
fn made() -> Value {
    json!({ "rotation": { "every_days": 30, "method": "POST", "path": "/keys", "body": "{\"key\":\"{new}\"}", "new": { "from": "made" } } })
}

/// One that the vendor makes.
fn answered() -> Value {
    json!({ "rotation": { "every_days": 30, "method": "POST", "path": "/keys/made", "new": { "from": "answer", "pointer": "/data/token" } } })
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", String::from_utf8_lossy(&reply.body));
}
