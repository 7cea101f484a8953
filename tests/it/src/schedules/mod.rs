//! Schedules: published by people, run unattended, checked by each device, once for each occurrence.

mod once;
mod publishing;
mod voiding;

use std::time::Duration;

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Reply;
use sallyport_testkit::host::Host as _;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use sallyport_testkit::simulated::{Disks, Fleet, Plan};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: i64 = 300;

/// An installation with devices that follow its clock, and a script.
struct World {
    server: TestServer,
    owner: Owner,
    fleet: Option<Fleet>,
    plan: Plan,
    _disks: tempfile::TempDir,
    devices: Vec<String>,
    script: String,
}

impl World {
    async fn new(engine: Engine, count: usize) -> Self {
        // No full five minutes pass by themselves in the middle of a test.
        let clock = TestClock::system();
        clock.advance(FIVE_MINUTES - clock.now().secs() % FIVE_MINUTES);
        let server = TestServer::live_on(engine, clock).await;
        let mut owner = Owner::set_up(&server).await;
        let file = owner.installer(&server, 50).await;
        let disks = tempfile::tempdir().expect("a folder");
        let plan = Plan { disks: Disks::Below(disks.path().join("fleet")), ..server.devices(count) };
        let (devices, script) = (Vec::new(), String::new());
        let mut world = Self { server, owner, fleet: None, plan, _disks: disks, devices, script };
        world.start_fleet(Some(&file));
        world.approve(count).await;
        world.owner.devices("state=online", count).await;
        world.script = world.owner.script("nightly", "true").await;
        world
    }

    fn start_fleet(&mut self, enrolment: Option<&str>) {
        self.fleet = Some(Fleet::start(&self.plan, enrolment.map(str::as_bytes)).expect("the fleet starts"));
    }

    /// Scripts that the present fleet began.
    fn begun(&self) -> u64 {
        self.fleet.as_ref().map_or(0, |fleet| fleet.tally().begun())
    }

    /// Those that a device began twice.
    fn doubled(&self) -> u64 {
        self.fleet.as_ref().map_or(0, |fleet| fleet.tally().doubled())
    }

    async fn approve(&mut self, count: usize) {
        let pending = self.owner.devices("state=pending", count).await;
        let ids: Vec<String> = pending.iter().map(|device| device["id"].as_str().expect("an id").to_owned()).collect();
        self.owner.ask(&self.server, "/v1/devices/approve", json!({ "devices": ids })).await;
        self.devices.extend(ids);
    }

    /// What somebody would publish: every five minutes on all devices, with changes.
    fn wanted(&self, more: Value) -> Value {
        let expires = self.server.clock.now().plus_secs(30 * 86_400);
        let timing = json!({ "cron": "*/5 * * * *", "zone": "Europe/Berlin", "expires": expires });
        let mut body = json!({ "name": "Five", "script": self.script, "version": 1, "devices": self.devices, "timing": timing });
        for (key, value) in more.as_object().expect("an object") {
            match (key.as_str(), value.as_object()) {
                ("timing", Some(timing)) => timing.iter().for_each(|(key, value)| body["timing"][key] = value.clone()),
                _ => body[key] = value.clone(),
            }
        }
        body
    }

    async fn publish(&mut self, more: Value) -> String {
        let before = self.schedules().await.len();
        let body = self.wanted(more);
        let reply = self.owner.client.post("/v1/schedules", body).await;
        assert_eq!(reply.status, 202, "a publication always takes a proof: {}", reply.json());
        self.owner.prove(&self.server, &reply.json()).await;
        let schedules = self.schedules().await;
        assert_eq!(schedules.len(), before + 1);
        schedules[0]["id"].as_str().expect("an id").to_owned()
    }

    async fn schedules(&mut self) -> Vec<Value> {
        let page = self.owner.client.get("/v1/schedules").await;
        assert_eq!(page.status, 200, "{}", page.json());
        page.json()["items"].as_array().cloned().unwrap_or_default()
    }

    async fn schedule(&mut self, id: &str) -> Value {
        let reply = self.owner.client.get(&format!("/v1/schedules/{id}")).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()
    }

    async fn order(&mut self, id: &str, verb: &str) -> Reply {
        if verb == "resume" {
            self.prove().await;
        }
        self.order_at_once(id, verb).await
    }

    /// Proves a factor in the owner's session.
    async fn prove(&mut self) {
        self.server.clock().advance(30);
        let proof = json!({ "proof": { "totp": self.owner.code(&self.server) } });
        let proved = self.owner.client.post("/v1/me/elevate", proof).await;
        assert_eq!(proved.status, 200, "{}", proved.json());
    }

    async fn order_at_once(&mut self, id: &str, verb: &str) -> Reply {
        self.owner.client.post(&format!("/v1/schedules/{id}/{verb}"), json!({})).await
    }

    /// Moves the clock to the next full five minutes.
    fn to_the_next_occurrence(&self) {
        let now = self.server.clock.now().secs();
        self.server.clock().advance(FIVE_MINUTES - now % FIVE_MINUTES);
    }

    /// The occurrences of a schedule, the newest first.
    async fn occurrences(&mut self, id: &str) -> Vec<Value> {
        let page = self.owner.client.get(&format!("/v1/jobs?schedule={id}")).await.json();
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// The occurrences once there are so many and all of them have ended.
    async fn ended(&mut self, id: &str, count: usize) -> Vec<Value> {
        self.until(id, |jobs| jobs.len() == count && jobs.iter().all(|job| !job["ended"].is_null())).await
    }

    /// The occurrences once they are as wanted.
    async fn until(&mut self, id: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let jobs = self.occurrences(id).await;
            if wanted(&jobs) {
                return jobs;
            }
            assert!(tokio::time::Instant::now() < deadline, "not as wanted: {jobs:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The schedule once it stands so.
    async fn standing(&mut self, id: &str, state: &str) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let schedule = self.schedule(id).await;
            if schedule["state"] == state {
                return schedule;
            }
            assert!(tokio::time::Instant::now() < deadline, "not {state}: {schedule}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn audit(&mut self, kind: &str) -> Vec<Value> {
        let page = self.owner.client.get(&format!("/v1/audit?kind={kind}")).await.json();
        page["items"].as_array().cloned().unwrap_or_default()
    }
}
