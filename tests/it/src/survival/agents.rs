//! Hostile agents against the real server. After each attack an honest agent of the same tenant works as before.

use std::time::Duration;

use sallyport_model::{AgentText, GrantId, TenantId, Timestamp, limits};
use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rogue::{self, End, Ended, File, Rogue, RogueLink, grant_of};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_wire::{
    DeviceState, Hardware, Heartbeat, Inventory, Service, ServiceStart, ServiceState, Software, Stream, System, ToAgent, ToServer,
    UnsignedToAgent,
};
use serde_json::{Value, json};
use tokio::time::timeout;

on_both!(
    a26_a_device_speaks_of_its_own_runs_alone,
    a26_log_02_tokens_that_are_spent_lapsed_revoked_or_misused_enrol_nothing,
    log_03_two_machines_with_one_key_are_quarantined_and_receive_nothing,
    what_a_device_says_about_a_run_is_kept_once_and_in_order,
    names_from_devices_are_plain_text,
    a_clock_that_is_ten_years_off_hurts_nobody,
    net_05_a_link_from_outside_of_the_agents_ranges_ends_when_they_change,
);

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must come soon.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("soon")
}

/// Asserts that a link ends without another message that matters.
async fn assert_ends(link: &mut RogueLink) {
    while let Ok(message) = soon(link.next()).await {
        assert!(matches!(message, ToAgent::Unsigned(_)), "nothing is offered: {message:?}");
    }
}

/// An installation with one honest device and an enrolment file for others.
pub(super) struct World {
    pub(super) server: TestServer,
    pub(super) owner: Owner,
    file: File,
    honest: Rogue,
    pub(super) honest_link: RogueLink,
    pub(super) honest_id: String,
    pub(super) script: String,
}

impl World {
    pub(super) async fn new(engine: Engine) -> Self {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let file = File::read(&owner.installer(&server, 50).await);
        let honest = Rogue::new(200);
        let honest_link = soon(honest.enrol(&server, &file)).await.expect("a link");
        let script = owner.script("probe", "true").await;
        let mut world = Self { server, owner, file, honest, honest_link, honest_id: String::new(), script };
        world.honest_id = world.approve().await;
        world
    }

    fn now(&self) -> Timestamp {
        self.server.clock.now()
    }

    /// Approves the one device that waits.
    async fn approve(&mut self) -> String {
        let id = self.owner.devices("state=pending", 1).await[0]["id"].as_str().expect("an id").to_owned();
        self.owner.ask(&self.server, "/v1/devices/approve", json!({ "devices": [id] })).await;
        id
    }

    /// Another device that is approved and linked.
    pub(super) async fn device(&mut self, machine: &Rogue) -> (RogueLink, String) {
        let link = soon(machine.enrol(&self.server, &self.file)).await.expect("a link");
        let id = self.approve().await;
        (link, id)
    }

    async fn job(&mut self, device: &str) -> String {
        let (script, devices) = (self.script.clone(), [device.to_owned()]);
        self.owner.run(&self.server, &script, &devices, json!({})).await
    }

    /// Runs the script on a device; returns job and grant.
    async fn offered(&mut self, link: &mut RogueLink, device: &str) -> (String, GrantId) {
        let job = self.job(device).await;
        let offer = soon(link.offer()).await.expect("an offer");
        (job, grant_of(&offer))
    }

    async fn run_of(&mut self, job: &str) -> Value {
        let runs = self.owner.client.get(&format!("/v1/jobs/{job}/runs")).await.json();
        assert_eq!(runs["items"].as_array().map(Vec::len), Some(1), "{runs}");
        runs["items"][0].clone()
    }

    /// The honest device obeys a script, and the owner sees it.
    pub(super) async fn is_well(&mut self) {
        let (job, id, machine, now) = (self.job(&self.honest_id.clone()).await, self.honest_id.clone(), self.honest.clone(), self.now());
        let grant = grant_of(&soon(self.honest_link.offer()).await.expect("an offer"));
        soon(self.honest_link.obey(&machine, grant, b"all is well\n", now)).await.expect("a receipt is taken");
        let run = self.run_of(&job).await;
        assert_eq!((&run["state"], &run["device"]), (&json!("succeeded"), &json!(id)), "{run}");
        assert_eq!(self.owner.output(&run).await, "all is well\n");
    }

    async fn audit_kinds(&mut self) -> Vec<String> {
        let page = self.owner.client.get("/v1/audit?limit=1000").await.json();
        page["items"].as_array().expect("items").iter().filter_map(|entry| entry["kind"].as_str().map(str::to_owned)).collect()
    }
}

async fn a26_a_device_speaks_of_its_own_runs_alone(engine: Engine) {
    let mut world = World::new(engine).await;
    let liar = Rogue::new(1);
    let (mut link, _) = world.device(&liar).await;
    let job = world.job(&world.honest_id.clone()).await;
    let grant = grant_of(&soon(world.honest_link.offer()).await.expect("an offer"));
    let before = world.run_of(&job).await;
    let now = world.now();
    link.say(&ToServer::RunStarted { grant, started_at: now }).await.expect("sent");
    link.say(&ToServer::Output { grant, seq: 0, stream: Stream::Stdout, chunk: b"forged\n".to_vec() }).await.expect("sent");
    let ack = soon(link.until(|message| matches!(message, UnsignedToAgent::OutputAck { .. }))).await.expect("an answer");
    assert_eq!(ack, UnsignedToAgent::OutputAck { grant, next_seq: u64::MAX }, "nothing more is wanted of it");
    let receipt = liar.receipt(world.file.tenant, grant, &End::of(b"", now));
    link.say(&ToServer::RunEnded { grant, receipt }).await.expect("sent");
    soon(link.until(|message| matches!(message, UnsignedToAgent::ReceiptAck { .. }))).await.expect("an answer");
    assert_eq!(world.run_of(&job).await, before, "the run of another device is as it was");
    let machine = world.honest.clone();
    soon(world.honest_link.obey(&machine, grant, b"mine\n", now)).await.expect("its own device ends it");
    let run = world.run_of(&job).await;
    assert_eq!((&run["state"], world.owner.output(&run).await.as_str()), (&json!("succeeded"), "mine\n"));
    // A grant that was never given is nobody's.
    link.say(&ToServer::RunStarted { grant: GrantId::from_bytes([7; 16]), started_at: now }).await.expect("sent");
    world.is_well().await;
}

async fn a26_log_02_tokens_that_are_spent_lapsed_revoked_or_misused_enrol_nothing(engine: Engine) {
    let mut world = World::new(engine).await;
    let mut stranger = 10;
    let mut refused = async |world: &World, file: &File, why: &str| {
        stranger += 1;
        let link = soon(Rogue::new(stranger).enrol(&world.server, file)).await;
        assert!(matches!(&link, Ok(link) if link.state == DeviceState::Unknown) || link.is_err(), "{why}");
        if let Ok(mut link) = link {
            assert!(link.tenant.is_none(), "{why}: not even whose server it is");
            assert_ends(&mut link).await;
        }
    };
    let once = File::read(&world.owner.installer(&world.server, 1).await);
    soon(Rogue::new(2).enrol(&world.server, &once)).await.expect("the first use");
    world.approve().await;
    refused(&world, &once, "a token that was used up").await;
    let wrong = File { token_secret: [1; 32], ..world.file.clone() };
    refused(&world, &wrong, "a wrong secret").await;
    let nowhere = File { token_id: sallyport_model::InstallerId::from_bytes([1; 16]), ..world.file.clone() };
    refused(&world, &nowhere, "a token that is none").await;
    let elsewhere = File { tenant: TenantId::from_bytes([1; 16]), ..world.file.clone() };
    refused(&world, &elsewhere, "a tenant that is none").await;
    let customers = world.owner.client.get("/v1/customers").await.json();
    let site = customers["items"][0]["sites"][0]["id"].clone();
    let body = json!({ "label": "Far", "site": site, "platform": "linux", "uses": 5, "lifetime_secs": 3600, "network": "10.0.0.0/8" });
    let far = world.owner.ask(&world.server, "/v1/installers", body).await;
    refused(&world, &File::read(far["enrolment_file"].as_str().expect("a file")), "a token for another network").await;
    let revoked = File::read(&world.owner.installer(&world.server, 5).await);
    let path = format!("/v1/installers/{}", revoked.token_id);
    assert_eq!(world.owner.client.send(sallyport_testkit::client::Call::new("DELETE", &path)).await.status, 204);
    refused(&world, &revoked, "a token that was revoked").await;
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "device.enrolment_refused").count(), 4, "spent, wrong, far and revoked: {kinds:?}");
    assert_eq!(world.owner.devices("", 2).await.len(), 2, "nobody came in");
    world.server.clock.advance(3601);
    refused(&world, &world.file.clone(), "a token that lapsed").await;
    // The honest device needs no token any more; its owner signs in again, for the session was idle.
    let code = world.owner.code(&world.server);
    let mut client = world.owner.client.clone();
    assert_eq!(world.owner.sign_in(&mut client, &code).await.status, 200);
    world.owner.client = client;
    world.is_well().await;
}

async fn log_03_two_machines_with_one_key_are_quarantined_and_receive_nothing(engine: Engine) {
    let mut world = World::new(engine).await;
    let original = Rogue::new(3);
    let (mut first, device) = world.device(&original).await;
    let clone = original.clone();
    // The original answers the server's probe, as every living agent does.
    let (second, first) = tokio::join!(soon(clone.link(&world.server, &world.file)), async {
        assert_ends(&mut first).await;
        first
    });
    let mut second = second.expect("an answer");
    assert_eq!(second.state, DeviceState::Quarantined);
    assert_ends(&mut second).await;
    drop(first);
    let page = world.owner.client.get(&format!("/v1/devices/{device}")).await.json();
    assert_eq!(page["device"]["state"], "quarantined", "{page}");
    assert!(page["device"]["alerts"].to_string().contains("Two machines"), "{page}");
    let again = soon(original.link(&world.server, &world.file)).await.expect("an answer");
    assert_eq!(again.state, DeviceState::Quarantined, "neither of them comes back by itself");
    let body = json!({ "script": world.script, "version": 1, "devices": [device] });
    let reply = world.owner.client.post("/v1/jobs", body).await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "invalid_field"));
    assert!(world.audit_kinds().await.contains(&"device.quarantined".to_owned()));
    world.is_well().await;
}

async fn what_a_device_says_about_a_run_is_kept_once_and_in_order(engine: Engine) {
    let mut world = World::new(engine).await;
    let odd = Rogue::new(4);
    let (mut link, device) = world.device(&odd).await;
    let now = world.now();
    let tenant = world.file.tenant;
    let output = |grant, seq, text: &str| ToServer::Output { grant, seq, stream: Stream::Stdout, chunk: text.as_bytes().to_vec() };
    let is_output_ack = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::OutputAck { .. });

    let (job, grant) = world.offered(&mut link, &device).await;
    link.say(&output(grant, 5, "gap")).await.expect("sent");
    let ack = soon(link.until(is_output_ack)).await.expect("an answer");
    assert_eq!(ack, UnsignedToAgent::OutputAck { grant, next_seq: 0 }, "a gap is not stored");
    for _ in 0..3 {
        link.say(&output(grant, 0, "once\n")).await.expect("sent");
        let ack = soon(link.until(is_output_ack)).await.expect("an answer");
        assert_eq!(ack, UnsignedToAgent::OutputAck { grant, next_seq: 1 });
    }
    // The end comes before the beginning.
    let receipt = odd.receipt(tenant, grant, &End::of(b"once\n", now));
    link.say(&ToServer::RunEnded { grant, receipt }).await.expect("sent");
    soon(link.until(|message| matches!(message, UnsignedToAgent::ReceiptAck { .. }))).await.expect("an answer");
    let ended = world.run_of(&job).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    link.say(&ToServer::RunStarted { grant, started_at: now.plus_secs(60) }).await.expect("sent");
    link.say(&output(grant, 1, "too late\n")).await.expect("sent");
    soon(link.until(is_output_ack)).await.expect("an answer");
    let mut end = End::of(b"other\n", now);
    end.bytes = 99;
    let receipt = odd.receipt(tenant, grant, &end);
    link.say(&ToServer::RunEnded { grant, receipt }).await.expect("sent");
    soon(link.until(|message| matches!(message, UnsignedToAgent::ReceiptAck { .. }))).await.expect("an answer");
    assert_eq!(world.run_of(&job).await, ended, "what ended stays as it ended");
    assert_eq!(world.owner.output(&ended).await, "once\n");
    let counted = world.owner.client.get(&format!("/v1/jobs/{job}")).await.json();
    assert!(!counted["ended"].is_null() && counted["counts"]["succeeded"] == 1, "{counted}");
    world.is_well().await;
}

async fn names_from_devices_are_plain_text(engine: Engine) {
    let mut world = World::new(engine).await;
    let nasty = "<img src=x onerror=alert(1)>\u{202e}gpj.exe\u{0}\u{1b}[31m\u{200b}\u{feff}\r\nSet-Cookie: a=b\u{2028}";
    let mut machine = Rogue::new(5);
    machine.hostname = AgentText::tame("pc\u{202e}\u{1b}[2J", 255);
    let (mut link, device) = world.device(&machine).await;
    link.say(&inventory(nasty).into()).await.expect("sent");
    let shown = soon(async {
        loop {
            let page = world.owner.client.get(&format!("/v1/devices/{device}")).await.json();
            if page["inventory_at"].is_string() {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let full = world.owner.client.get(&format!("/v1/devices/{device}/inventory")).await;
    assert_eq!(full.status, 200);
    for text in [shown.to_string(), full.json().to_string(), world.owner.client.get("/v1/devices").await.json().to_string()] {
        let bad = |c: &char| {
            c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        };
        assert_eq!(text.chars().find(bad), None, "{text}");
        for escape in ["\\u0000", "\\u001b", "\\r", "\\n", "\\u202e"] {
            assert!(!text.contains(escape), "{escape} in {text}");
        }
    }
    assert!(shown["device"]["name"].as_str().is_some_and(|name| name.contains("<img src=x")), "markup is text like other text: {shown}");
    world.is_well().await;
}

async fn a_clock_that_is_ten_years_off_hurts_nobody(engine: Engine) {
    let mut world = World::new(engine).await;
    let machine = Rogue::new(6);
    let (mut link, device) = world.device(&machine).await;
    let ten_years = 10 * 365 * 86_400;
    for off in [ten_years, -ten_years, i64::MAX / 2_000_000, i64::MIN / 2_000_000] {
        let theirs = world.now().plus_secs(off);
        let (job, grant) = world.offered(&mut link, &device).await;
        let beat =
            Heartbeat { sent_at: theirs, load_permille: u32::MAX, memory_used_bytes: u64::MAX, uptime_secs: u64::MAX, signed_in: u32::MAX };
        link.say(&ToServer::Heartbeat(beat)).await.expect("sent");
        soon(link.obey(&machine, grant, b"tick\n", theirs)).await.expect("a receipt is taken");
        let run = world.run_of(&job).await;
        assert_eq!((&run["state"], &run["started"]), (&json!("succeeded"), &json!(theirs)), "shown as the device says: {run}");
        let shown = world.owner.client.get(&format!("/v1/jobs/{job}")).await.json();
        let (created, ended): (Timestamp, Timestamp) = (
            shown["created"].as_str().expect("a time").parse().expect("a time"),
            shown["ended"].as_str().expect("a time").parse().expect("a time"),
        );
        assert!(ended >= created && ended <= world.now(), "the job's own times are the server's: {shown}");
        if off == ten_years {
            assert_eq!(alert_of(&mut world, &device).await, "Clock is 10 years ahead", "it is shown as what it is");
        }
    }
    let page = world.owner.client.get(&format!("/v1/devices/{device}")).await;
    assert_eq!(page.status, 200, "figures beyond all measure are shown too");
    let seen: Timestamp = page.json()["device"]["last_seen"].as_str().expect("a time").parse().expect("a time");
    assert!(seen <= world.now());
    world.is_well().await;
}

/// The first alert of a device.
async fn alert_of(world: &mut World, device: &str) -> String {
    let shown = world.owner.client.get(&format!("/v1/devices/{device}")).await.json();
    shown["device"]["alerts"][0].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn hellos_of_another_handshake_and_of_nobody_open_nothing() {
    let mut world = World::new(Engine::Sqlite).await;
    let file = world.file.clone();
    let thief = Rogue::new(7);
    // What the honest device says on one link is worth nothing on another.
    let (_, honest_channel) = soon(rogue::dial(&world.server, &file)).await.expect("a link");
    let (_, hello) = world.honest.hello(honest_channel, None);
    let (mut socket, _channel) = soon(rogue::dial(&world.server, &file)).await.expect("a link");
    rogue::send(&mut socket, hello).await.expect("sent");
    assert_eq!(soon(rogue::frame(&mut socket)).await, Err(Ended));
    // Another link key is not the server's.
    let wrong = File { link: sallyport_wire::LinkSecret::from_bytes([3; 32]).link_key(), ..file.clone() };
    assert!(soon(rogue::dial(&world.server, &wrong)).await.is_err());
    // A key that nobody knows and that shows no token is nobody.
    let mut link = soon(thief.link(&world.server, &file)).await.expect("an answer");
    assert_eq!((link.state, link.tenant), (DeviceState::Unknown, None));
    assert_ends(&mut link).await;
    world.is_well().await;
}

#[tokio::test]
async fn garbage_at_every_stage_of_a_link_ends_it() {
    let mut world = World::new(Engine::Sqlite).await;
    let file = world.file.clone();
    let mut seed = 1u64;
    let mut garbage = |length: usize| -> Vec<u8> {
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        })
        .take(length)
        .collect()
    };
    for length in [0, 1, 31, 32, 48, 64, 1000, limits::FRAME_BYTES, limits::FRAME_BYTES + 1, 200_000] {
        let mut first = soon(rogue::socket(&world.server, file.tenant)).await.expect("a socket");
        let _ = rogue::send(&mut first, garbage(length)).await;
        assert_eq!(soon(rogue::frame(&mut first)).await, Err(Ended), "{length} bytes first");
        let (mut second, _channel) = soon(rogue::dial(&world.server, &file)).await.expect("a link");
        let _ = rogue::send(&mut second, garbage(length)).await;
        assert_eq!(soon(rogue::frame(&mut second)).await, Err(Ended), "{length} bytes instead of a hello");
        let machine = Rogue::new(8);
        let mut third = soon(machine.enrol(&world.server, &file)).await.expect("a link");
        let _ = rogue::send(&mut third.socket, garbage(length)).await;
        assert_ends(&mut third).await;
    }
    assert_eq!(world.owner.devices("state=pending", 1).await.len(), 1, "the one that enrolled before it broke its links");
    world.is_well().await;
}

#[tokio::test]
async fn handshakes_that_dawdle_are_cut_off() {
    let mut world = World::new(Engine::Sqlite).await;
    let file = world.file.clone();
    let mut silent = soon(rogue::socket(&world.server, file.tenant)).await.expect("a socket");
    let (mut halfway, _channel) = soon(rogue::dial(&world.server, &file)).await.expect("a link");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(soon(rogue::socket(&world.server, file.tenant)).await.expect("a socket"));
    }
    world.is_well().await;
    let limit = Duration::from_secs(limits::HANDSHAKE_SECS + 3);
    let both = async { (rogue::frame(&mut silent).await, rogue::frame(&mut halfway).await) };
    assert_eq!(timeout(limit, both).await, Ok((Err(Ended), Err(Ended))));
    world.is_well().await;
}

#[tokio::test]
async fn a_receipt_that_another_key_signed_ends_the_link_and_nothing_else() {
    let mut world = World::new(Engine::Sqlite).await;
    let (machine, forger) = (Rogue::new(9), Rogue::new(10));
    let (mut link, device) = world.device(&machine).await;
    let (job, grant) = world.offered(&mut link, &device).await;
    let (tenant, now) = (world.file.tenant, world.now());
    let end = End::of(b"", now);
    let mut forged = machine.receipt(tenant, grant, &end);
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let other_grant = machine.receipt(tenant, GrantId::from_bytes([1; 16]), &end);
    let other_tenant = machine.receipt(TenantId::from_bytes([1; 16]), grant, &end);
    for receipt in [forger.receipt(tenant, grant, &end), forged, other_grant, other_tenant, Vec::new(), vec![0xff; 5000]] {
        link.say(&ToServer::RunEnded { grant, receipt }).await.expect("sent");
        assert_ends(&mut link).await;
        assert_eq!(world.run_of(&job).await["state"], "waiting");
        link = soon(machine.link(&world.server, &world.file)).await.expect("it may come back");
        assert_eq!(grant_of(&soon(link.offer()).await.expect("offered again")), grant);
    }
    soon(link.obey(&machine, grant, b"", now)).await.expect("its own receipt is taken");
    assert_eq!(world.run_of(&job).await["state"], "succeeded");
    world.is_well().await;
}

/// Kilobytes that this process holds.
fn resident() -> u64 {
    sallyport_testkit::process::resident_kib(std::process::id())
}

#[tokio::test]
async fn a_gigabyte_of_output_is_stored_up_to_the_limit_and_fills_no_memory() {
    let mut world = World::new(Engine::Sqlite).await;
    let machine = Rogue::new(11);
    let (mut link, device) = world.device(&machine).await;
    let (job, grant) = world.offered(&mut link, &device).await;
    let chunk = vec![b'x'; limits::OUTPUT_CHUNK_BYTES];
    let before = resident();
    let mut most = 0;
    let chunks = (1u64 << 30) / limits::OUTPUT_CHUNK_BYTES as u64;
    for seq in 0..chunks {
        link.say(&ToServer::Output { grant, seq, stream: Stream::Stdout, chunk: chunk.clone() }).await.expect("sent");
        // Its window would end at 32; a hostile agent looks at acknowledgements only so that the test can go on.
        if seq % 32 == 31 {
            soon(link.until(|message| matches!(message, UnsignedToAgent::OutputAck { .. }))).await.expect("an answer");
            most = most.max(resident());
        }
    }
    soon(link.obey(&machine, grant, b"", world.now())).await.expect("the end is taken");
    let run = world.run_of(&job).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let stored = run["output_bytes"].as_u64().expect("a number");
    assert!(stored <= limits::RUN_OUTPUT_BYTES && stored > limits::RUN_OUTPUT_BYTES - 2 * limits::OUTPUT_CHUNK_BYTES as u64, "{stored}");
    assert!(most < before + 200 * 1024, "{before} kB before, {most} kB at most");
    world.is_well().await;
}

#[tokio::test]
async fn a_script_that_writes_without_end_is_ended_at_its_limit() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let (machines, devices) = owner.machines(&server, 1).await;
    let script = owner.script("endless", "yes sallyport").await;
    let job = owner.run(&server, &script, &devices, json!({ "output_limit_bytes": 100_000 })).await;
    let run = owner.ended_runs(&job).await[0].clone();
    assert_eq!(run["state"], "output_limit", "{run} {}", machines[0].log());
    let stored = run["output_bytes"].as_u64().expect("a number");
    assert!(stored <= 100_000 && stored > 50_000, "{run}");
    let job = owner.run(&server, &script, &devices, json!({ "output_limit_bytes": 100_000, "time_limit_secs": 60 })).await;
    assert_eq!(owner.ended_runs(&job).await[0]["state"], "output_limit", "the device works on");
}

#[tokio::test]
async fn a_flood_of_inventories_is_taken_once() {
    let mut world = World::new(Engine::Sqlite).await;
    let machine = Rogue::new(12);
    let (mut link, device) = world.device(&machine).await;
    let before = world.server.app.store.transactions();
    for number in 0..500 {
        link.say(&inventory(&format!("flood-{number}")).into()).await.expect("sent");
    }
    let beat = Heartbeat { sent_at: world.now(), load_permille: 0, memory_used_bytes: 0, uptime_secs: 0, signed_in: 0 };
    link.say(&ToServer::Heartbeat(beat)).await.expect("sent");
    soon(link.until(|message| matches!(message, UnsignedToAgent::HeartbeatAck { .. }))).await.expect("all of it was read");
    let name = world.owner.client.get(&format!("/v1/devices/{device}")).await.json()["device"]["name"].clone();
    assert_eq!(name, "flood-0", "the first is kept");
    assert!(world.server.app.store.transactions() - before < 20, "the others cost no commit");
    world.is_well().await;
}

#[tokio::test]
async fn a_device_that_is_approved_while_it_links_learns_of_it() {
    let mut world = World::new(Engine::Sqlite).await;
    for seed in 20..35 {
        let machine = Rogue::new(seed);
        drop(soon(machine.enrol(&world.server, &world.file)).await.expect("a link"));
        let pending = world.owner.devices("state=pending", 1).await;
        let body = json!({ "devices": [pending[0]["id"]] });
        let (server, file, owner) = (&world.server, &world.file, &mut world.owner);
        let (link, _) = tokio::join!(soon(machine.link(server, file)), owner.ask(server, "/v1/devices/approve", body));
        let mut link = link.expect("an answer");
        if link.state != DeviceState::Approved {
            let is_approval = |message: &UnsignedToAgent| *message == UnsignedToAgent::StateChanged { state: DeviceState::Approved };
            soon(link.until(is_approval)).await.expect("the change");
        }
    }
    world.is_well().await;
}

#[tokio::test]
async fn a_removed_device_is_nobody() {
    let mut world = World::new(Engine::Sqlite).await;
    let machine = Rogue::new(13);
    let (mut link, device) = world.device(&machine).await;
    world.owner.ask(&world.server, "/v1/devices/remove", json!({ "devices": [device] })).await;
    assert_ends(&mut link).await;
    let mut again = soon(machine.enrol(&world.server, &world.file)).await.expect("an answer");
    assert_eq!(again.state, DeviceState::Removed, "not even with a good token");
    assert_ends(&mut again).await;
    world.is_well().await;
}

fn inventory(name: &str) -> Inventory {
    let text = |text: &str| AgentText::tame(text, 255);
    let none = || text("");
    Inventory {
        collected_at: Timestamp::from_secs(0),
        system: System {
            hostname: text(name),
            os_name: text(name),
            os_version: text(name),
            kernel: text(name),
            arch: text(name),
            timezone: text(name),
            agent_version: text(name),
            booted_at: None,
        },
        hardware: Hardware {
            cpu_model: text(name),
            cores: 0,
            memory_bytes: u64::MAX,
            vendor: none(),
            product: none(),
            serial: text(name),
            is_virtual: false,
        },
        disks: Vec::new(),
        interfaces: Vec::new(),
        signed_in: Vec::new(),
        local_users: Vec::new(),
        software: vec![Software { name: text(name), version: text(name), source: none() }],
        processes: Vec::new(),
        services: vec![Service { name: text(name), description: text(name), state: ServiceState::Failed, start: ServiceStart::Automatic }],
        ports: Vec::new(),
        omitted: 0,
    }
}

async fn net_05_a_link_from_outside_of_the_agents_ranges_ends_when_they_change(engine: Engine) {
    let mut world = World::new(engine).await;
    let rules = |version: u64, ranges: &[&str]| {
        let required = match ranges {
            [] => json!([]),
            ranges => json!([{ "capability": "agent_link", "ranges": ranges }]),
        };
        let body = json!({ "version": version, "trusted": [], "required": required, "address_verification": "off" });
        Call::new("PUT", "/v1/policy/networks").body(body)
    };
    assert_eq!(world.owner.does(&world.server, rules(0, &["127.0.0.0/8"])).await.status, 200);
    world.is_well().await;
    assert_eq!(world.owner.does(&world.server, rules(1, &["192.0.2.0/24"])).await.status, 200);
    assert_ends(&mut world.honest_link).await;
    let refused = timeout(PATIENCE, world.honest.enrol(&world.server, &world.file)).await.expect("soon");
    assert!(refused.is_err(), "and it is not let in again");
    assert_eq!(world.owner.does(&world.server, rules(2, &[])).await.status, 200);
    world.honest_link = soon(world.honest.enrol(&world.server, &world.file)).await.expect("the control: a link");
    world.is_well().await;
}
