//! Remote sessions over a real server: streams, tickets, the step-up window, revocation, recordings.

mod command_line;
mod crash;
mod downloads;
mod friction;
mod given_back;
mod networks;
mod not_me;
mod policy;
mod real;
mod records;
mod relay;
mod rights;
mod streams;
mod tenants;
mod terminal;
mod window;

use std::time::Duration;

use sallyport_store::{Audit, Change, StoreError, Tx, Value};
use sallyport_testkit::client::Client;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::people::Colleague;
use sallyport_testkit::remote::{RemoteClient, RemoteDevice, RemoteEnd};
use sallyport_testkit::rogue::{File, Rogue, RogueLink};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
/// Every kind of remote session.
const KINDS: [&str; 4] = ["terminal", "background", "files", "viewer"];

/// An installation with one device, which a test plays.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) owner: Owner,
    pub(crate) file: File,
    machine: Rogue,
    link: RogueLink,
    device: String,
}

impl World {
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::on(TestServer::start_on(engine).await).await
    }

    pub(crate) async fn on(server: TestServer) -> Self {
        let mut owner = Owner::set_up(&server).await;
        let file = File::read(&owner.installer(&server, 50).await);
        let machine = Rogue::new(200);
        let (link, device) = enrolled(&server, &mut owner, &file, &machine).await;
        Self { server, owner, file, machine, link, device }
    }

    /// Another device that is approved and linked.
    async fn another(&mut self, seed: u8) -> (Rogue, RogueLink, String) {
        let machine = Rogue::new(seed);
        let (link, device) = enrolled(&self.server, &mut self.owner, &self.file, &machine).await;
        (machine, link, device)
    }

    /// Opens a session of a kind, up to the grant that the device was offered.
    pub(crate) async fn open(&mut self, kind: &str) -> (RemoteClient, RemoteDevice) {
        self.ask(json!({ "device": self.device, "kind": kind })).await
    }

    async fn ask(&mut self, wanted: Json) -> (RemoteClient, RemoteDevice) {
        let client = RemoteClient::open(&mut self.owner, &self.server, wanted).await;
        let device = RemoteDevice::offered(&self.machine, &mut self.link).await;
        (client, device)
    }

    /// From now on whatever is opened is somebody else's; the second time it is the owner's again.
    fn swap(&mut self, person: &mut Colleague) {
        std::mem::swap(&mut self.owner.client, &mut person.client);
        std::mem::swap(&mut self.owner.secret, &mut person.secret);
    }

    /// A browser in which the owner signed in too.
    async fn elsewhere(&mut self, seed: u8) -> Client {
        self.server.clock.advance(30);
        let mut client = Client::new(&self.server, seed);
        assert_eq!(self.owner.sign_in(&mut client, &self.owner.code(&self.server)).await.status, 200);
        client
    }

    /// Opens a session of a kind, with its stream.
    async fn streaming(&mut self, kind: &str) -> Stream {
        let (client, device) = self.open(kind).await;
        self.dial(client, device).await
    }

    async fn dial(&mut self, client: RemoteClient, device: RemoteDevice) -> Stream {
        let device_end = device.dial(&self.server).await.expect("the device is let in");
        let mut client_end = client.dial(&self.server).await.expect("the client is let in");
        let mut stream = Stream { client, device, device_end, client_end: None };
        client_end.flush().await;
        stream.client_end = Some(client_end);
        stream.echo("hello").await;
        stream
    }

    async fn audit(&mut self, kind: &str) -> Vec<Json> {
        let page = self.owner.client.get(&format!("/v1/audit?limit=1000&kind={kind}")).await.json();
        page["items"].as_array().cloned().expect("items")
    }

    async fn change(&self, sql: &'static str, args: &[Value]) {
        self.server.app.store.commit(Sql { sql, args: args.to_vec() }).await.expect("a change");
    }
}

async fn enrolled(server: &TestServer, owner: &mut Owner, file: &File, machine: &Rogue) -> (RogueLink, String) {
    let link = timeout(PATIENCE, machine.enrol(server, file)).await.expect("soon").expect("a link");
    let id = owner.devices("state=pending", 1).await[0]["id"].as_str().expect("an id").to_owned();
    owner.ask(server, "/v1/devices/approve", json!({ "devices": [id] })).await;
    while owner.client.get(&format!("/v1/devices/{id}")).await.json()["device"]["online"] != true {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (link, id)
}

/// A session with both of its ends.
struct Stream {
    client: RemoteClient,
    device: RemoteDevice,
    device_end: RemoteEnd,
    client_end: Option<RemoteEnd>,
}

impl Stream {
    fn client_end(&mut self) -> &mut RemoteEnd {
        self.client_end.as_mut().expect("the client is connected")
    }

    /// A word there and back. Both ends are read at once, as programs do.
    async fn echo(&mut self, word: &str) {
        let Self { device_end, client_end, .. } = self;
        let client_end = client_end.as_mut().expect("the client is connected");
        let there = async {
            assert_eq!(device_end.data().await, word.as_bytes());
            device_end.send_data(0, word.as_bytes()).await;
        };
        let back = async {
            while !client_end.end.is_up() {
                let _ = timeout(Duration::from_millis(20), client_end.next()).await;
            }
            client_end.send_data(0, word.as_bytes()).await;
            assert_eq!(client_end.data().await, word.as_bytes());
        };
        tokio::join!(there, back);
    }
}

/// Something in the database that another part of the product would do.
struct Sql {
    sql: &'static str,
    args: Vec<Value>,
}

impl Change for Sql {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute(self.sql, &self.args).await.map(|_| ())
    }
}
