//! The installation that is attacked: the real server behind a relay, one real agent, and simulated devices.

use std::sync::Arc;
use std::time::Duration;

use sallyport_grant::SigningKey;
use sallyport_server::config::Raw;
use sallyport_server::outside::Outside;
use sallyport_testkit::agent::Machine;
use sallyport_testkit::host::Host as _;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::rogue::{File, Rogue};
use sallyport_testkit::server::TestClock;
use sallyport_testkit::simulated::{Fleet, Plan, Spread};
use sallyport_wire::{GrantOffer, LinkSecret};
use serde_json::Value;

use crate::relay::Relay;

/// More than one person may reach in an hour without class 3.
pub(crate) const CROWD: usize = 30;
const PATIENCE: Duration = Duration::from_secs(30);

/// A device and the key that it is.
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) key: SigningKey,
}

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) operator: Operator,
    pub(crate) relay: Relay,
    pub(crate) machine: Machine,
    /// The real agent's device.
    pub(crate) real: Device,
    /// A device whose clock anybody may turn.
    pub(crate) turned: Device,
    pub(crate) clock: TestClock,
    pub(crate) turned_fleet: Fleet,
    /// Ids of simulated devices.
    pub(crate) crowd: Vec<String>,
    pub(crate) link: LinkSecret,
    pub(crate) file: File,
    /// Where scripts of the real agent leave their lines.
    pub(crate) ledger: std::path::PathBuf,
    crowd_fleet: Fleet,
}

impl World {
    pub(crate) async fn new() -> Self {
        let relay = Relay::start().await;
        let installation = Installation::behind(relay.address.port());
        relay.leads_to(installation.address());
        let mut operator = Operator::set_up(&installation).await;
        let text = operator.installer(CROWD + 2).await;
        let mut machine = Machine::new();
        machine.enrol(&text);
        machine.start();
        operator.wait_for("state=pending", 1, PATIENCE).await;
        let real = Device { id: operator.ids("state=pending").await.remove(0), key: key_of(&machine) };

        let clock = TestClock::system();
        let mut plan = Plan::new(1, 4711, Arc::new(Spread::to(relay.address, None)));
        plan.clock = Arc::new(clock.clone());
        let turned_fleet = Fleet::start(&plan, Some(text.as_bytes())).expect("a device in memory");
        operator.wait_for("state=pending", 2, PATIENCE).await;
        let others = operator.ids("state=pending").await.into_iter().find(|id| *id != real.id);
        let turned = Device { id: others.expect("the second device"), key: turned_fleet.keys()[0].clone() };

        let plan = Plan::new(CROWD, 1, Arc::new(installation.network()));
        let crowd_fleet = Fleet::start(&plan, Some(text.as_bytes())).expect("devices in memory");
        operator.wait_for("state=pending", CROWD as u64 + 2, PATIENCE).await;
        let crowd = operator.ids("state=pending").await.into_iter().filter(|id| *id != real.id && *id != turned.id).collect();
        operator.approve_all().await;
        operator.wait_for("state=online", CROWD as u64 + 2, PATIENCE).await;
        let file = File::read(&text);
        let link = stolen_link_key(&installation, &file).await;
        let ledger = installation.folder().join("ledger");
        Self { installation, operator, relay, machine, real, turned, clock, turned_fleet, crowd, link, file, ledger, crowd_fleet }
    }

    /// A genuine job on one device, which the open step-up window covers, and what the real server offers to that device for it.
    pub(crate) async fn genuine(&mut self, name: &str, device: Wanted) -> GrantOffer {
        let text = format!("echo {name} >> '{}'\n", self.ledger.display());
        let (id, key) = match device {
            Wanted::Real => (self.real.id.clone(), self.real.key.clone()),
            Wanted::Turned => (self.turned.id.clone(), self.turned.key.clone()),
        };
        let script = self.operator.owner.script(name, &text).await;
        let reply = self.operator.job(&script, &[id]).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let rogue = Rogue { key, ..Rogue::new(1) };
        let mut link = rogue.link(&self.installation, &self.file).await.expect("the server knows the device");
        loop {
            let offer = tokio::time::timeout(PATIENCE, link.offer()).await.expect("in time").expect("an offer");
            if offer.content == text.as_bytes() {
                return *offer;
            }
        }
    }

    /// How often a line was written.
    pub(crate) fn lines(&self, wanted: &str) -> usize {
        std::fs::read_to_string(&self.ledger).unwrap_or_default().lines().filter(|line| *line == wanted).count()
    }

    /// A job's runs, once it has ended.
    pub(crate) async fn ended(&mut self, job: &Value) -> Value {
        let job = job["job"].as_str().expect("a job").to_owned();
        self.operator.ended(&job, Duration::from_millis(20), PATIENCE).await
    }

    pub(crate) async fn leave(mut self) {
        self.machine.kill();
        self.turned_fleet.stop().await;
        self.crowd_fleet.stop().await;
    }
}

/// Which device a job is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    Real,
    Turned,
}

/// The harness plays the device towards the server, so that it sees what the server offers. No attacker of these claims has this key.
fn key_of(machine: &Machine) -> SigningKey {
    let keys = std::fs::read(machine.state().join("device-keys")).expect("the agent made its keys");
    SigningKey::from_bytes(keys[..32].try_into().expect("two keys"))
}

/// The attacker of C3 holds the network and the bus. He is given the link key too, from a copy of the installation.
async fn stolen_link_key(installation: &Installation, file: &File) -> LinkSecret {
    let copy = tempfile::tempdir().expect("a folder");
    for part in std::fs::read_dir(installation.data()).expect("the data").flatten().filter(|part| part.path().is_file()) {
        std::fs::copy(part.path(), copy.path().join(part.file_name())).expect("a copy");
    }
    let raw = Raw { data_dir: Some(copy.path().to_owned()), ..Raw::default() };
    let app = sallyport_server::open(raw.check().expect("good settings"), Outside::system()).await.expect("the copy opens");
    let keys = app.keys.of(file.tenant).expect("the tenant's keys");
    let secret = LinkSecret::from_bytes(*keys.link);
    app.store.close().await;
    secret
}
