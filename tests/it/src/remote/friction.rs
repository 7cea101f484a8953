//! What a working day costs: the prompts that a technician meets and the seconds that they wait for the next code, with an authenticator
//! app and with a passkey, on a clock that the test holds.

use sallyport_model::Timestamp;
use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::oathtool;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD};
use sallyport_testkit::remote::body;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_wire::stream::StreamSecret;
use serde_json::{Value as Json, json};

use super::World;

/// What the day asked of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Day {
    prompts: u32,
    codes_typed: u32,
    touches: u32,
    waited_secs: i64,
}

/// What they prove themselves with.
enum Proves {
    Totp,
    Passkey(Box<SoftPasskey>),
}

/// A technician at work, who may make installers too.
struct Technician {
    client: Client,
    email: String,
    secret: String,
    /// The step of the last code that they typed.
    last_step: i64,
    proves: Proves,
    day: Day,
}

impl Technician {
    /// A code that was not used yet: the next one is waited for where it has to be.
    fn code(&mut self, server: &TestServer) -> String {
        let step = |at: Timestamp| at.secs() / 30;
        while step(server.clock.now()) <= self.last_step {
            server.clock.advance(1);
            self.day.waited_secs += 1;
        }
        self.last_step = step(server.clock.now());
        self.day.codes_typed += 1;
        oathtool(&self.secret, server.clock.now())
    }

    /// One prompt: a code, or one touch.
    async fn sign_in(&mut self, server: &TestServer) {
        self.day.prompts += 1;
        let reply = match &mut self.proves {
            Proves::Totp => {
                let code = self.code(server);
                let body = json!({ "email": self.email, "password": THEIR_PASSWORD, "code": code });
                self.client.post("/v1/sign-in", body).await
            }
            Proves::Passkey(key) => {
                self.day.touches += 1;
                let started = self.client.post("/v1/sign-in/passkey/start", json!({})).await.json();
                let credential = key.get(&started["options"]).await;
                let body = json!({ "ceremony": started["ceremony"], "credential": credential });
                self.client.post("/v1/sign-in/passkey/finish", body).await
            }
        };
        assert_eq!(reply.status, 200, "{}", reply.json());
    }

    async fn prove(&mut self, server: &TestServer, request: &Json) -> Reply {
        self.day.prompts += 1;
        let path = format!("/v1/authorization-requests/{}", request["id"].as_str().expect("an id"));
        let proof = match &mut self.proves {
            Proves::Totp => json!({ "totp": self.code(server) }),
            Proves::Passkey(key) => {
                self.day.touches += 1;
                let started = self.client.post(&format!("{path}/passkey"), json!({})).await.json();
                json!({ "passkey": { "credential": key.get(&started["options"]).await } })
            }
        };
        self.client.post(&format!("{path}/proofs"), proof).await
    }

    /// Does something, with whatever stands in between: the lock after a break, a proof.
    async fn does(&mut self, server: &TestServer, call: impl Fn() -> Call) -> Json {
        let mut reply = self.client.send(call()).await;
        if reply.status == 401 {
            self.sign_in(server).await;
            reply = self.client.send(call()).await;
        }
        let reply = match reply.status {
            202 => self.prove(server, &reply.json()).await,
            _ => reply,
        };
        assert!((200..300).contains(&reply.status), "{} {}", reply.status, reply.json());
        reply.json()
    }

    /// Works on for so many minutes: looks at devices now and then, which counts as use and asks for nothing.
    async fn works(&mut self, server: &TestServer, minutes: i64) {
        for _ in 0..minutes / 10 {
            server.clock.advance(600);
            assert_eq!(self.client.get("/v1/devices").await.status, 200);
        }
        server.clock.advance(minutes % 10 * 60);
    }
}

/// A working day: 40 remote sessions in eight rounds of five, as tickets come; six scripts on the fleet; two installers; and a lunch over
/// which the session locks.
async fn a_day(world: &World, devices: &[String], script: &str, site: &Json, tech: &mut Technician) -> Day {
    let server = &world.server;
    tech.sign_in(server).await;
    half_a_day(server, devices, script, site, tech).await;
    server.clock.advance(70 * 60);
    assert_eq!(tech.client.get("/v1/me").await.status, 401, "the session locked over lunch");
    half_a_day(server, devices, script, site, tech).await;
    tech.day
}

/// Twenty remote sessions, three scripts on the fleet, an installer. Whoever is signed out meanwhile signs in again.
async fn half_a_day(server: &TestServer, devices: &[String], script: &str, site: &Json, tech: &mut Technician) {
    let run = || Call::new("POST", "/v1/jobs").body(json!({ "script": script, "version": 1, "devices": devices }));
    let installer = || {
        let body = json!({ "label": "Office", "site": site, "platform": "linux", "uses": 5, "lifetime_secs": 86_400 });
        Call::new("POST", "/v1/installers").body(body)
    };
    for round in 0..4 {
        five_sessions(server, devices, tech).await;
        tech.works(server, 20).await;
        match round {
            0..3 => drop(tech.does(server, run).await),
            _ => drop(tech.does(server, installer).await),
        }
        tech.works(server, 20).await;
    }
}

/// Five remote sessions within four minutes; the first loses its connection once.
async fn five_sessions(server: &TestServer, devices: &[String], tech: &mut Technician) {
    for number in 0..5 {
        let opened = tech.does(server, || Call::new("POST", "/v1/remote-sessions").body(wanted(&devices[number % devices.len()]))).await;
        server.clock.advance(45);
        if number == 0 {
            reconnects(server, tech, &opened).await;
        }
        let end = format!("/v1/remote-sessions/{}", find(&opened).0);
        tech.does(server, || Call::new("DELETE", &end)).await;
    }
}

fn wanted(device: &str) -> Json {
    body(&StreamSecret::from_bytes([1; 32]), json!({ "device": device, "kind": "terminal" }))
}

/// The connection was lost: another ticket for the stream that goes on, and no prompt.
async fn reconnects(server: &TestServer, tech: &mut Technician, opened: &Json) {
    let before = tech.day;
    let (session, grant) = find(opened);
    let call = || Call::new("POST", &format!("/v1/remote-sessions/{session}/tickets")).body(json!({ "grant": grant }));
    tech.does(server, call).await;
    assert_eq!(before, tech.day, "coming back asks for nothing");
}

/// Session and grant of what opening answered, at once or after a proof.
fn find(opened: &Json) -> (String, String) {
    let result = if opened["result"].is_object() { &opened["result"] } else { opened };
    let text = |key: &str| result[key].as_str().unwrap_or_else(|| panic!("{key} in {opened}")).to_owned();
    (text("session"), text("grant"))
}

async fn technician(world: &mut World, seed: u8) -> Colleague {
    let roles = json!([{ "role": "admin", "scope": "tenant" }]);
    world.owner.colleague(&world.server, seed, &format!("tech-{seed}@nordwind.example"), roles).await
}

async fn passkey(server: &TestServer, tech: &mut Colleague) -> SoftPasskey {
    server.clock.advance(30);
    let code = tech.code(server);
    SoftPasskey::added(server, &mut tech.client, &code).await
}

#[tokio::test]
async fn friction_of_a_working_day_with_an_app_and_with_a_passkey() {
    let mut world = World::new(Engine::Sqlite).await;
    let (mut links, mut devices) = (Vec::new(), vec![world.device.clone()]);
    for seed in 1..=2 {
        let (_, link, device) = world.another(seed).await;
        links.push(link);
        devices.push(device);
    }
    let script = world.owner.script("uptime", "uptime").await;
    let site = world.owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let (app, mut key) = (technician(&mut world, 31).await, technician(&mut world, 32).await);
    let touched = Proves::Passkey(Box::new(passkey(&world.server, &mut key).await));
    let mut days = Vec::new();
    for (person, proves, with) in [(app, Proves::Totp, "an authenticator app"), (key, touched, "a passkey")] {
        world.server.clock.advance(3600);
        let client = Client::new(&world.server, 41);
        let (email, secret) = (person.email, person.secret);
        let mut tech = Technician { client, email, secret, last_step: 0, proves, day: Day::default() };
        let day = a_day(&world, &devices, &script, &site, &mut tech).await;
        let Day { prompts, codes_typed, touches, waited_secs } = day;
        println!(
            "friction, a working day with {with}: {prompts} prompts, {codes_typed} codes typed, {touches} touches, {waited_secs} s waited for the next code"
        );
        days.push(day);
    }
    let [app, key] = [days[0], days[1]];
    assert!(
        app.prompts <= 25 && app.codes_typed == app.prompts,
        "two sign-ins, six on the fleet, two installers, and a round each: {app:?}"
    );
    assert!(app.waited_secs <= 30 * i64::from(app.prompts), "{app:?}");
    assert_eq!((key.prompts, key.codes_typed, key.waited_secs), (app.prompts, 0, 0), "one touch each, and nothing to wait for");
    assert_eq!(key.touches, key.prompts);
}
