//! Everything that a tenant has and a path can name, each made as its people make it, and a second tenant on the same server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sallyport_model::{RemoteSessionId, UserId};
use sallyport_server::clock::Clock as _;
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::licence::{LicensedTool, wanted as wanted_licence};
use sallyport_testkit::owner::{Begun, Owner, oathtool, start_body};
use sallyport_testkit::people::Colleague;
use sallyport_testkit::receiver::Receiver;
use sallyport_testkit::remote::RemoteClient;
use sallyport_testkit::rogue::{File, Rogue, RogueLink, grant_of};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_wire::{Place, ToServer, UnsignedToAgent};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::posture::run as sql;
use crate::survival::routes::{Route, sample};

const PATIENCE: Duration = Duration::from_secs(60);
const SCOPES: &[&str] = &["devices.read", "jobs.read"];
/// An address that the owner approved once.
const ADDRESS: &str = "192.0.2.77";

/// A tenant with one of everything.
pub(super) struct Estate {
    pub(super) server: TestServer,
    pub(super) owner: Owner,
    ids: BTreeMap<&'static str, String>,
    /// A client of the owner's remote session.
    grant: String,
    licensed: Option<LicensedTool>,
    receiver: Receiver,
    /// Somebody of this tenant, who stays signed in.
    _colleague: Colleague,
    /// The device stays linked.
    _link: Option<RogueLink>,
}

impl Estate {
    /// With the second tenant, which is made first: what waits here does not wait for long.
    pub(super) async fn new(engine: Engine) -> (Self, Elsewhere) {
        let server = TestServer::configured(engine, |raw| {
            raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
            raw.outbound_http = Some("listed".to_owned());
        })
        .await;
        let mut owner = Owner::set_up(&server).await;
        let colleague = owner.colleague(&server, 10, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
        let ids = BTreeMap::from([("user", colleague.id.clone())]);
        let (receiver, elsewhere) = (Receiver::start().await, Elsewhere::new(&server).await);
        let mut estate = Self { server, owner, ids, grant: String::new(), licensed: None, receiver, _colleague: colleague, _link: None };
        estate.people().await;
        estate.outward().await;
        estate.fleet().await;
        estate.judged().await;
        estate.told().await;
        (estate, elsewhere)
    }

    /// The id of something that this tenant has.
    pub(super) fn id(&self, what: &str) -> &str {
        self.ids.get(what).unwrap_or_else(|| panic!("there is no {what}"))
    }

    /// Where its webhooks and connections lead.
    pub(super) fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn keep(&mut self, what: &'static str, id: &Value) {
        let id = id.as_str().unwrap_or_else(|| panic!("{what}: no id but {id}"));
        self.ids.insert(what, id.to_owned());
    }

    async fn get(&mut self, path: &str) -> Value {
        let reply = self.owner.client.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        reply.json()
    }

    /// Something guarded: what came of it.
    async fn does(&mut self, path: &str, body: Value) -> Value {
        let reply = self.owner.does(&self.server, Call::new("POST", path).body(body)).await;
        assert!(matches!(reply.status, 200 | 201), "{path}: {}", reply.json());
        reply.json()
    }

    async fn people(&mut self) {
        // One that nobody has, and one that somebody has.
        for (what, name) in [("role", "Reader"), ("given role", "Watcher")] {
            self.does("/v1/roles", json!({ "name": name, "capabilities": ["devices.read"] })).await;
            let roles = self.get("/v1/roles").await;
            let role = roles["roles"].as_array().into_iter().flatten().find(|role| role["name"] == name).expect("a role");
            self.keep(what, &role["id"]);
        }
        let given = json!([{ "role": self.id("given role"), "scope": "tenant" }]);
        let invited = self.owner.invites(&self.server, "ivo@nordwind.example", given, Value::Null).await.json();
        self.keep("invited", &invited["result"]["user"]);
        let factors = self.get("/v1/me/factors").await;
        self.keep("factor", &factors["items"][0]["id"]);
        // The owner in another browser, whose session may end.
        self.server.clock.advance(30);
        let mut elsewhere = Client::new(&self.server, 11);
        assert_eq!(self.owner.sign_in(&mut elsewhere, &self.owner.code(&self.server)).await.status, 200);
        let me = elsewhere.get("/v1/me").await.json();
        self.keep("session", &me["session"]["id"]);
        self.keep("owner", &me["user"]);
        let owner: UserId = me["user"].as_str().expect("an id").parse().expect("an id");
        let approved = "INSERT INTO approved_addresses (user_id, address, user_agent, approved) VALUES ($1, $2, 'Lynx', 1)";
        sql(&self.server, approved, values![owner, ADDRESS]).await;
        self.ids.insert("address", ADDRESS.to_owned());
    }

    /// Waits until the webhook was told everything.
    async fn told(&mut self) {
        let (begun, hook) = (Instant::now(), format!("/v1/webhooks/{}", self.id("webhook")));
        while self.get(&hook).await["waiting"] != 0 {
            assert!(begun.elapsed() < PATIENCE, "{}", self.get(&format!("{hook}/deliveries")).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What reaches other programs: webhooks, API clients, connections.
    async fn outward(&mut self) {
        let hook = self.does("/v1/webhooks", self.webhook()).await;
        self.keep("webhook", &hook["result"]["webhook"]);
        let licensed = LicensedTool::made(&self.server, &mut self.owner, 21, SCOPES).await;
        self.ids.insert("client", licensed.tool.id.clone());
        self.ids.insert("licence", licensed.licence.clone());
        self.licensed = Some(licensed);
        // The client was asked for: the webhook was told.
        let event = self.receiver.wait("/ok", 1).await[0].id().to_owned();
        self.ids.insert("event", event);
        let made = self.does("/v1/connections", self.connection()).await;
        self.keep("connection", &made["action"]["connection"]);
    }

    fn webhook(&self) -> Value {
        json!({ "name": "Desk", "url": self.receiver.url("/ok"), "events": ["request.waiting"] })
    }

    pub(super) fn connection(&self) -> Value {
        json!({
            "name": "Tickets", "base_url": self.receiver.url("/api"), "credential": { "in": "bearer" }, "secret": "Kx7-credential-Qz2",
            "allows": [{ "methods": ["GET", "POST", "PUT", "PATCH", "DELETE"], "path": "/tickets" }], "per_minute": 60,
            "expires": self.server.clock.now().plus_secs(30 * 86_400), "check": "/me",
            "rotation": { "every_days": 30, "method": "POST", "path": "/keys", "body": "{\"key\":\"{new}\"}", "new": { "from": "made" } },
        })
    }

    async fn fleet(&mut self) {
        let file = File::read(&self.owner.installer(&self.server, 5).await);
        let installers = self.get("/v1/installers").await;
        self.keep("installer", &installers["items"][0]["id"]);
        let customers = self.get("/v1/customers").await;
        self.keep("customer", &customers["items"][0]["id"]);
        self.keep("site", &customers["items"][0]["sites"][0]["id"]);
        let machine = Rogue::new(200);
        let mut link = timeout(PATIENCE, machine.enrol(&self.server, &file)).await.expect("soon").expect("a link");
        let device = self.owner.devices("state=pending", 1).await[0]["id"].clone();
        self.owner.ask(&self.server, "/v1/devices/approve", json!({ "devices": [device] })).await;
        self.owner.devices("state=online", 1).await;
        self.keep("device", &device);
        self.jobs(&machine, &mut link).await;
        self.remote_session(&mut link).await;
        self._link = Some(link);
    }

    /// One that is over, with output and receipt, two that wait, and a schedule.
    async fn jobs(&mut self, machine: &Rogue, link: &mut RogueLink) {
        let (script, devices) = (self.owner.script("probe", "true").await, [self.id("device").to_owned()]);
        for name in ["over", "waiting", "also waiting"] {
            let job = self.owner.run(&self.server, &script, &devices, json!({})).await;
            let offer = timeout(PATIENCE, link.offer()).await.expect("soon").expect("an offer");
            if name == "over" {
                let (grant, now) = (grant_of(&offer), self.server.clock.now());
                link.obey(machine, grant, b"all is well\n", now).await.expect("a receipt is taken");
            }
            let runs = self.get(&format!("/v1/jobs/{job}/runs")).await;
            let [of_job, of_run] = match name {
                "over" => ["job", "run"],
                "waiting" => ["waiting job", "run of waiting job"],
                _ => ["job of waiting run", "waiting run"],
            };
            self.keep(of_job, &json!(job));
            self.keep(of_run, &runs["items"][0]["id"]);
        }
        let timing = json!({ "cron": "0 3 * * *", "zone": "Europe/Berlin", "expires": self.server.clock.now().plus_secs(30 * 86_400) });
        let body = json!({ "name": "Nightly", "script": script, "version": 1, "devices": devices, "timing": timing });
        self.owner.ask(&self.server, "/v1/schedules", body).await;
        let schedules = self.get("/v1/schedules").await;
        self.keep("schedule", &schedules["items"][0]["id"]);
        self.keep("script", &json!(script));
    }

    /// An open one, with a recording.
    async fn remote_session(&mut self, link: &mut RogueLink) {
        let device = self.id("device").to_owned();
        let client = RemoteClient::open(&mut self.owner, &self.server, json!({ "device": device, "kind": "terminal" })).await;
        let session: RemoteSessionId = client.session();
        let piece = ToServer::Recording { session, seq: 0, chunk: b"{\"version\":2}\n".to_vec(), place: Place::Last };
        link.say(&piece).await.expect("sent");
        let acked = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::RecordingAck { .. });
        timeout(PATIENCE, link.until(acked)).await.expect("soon").expect("it is kept");
        self.ids.insert("remote session", session.to_string());
        self.grant = client.grant().to_string();
    }

    /// An accepted finding, a request that waits, and the log of all of it.
    async fn judged(&mut self) {
        let posture = self.get("/v1/posture").await;
        let rule = posture["rules"].as_array().into_iter().flatten().find(|rule| rule["id"] == "P-03").expect("a rule");
        let finding = rule["findings"][0]["id"].clone();
        let body = json!({ "finding": finding, "reason": "Later", "until": self.server.clock.now().plus_secs(6 * 86_400) });
        assert_eq!(self.owner.client.post("/v1/posture/accepted", body).await.status, 204);
        self.keep("finding", &finding);
        let asked = self.owner.client.post("/v1/me/recovery-codes", json!({})).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        self.keep("request", &asked.json()["id"]);
        let newest = self.get("/v1/audit?limit=1").await["items"][0]["index"].as_u64().expect("a number");
        self.ids.insert("entry", newest.to_string());
    }

    /// A device that waits for approval, and somebody who is disabled.
    pub(super) async fn waiting(&mut self) -> (String, String) {
        let file = File::read(&self.owner.installer(&self.server, 1).await);
        let machine = Rogue::new(201);
        timeout(PATIENCE, machine.enrol(&self.server, &file)).await.expect("soon").expect("a link");
        let device = self.owner.devices("state=pending", 1).await[0]["id"].as_str().expect("an id").to_owned();
        let gone = self.owner.colleague(&self.server, 12, "gero@nordwind.example", json!([{ "role": "auditor", "scope": "tenant" }])).await;
        self.does("/v1/users/disable", json!({ "users": [gone.id] })).await;
        (device, gone.id)
    }

    /// What a route's path names, the outer one first. Whoever adds a route says here what its path names.
    fn named(route: &Route) -> &'static [&'static str] {
        match (route.method.as_str(), route.path.as_str()) {
            (_, "/v1/audit/{index}/proof") => &["entry"],
            (_, "/v1/me/addresses/{address}") => &["address"],
            (_, "/v1/me/factors/{id}") => &["factor"],
            (_, "/v1/me/sessions/{id}") => &["session"],
            (_, "/v1/posture/accepted/{id}") => &["finding"],
            ("POST", "/v1/jobs/{id}/cancel") => &["waiting job"],
            ("POST", "/v1/runs/{id}/cancel") => &["waiting run"],
            ("POST", "/v1/users/{id}/resend-invitation") => &["invited"],
            (_, path) if path.contains("{event}") => &["webhook", "event"],
            (_, path) => match path.split('/').nth(2).unwrap_or_default() {
                "authorization-requests" => &["request"],
                "clients" => &["client"],
                "connections" => &["connection"],
                "customers" => &["customer"],
                "devices" => &["device"],
                "installers" => &["installer"],
                "jobs" => &["job"],
                "licences" => &["licence"],
                "remote-sessions" => &["remote session"],
                "roles" => &["role"],
                "runs" => &["run"],
                "schedules" => &["schedule"],
                "scripts" => &["script"],
                "users" => &["user"],
                "webhooks" => &["webhook"],
                _ => panic!("{route}: say what its path names, and make one"),
            },
        }
    }

    /// The call with what is in this tenant.
    pub(super) fn call(&self, route: &Route) -> Call {
        let ids: Vec<&str> = Self::named(route).iter().map(|what| self.id(what)).collect();
        self.call_with(route, &ids)
    }

    /// The same call with ids of the same kinds that nobody has.
    pub(super) fn call_of_nothing(&self, route: &Route) -> Call {
        let ids: Vec<String> = Self::named(route).iter().map(|what| unlike(self.id(what))).collect();
        self.call_with(route, &ids.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The call with these ids in the places of the path's parameters.
    pub(super) fn call_with(&self, route: &Route, ids: &[&str]) -> Call {
        let (mut ids, mut parts) = (ids.iter(), Vec::new());
        for part in route.path.split('/') {
            parts.push(match part {
                "{*path}" => "tickets",
                part if part.starts_with('{') => ids.next().copied().unwrap_or_else(|| panic!("{route} names more")),
                part => part,
            });
        }
        assert_eq!(ids.next(), None, "{route} names less");
        let call = Call::new(&route.method, &parts.join("/"));
        match self.body(route) {
            Some(body) => call.body(body),
            None => call,
        }
    }

    /// A body that the handler takes, so that it comes as far as looking for what the path names.
    fn body(&self, route: &Route) -> Option<Value> {
        let licensed = self.licensed.as_ref().expect("a tool");
        Some(match (route.method.as_str(), route.path.as_str()) {
            ("PUT", "/v1/clients/{id}") => {
                let mut shape = licensed.tool.wanted(SCOPES);
                shape.as_object_mut().expect("an object").remove("key");
                shape
            }
            ("POST", "/v1/clients/{id}/licences") => wanted_licence(&licensed.tool, &licensed.host, SCOPES),
            ("PUT", "/v1/connections/{id}") => self.connection(),
            ("PUT", "/v1/scripts/{id}") => json!({ "name": "probe", "interpreter": "sh", "text": "uptime", "based_on": 1 }),
            ("PUT", "/v1/roles/{id}") => json!({ "name": "Reader", "capabilities": ["jobs.read"] }),
            ("PUT", "/v1/webhooks/{id}") => self.webhook(),
            ("PATCH", "/v1/me/factors/{id}") => json!({ "name": "Other" }),
            ("POST", "/v1/remote-sessions/{id}/tickets") => json!({ "grant": self.grant }),
            ("POST", "/v1/users/{id}/assignments") => json!({ "assignments": [{ "role": "auditor", "scope": "tenant" }] }),
            ("POST", "/v1/users/{id}/reset-factor") => json!({ "confirmed": "by_call" }),
            _ => return sample(route),
        })
    }
}

/// An id of the same kind that nobody has; of a number, one that is larger than all.
pub(super) fn unlike(id: &str) -> String {
    let turned = |byte: char| if byte == '0' { '1' } else { '0' };
    match id {
        id if id.parse::<u64>().is_ok() => "999999".to_owned(),
        id if id.parse::<std::net::IpAddr>().is_ok() => "192.0.2.78".to_owned(),
        id => {
            let last = id.chars().last().expect("an id");
            format!("{}{}", &id[..id.len() - 1], turned(last))
        }
    }
}

/// A second tenant on the server, with people of its own.
pub(super) struct Elsewhere {
    pub(super) owner: Owner,
    /// By their roles' words; the owner is the first.
    pub(super) people: Vec<(String, Client)>,
}

impl Elsewhere {
    /// The set-up is opened once more, which no program does, and gone through as the first time.
    pub(super) async fn new(server: &TestServer) -> Self {
        sql(server, "UPDATE setup SET closed_at = NULL", &[]).await;
        let link = sallyport_server::accounts::offer_setup(&server.app).await.expect("the store answers").expect("it is open");
        let token = link.split_once('#').expect("behind #").1.to_owned();
        let mut client = Client::new(server, 30);
        let mut body = start_body(&token);
        (body["tenant_name"], body["email"]) = (json!("Elsewhere"), json!("owner@elsewhere.example"));
        let draft = client.post("/v1/setup/start", body).await;
        assert_eq!(draft.status, 200, "{}", draft.json());
        let begun = Begun { token, draft: draft.json(), authority: sallyport_grant::SigningKey::from_bytes(&[43; 32]) };
        let (now, secret) = (server.clock.now(), begun.secret().to_owned());
        let reply = client.post("/v1/setup/finish", begun.finish(&oathtool(&secret, now), &begun.root(now))).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        let recovery_codes = serde_json::from_value(reply.json()["recovery_codes"].clone()).expect("codes");
        assert_eq!(client.post("/v1/me/recovery-codes/saved", json!({})).await.status, 204);
        let mut owner = Owner { client, secret, recovery_codes, authority: begun.authority };
        let mut people = vec![("owner".to_owned(), owner.client.clone())];
        for (seed, word) in (31..).zip(["admin", "technician", "auditor", "support"]) {
            let roles = json!([{ "role": word, "scope": "tenant" }]);
            let one = owner.colleague(server, seed, &format!("{word}@elsewhere.example"), roles).await;
            people.push((word.to_owned(), one.client));
        }
        Self { owner, people }
    }
}
