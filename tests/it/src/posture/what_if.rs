//! What-if answers what really happens: for seeded samples of role, factor, address, rules and wish, the question is asked first, and then
//! it is done in earnest.

use sallyport_model::{TenantId, UserId};
use sallyport_server::clock::Clock as _;
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::run;
use crate::fleet::devices::{device, with_devices};

on_both!(what_if_answers_what_really_happens);

const INSIDE: &str = "192.0.2.7";
const OUTSIDE: &str = "198.51.100.7";
const DEVICES: u32 = 30;
/// How many questions are put to the test on each database.
const SAMPLES: u64 = 60;

/// Somebody with everything that they could sign in with.
struct Person {
    id: String,
    email: String,
    password: &'static str,
    secret: String,
    recovery_codes: Vec<String>,
    passkey: Option<SoftPasskey>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
struct Sample {
    person: usize,
    with: &'static str,
    from: &'static str,
    rules: usize,
    wants: &'static str,
    devices: u32,
}

const WITH: [&str; 4] = ["password", "password_and_code", "passkey", "recovery_code"];
const WANTS: [&str; 8] = [
    "read_devices",
    "read_audit",
    "run_script",
    "create_installer",
    "remove_devices",
    "invite_user",
    "change_mfa_policy",
    "change_networks",
];

/// Steps of a linear congruential generator (Knuth's MMIX): the same samples in every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn sample(&mut self, people: usize) -> Sample {
        Sample {
            person: self.next(people),
            // What opens a full session says most.
            with: WITH[[1, 1, 1, 2, 2, 0, 3][self.next(7)]],
            from: [INSIDE, OUTSIDE][self.next(2)],
            rules: self.next(5),
            wants: WANTS[self.next(WANTS.len())],
            devices: [1, 1, 3, 26][self.next(4)],
        }
    }
}

/// Rules about addresses, from none to strict.
fn rules(which: usize) -> Value {
    let office = json!(["192.0.2.0/24"]);
    let only =
        |capability: &str| json!({ "trusted": [], "required": [{ "capability": capability, "ranges": office }], "verification": "off" });
    match which {
        0 => json!({ "trusted": [], "required": [], "verification": "off" }),
        1 => json!({ "trusted": [{ "label": "Office", "ranges": office }], "required": [], "verification": "on" }),
        2 => only("guarded"),
        3 => only("sign_in"),
        _ => only("administration"),
    }
}

async fn what_if_answers_what_really_happens(engine: Engine) {
    let server = TestServer::configured(engine, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, DEVICES).await;
    let script = owner.script("uptime", "uptime").await;
    let mut people = people(&server, &mut owner).await;
    let tenant: TenantId = owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
    run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'admins'", &[]).await;
    let (mut seeded, mut seen) = (Seeded(20_260_921), std::collections::BTreeMap::<String, u32>::new());
    for number in 0..SAMPLES {
        let sample = seeded.sample(people.len());
        let person = &mut people[sample.person];
        afresh(&server, tenant, sample.rules).await;
        let asked = ask(&server, &mut owner, person, sample).await;
        let happened = try_it(&server, person, sample, &script, number).await;
        assert_eq!(asked, happened, "{number}: {sample:?} of {}", person.email);
        *seen.entry(asked.0).or_default() += 1;
    }
    assert!(["done", "asks", "refused", "link"].iter().all(|kind| seen.contains_key(*kind)), "all answers were met: {seen:?}");
}

/// Owner, admin, technician, auditor, support, a customer's technician, and an auditor without a factor; the first three have passkeys too.
async fn people(server: &TestServer, owner: &mut Owner) -> Vec<Person> {
    let customer = owner.client.post("/v1/customers", json!({ "name": "Biber" })).await.json()["id"].clone();
    let here = owner.client.get("/v1/customers").await.json()["items"].as_array().cloned().unwrap_or_default();
    let with_devices = here.iter().find(|one| one["id"] != customer).expect("the other one")["id"].clone();
    let mut all = Vec::new();
    for (seed, role, scope) in [
        (11, "owner", None),
        (12, "admin", None),
        (13, "technician", None),
        (14, "auditor", None),
        (15, "support", None),
        (16, "technician", Some(with_devices)),
        (17, "technician", Some(customer)),
        (18, "auditor", None),
    ] {
        let assignment = match scope {
            None => json!([{ "role": role, "scope": "tenant" }]),
            Some(customer) => json!([{ "role": role, "scope": "customer", "id": customer }]),
        };
        let mut one = owner.colleague(server, seed, &format!("{role}-{seed}@nordwind.example"), assignment).await;
        let passkey = if seed < 14 { Some(register(server, &mut one.client, &one.secret).await) } else { None };
        let password = THEIR_PASSWORD;
        all.push(Person { id: one.id, email: one.email, password, secret: one.secret, recovery_codes: one.recovery_codes, passkey });
    }
    let bare: UserId = all.last().expect("somebody").id.parse().expect("an id");
    run(server, "DELETE FROM factors WHERE user_id = $1", values![bare]).await;
    // Nobody is new: whoever is, is nobody's second person.
    run(server, "UPDATE users SET created = created - 691200000000", &[]).await;
    all
}

async fn register(server: &TestServer, client: &mut Client, secret: &str) -> SoftPasskey {
    server.clock.advance(30);
    let code = oathtool(secret, server.clock.now());
    let started = client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": code } })).await;
    assert_eq!(started.status, 200, "{}", started.json());
    let mut key = SoftPasskey::at(server.app.config.origin());
    let credential = key.create(&started.json()["options"]).await;
    let body = json!({ "ceremony": started.json()["ceremony"], "name": "Laptop", "credential": credential });
    assert_eq!(client.post("/v1/me/passkeys/finish", body).await.status, 204);
    key
}

/// A new moment: other rules, no waits, nothing reached within the hour, and a fresh step of every authenticator.
async fn afresh(server: &TestServer, tenant: TenantId, which: usize) {
    server.clock.advance(60);
    run(server, "DELETE FROM password_attempts", &[]).await;
    run(server, "DELETE FROM touches", &[]).await;
    run(server, "UPDATE devices SET state = 'approved'", &[]).await;
    run(server, "DELETE FROM network_policies", &[]).await;
    let sql = "INSERT INTO network_policies (tenant, policy, version) VALUES ($1, $2, 1)";
    run(server, sql, values![tenant, rules(which).to_string()]).await;
}

/// What what-if says: its outcome, the code of a refusal, and how many people have to prove it.
type Said = (String, Option<String>, Option<u64>);

async fn ask(server: &TestServer, owner: &mut Owner, person: &Person, sample: Sample) -> Said {
    let body = json!({ "user": person.id, "address": sample.from, "with": sample.with, "wants": sample.wants, "devices": sample.devices });
    let call = || Call::new("POST", "/v1/posture/what-if").body(body.clone()).header("x-forwarded-for", INSIDE);
    let mut reply = owner.client.send(call()).await;
    if reply.status == 401 {
        // Their session is over: half a day went by.
        let signed_in = json!({ "email": EMAIL, "password": PASSWORD, "code": owner.code(server) });
        let again = owner.client.send(Call::new("POST", "/v1/sign-in").body(signed_in).header("x-forwarded-for", INSIDE)).await;
        assert_eq!(again.status, 200, "{}", again.json());
        reply = owner.client.send(call()).await;
    }
    assert_eq!(reply.status, 200, "{}", reply.json());
    let answer = reply.json();
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    (text("outcome").expect("an outcome"), text("code"), answer["people"].as_u64())
}

/// Does it in earnest.
async fn try_it(server: &TestServer, person: &mut Person, sample: Sample, script: &str, number: u64) -> Said {
    let mut client = Client::new(server, 100 + u8::try_from(number).expect("few"));
    let reply = sign_in(server, &mut client, person, sample).await;
    if reply.status != 200 {
        let outcome = if reply.code() == "address_unverified" { "link" } else { "refused" };
        // A passkey that is none has its own code: there is no account that it could tell anything about.
        let code = reply.code().replace("passkey_refused", "sign_in_refused");
        return (outcome.into(), Some(code), None);
    }
    let reply = client.send(wish(sample, script, server).await.header("x-forwarded-for", sample.from)).await;
    let people = || reply.json()["requirement"].as_array().map(|steps| steps.len() as u64);
    match reply.status {
        200 | 201 => ("done".into(), None, None),
        202 => ("asks".into(), None, people()),
        _ => ("refused".into(), Some(reply.code()), None),
    }
}

async fn sign_in(server: &TestServer, client: &mut Client, person: &mut Person, sample: Sample) -> Reply {
    let from = |call: Call| call.header("x-forwarded-for", sample.from);
    if sample.with == "passkey" {
        let started = client.send(from(Call::new("POST", "/v1/sign-in/passkey/start").body(json!({})))).await.json();
        // Whoever has none shows one that the server does not know.
        let credential = match &mut person.passkey {
            Some(key) => key.get(&started["options"]).await,
            None => stranger(server, client).await,
        };
        let body = json!({ "ceremony": started["ceremony"], "credential": credential });
        return client.send(from(Call::new("POST", "/v1/sign-in/passkey/finish").body(body))).await;
    }
    let code = match sample.with {
        "password_and_code" => oathtool(&person.secret, server.clock.now()),
        "recovery_code" => person.recovery_codes.pop().expect("few are used"),
        _ => String::new(),
    };
    let body = json!({ "email": person.email, "password": person.password, "code": code });
    client.send(from(Call::new("POST", "/v1/sign-in").body(body))).await
}

/// An answer of the right form that is nobody's.
async fn stranger(server: &TestServer, client: &mut Client) -> Value {
    let started = client.send(Call::new("POST", "/v1/sign-in/passkey/start").body(json!({}))).await.json();
    let mut key = SoftPasskey::at(server.app.config.origin());
    let options = json!({
        "challenge": started["options"]["challenge"], "rp": { "id": started["options"]["rpId"], "name": "x" },
        "user": { "id": "AAAA", "name": "x", "displayName": "x" }, "pubKeyCredParams": [{ "type": "public-key", "alg": -7 }],
    });
    key.create(&options).await;
    key.get(&started["options"]).await
}

async fn wish(sample: Sample, script: &str, server: &TestServer) -> Call {
    let devices: Vec<_> = (0..sample.devices).map(device).collect();
    let post = |path: &str, body: Value| Call::new("POST", path).body(body);
    match sample.wants {
        "read_devices" => Call::new("GET", "/v1/devices"),
        "read_audit" => Call::new("GET", "/v1/audit"),
        "run_script" => post("/v1/jobs", json!({ "script": script, "version": 1, "devices": devices })),
        "remove_devices" => post("/v1/devices/remove", json!({ "devices": devices })),
        "create_installer" => {
            let rows = server.app.store.read().await.expect("a reader").fetch_all("SELECT id FROM sites", &[]).await.expect("rows");
            let site: sallyport_model::SiteId = rows[0].get("id").expect("an id");
            post("/v1/installers", json!({ "label": "L", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 }))
        }
        "invite_user" => {
            let email = format!("new-{}@nordwind.example", server.clock.now().secs());
            post("/v1/users", json!({ "email": email, "name": "N", "assignments": [{ "role": "auditor", "scope": "tenant" }] }))
        }
        "change_mfa_policy" => {
            Call::new("PUT", "/v1/policy/mfa").body(json!({ "who": "all", "roles": [], "deadline": null, "factorless": "no" }))
        }
        _ => Call::new("PUT", "/v1/policy/networks")
            .body(json!({ "version": 1, "trusted": [], "required": [], "address_verification": "off" })),
    }
}
