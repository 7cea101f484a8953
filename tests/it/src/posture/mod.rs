//! Posture over HTTP: what is judged of a running installation, and whether what-if tells the truth.

mod what_if;

use sallyport_model::{DeviceId, SiteId, TenantId, UserId};
use sallyport_server::clock::Clock as _;
use sallyport_store::{Audit, Change, StoreError, Tx, Value, values};
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rows::Rows;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value as Json, json};

use crate::fleet::devices::{device, with_devices};

on_both!(
    a_fresh_installation_is_judged_and_what_is_mended_holds,
    c1_who_signs_in_without_a_factor_is_named,
    az_01_posture_shows_nobody_more_than_their_roles_do,
    what_lies_in_the_database_is_judged,
    az_01_a_what_if_about_somebody_of_another_tenant_is_about_nobody,
    a_what_if_reads_as_many_devices_as_it_asks_about,
    what_is_accepted_is_shown_so_and_comes_back,
    az_01_who_accepts_sees_it_and_has_the_right,
    api_clients_that_lie_about_are_found,
);

/// One statement, past all rules: what an attacker or a year of neglect would leave.
pub(crate) struct Statement(pub(crate) &'static str, pub(crate) Vec<Value>);

impl Change for Statement {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute(self.0, &self.1).await.map(|_| ())
    }
}

pub(crate) async fn run(server: &TestServer, sql: &'static str, args: &[Value]) {
    server.app.store.commit(Statement(sql, args.to_vec())).await.expect("the store takes it");
}

async fn posture(owner: &mut Owner) -> Json {
    let reply = owner.client.get("/v1/posture").await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()
}

/// A rule of a report.
fn rule<'a>(posture: &'a Json, id: &str) -> &'a Json {
    posture["rules"].as_array().into_iter().flatten().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("{id} is missing: {posture}"))
}

fn state<'a>(posture: &'a Json, id: &str) -> &'a str {
    rule(posture, id)["state"].as_str().expect("a state")
}

async fn a_fresh_installation_is_judged_and_what_is_mended_holds(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let fresh = posture(&mut owner).await;
    for (id, wanted) in [("P-03", "critical"), ("P-04", "critical"), ("P-16", "warning"), ("P-18", "warning"), ("P-01", "holds")] {
        assert_eq!(state(&fresh, id), wanted, "{id}");
    }
    assert_eq!(
        (state(&fresh, "P-10"), rule(&fresh, "P-03")["findings"][0]["subjects"][0]["word"].as_str()),
        ("unseen", Some("Amelie Winter"))
    );
    assert_eq!(state(&fresh, "P-28"), "warning", "no list of breached passwords was imported");
    let list = server.folder().join("breached-passwords.list");
    std::fs::write(&list, "").expect("a list");
    assert_eq!(state(&posture(&mut owner).await, "P-28"), "holds", "its age is judged");
    std::fs::remove_file(list).expect("it is gone");
    assert_eq!(state(&fresh, "P-20"), if engine == Engine::Sqlite { "critical" } else { "unseen" });
    let counts = &fresh["counts"];
    let sum: u64 = ["critical", "warning", "accepted", "holds", "unseen"].iter().map(|key| counts[key].as_u64().expect("a count")).sum();
    assert_eq!((sum, &counts["hidden"]), (fresh["rules"].as_array().map_or(0, Vec::len) as u64, &json!(0)));
    std::fs::write(server.folder().join("last-backup"), "").expect("a mark");
    assert_ne!(state(&posture(&mut owner).await, "P-20"), "unseen", "the mark is judged");
    owner.colleague(&server, 7, "other@nordwind.example", json!([{ "role": "owner", "scope": "tenant" }])).await;
    assert_eq!(state(&posture(&mut owner).await, "P-03"), "holds");
}

async fn c1_who_signs_in_without_a_factor_is_named(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let bare = owner.colleague(&server, 7, "bare@nordwind.example", json!([{ "role": "auditor", "scope": "tenant" }])).await;
    let user: UserId = bare.id.parse().expect("an id");
    run(&server, "DELETE FROM factors WHERE user_id = $1", values![user]).await;
    let refused = posture(&mut owner).await;
    assert_eq!((state(&refused, "P-01"), state(&refused, "P-02")), ("warning", "holds"), "they cannot sign in");
    run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'admins'", &[]).await;
    let allowed = posture(&mut owner).await;
    assert_eq!((state(&allowed, "P-01"), state(&allowed, "P-02")), ("critical", "critical"));
    let finding = &rule(&allowed, "P-02")["findings"][0];
    assert_eq!(finding["title"], "C1: held except 1 user (policy)");
    assert_eq!(finding["subjects"][0]["path"], format!("/users/{}", bare.id));
    let without = owner.client.get("/v1/users?mfa=without").await.json();
    assert_eq!((&without["total"], &without["items"][0]["email"]), (&json!(1), &json!("bare@nordwind.example")), "the link leads to them");
}

async fn az_01_posture_shows_nobody_more_than_their_roles_do(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 1).await;
    let customer = owner.client.get("/v1/customers").await.json()["items"][0]["id"].clone();
    let whole = json!([{ "role": "technician", "scope": "tenant" }]);
    let scoped = json!([{ "role": "admin", "scope": "customer", "id": customer }]);
    for (seed, roles) in [(7, whole), (8, scoped)] {
        let mut other = owner.colleague(&server, seed, &format!("user-{seed}@nordwind.example"), roles).await;
        let question = json!({ "user": other.id, "address": "192.0.2.1", "with": "passkey", "wants": "read_devices" });
        assert_eq!(other.client.get("/v1/posture").await.code(), "role_refused");
        assert_eq!(other.client.post("/v1/posture/what-if", question).await.code(), "role_refused");
    }
    let body = json!({ "name": "Fire warden", "capabilities": ["posture.read", "devices.read"] });
    let made = owner.does(&server, Call::new("POST", "/v1/roles").body(body)).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let role = owner.client.get("/v1/roles").await.json()["roles"].as_array().and_then(|roles| roles.last().cloned()).expect("a role");
    let roles = json!([{ "role": role["id"], "scope": "tenant" }]);
    let mut warden = owner.colleague(&server, 9, "warden@nordwind.example", roles).await;
    let seen = warden.client.get("/v1/posture").await.json();
    let ids: Vec<&str> = seen["rules"].as_array().into_iter().flatten().filter_map(|rule| rule["id"].as_str()).collect();
    assert_eq!((ids, &seen["counts"]["hidden"]), (vec!["P-21", "P-22"], &json!(28)), "what is about devices, and no more");
    let question = json!({ "user": warden.id, "address": "192.0.2.1", "with": "passkey", "wants": "read_devices" });
    assert_eq!(warden.client.post("/v1/posture/what-if", question).await.code(), "role_refused", "an answer is about a person");
}

async fn what_lies_in_the_database_is_judged(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 3).await;
    let me = owner.client.get("/v1/me").await.json();
    let tenant: TenantId = me["tenant"].as_str().expect("an id").parse().expect("an id");
    let user: UserId = me["user"].as_str().expect("an id").parse().expect("an id");
    let (old, waiting): (DeviceId, DeviceId) = (device(1), device(2));
    run(&server, "UPDATE devices SET agent_version = '0.0.1' WHERE id = $1", values![old]).await;
    run(&server, "UPDATE devices SET state = 'pending' WHERE id = $1", values![waiting]).await;
    run(&server, "INSERT INTO address_pauses (user_id, until) VALUES ($1, $2)", values![user, i64::MAX]).await;
    run(&server, "DELETE FROM recovery_codes WHERE user_id = $1", values![user]).await;
    let rules =
        json!({ "trusted": [{ "label": "Cloud", "ranges": ["3.5.140.0/22", "10.0.0.0/8"] }], "required": [], "verification": "off" });
    run(&server, "INSERT INTO network_policies (tenant, policy, version) VALUES ($1, $2, 1)", values![tenant, rules.to_string()]).await;
    installer(&server, tenant).await;
    run(&server, "UPDATE log_entries SET at = at + 600000000 WHERE tenant = $1 AND idx = 0", values![tenant]).await;
    let judged = posture(&mut owner).await;
    for (id, wanted) in [
        ("P-06", "warning"),
        ("P-11", "warning"),
        ("P-12", "warning"),
        ("P-13", "critical"),
        ("P-14", "warning"),
        ("P-15", "warning"),
        ("P-17", "warning"),
        ("P-19", "critical"),
        ("P-21", "warning"),
        ("P-22", "warning"),
        ("P-23", "holds"),
    ] {
        assert_eq!(state(&judged, id), wanted, "{id}: {}", rule(&judged, id));
    }
}

/// One that works for a long time and from anywhere.
async fn installer(server: &TestServer, tenant: TenantId) {
    let sites = server.app.store.read().await.expect("a reader").fetch_all("SELECT id FROM sites LIMIT 1", &[]).await.expect("rows");
    let site: SiteId = sites[0].get("id").expect("an id");
    let columns = &["id", "tenant", "site", "label", "platform", "uses", "used", "secret_hash", "created", "created_by", "expires"];
    let row = values![vec![9u8; 16], tenant, site, "Porto", "linux", 500i64, 0i64, vec![7u8; 32], 1i64, "Amelie", i64::MAX].to_vec();
    server.app.store.commit(Rows { table: "installers", columns, rows: vec![row] }).await.expect("the store takes it");
}

async fn az_01_a_what_if_about_somebody_of_another_tenant_is_about_nobody(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 3).await;
    let gone = owner.colleague(&server, 7, "gone@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let user: UserId = gone.id.parse().expect("an id");
    let ask = |user: String, devices: u32| json!({ "user": user, "address": "192.0.2.1", "with": "password_and_code", "wants": "open_terminal", "devices": devices });
    assert_eq!(owner.client.post("/v1/posture/what-if", ask(gone.id.clone(), 1)).await.status, 200, "the control");
    let elsewhere = TenantId::from_bytes([9; 16]);
    let sql = "INSERT INTO tenants (id, name, step_up_secs, created, version) VALUES ($1, 'Elsewhere', 300, 0, 1)";
    run(&server, sql, values![elsewhere]).await;
    run(&server, "UPDATE users SET tenant = $1 WHERE id = $2", values![elsewhere, user]).await;
    let nobody = UserId::from_bytes([7; 16]).to_string();
    // One that holds, one that is malformed, one that there are too few devices for: whoever it is about comes first.
    for devices in [1, 2, 99, 1_000_000] {
        let theirs = owner.client.post("/v1/posture/what-if", ask(gone.id.clone(), devices)).await;
        let none = owner.client.post("/v1/posture/what-if", ask(nobody.clone(), devices)).await;
        assert_eq!((theirs.status, theirs.essence()), (404, none.essence()), "{devices}: {}", theirs.json());
    }
}

async fn a_what_if_reads_as_many_devices_as_it_asks_about(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 30).await;
    let empty = owner.client.post("/v1/customers", json!({ "name": "Biber" })).await.json()["id"].clone();
    let customers = owner.client.get("/v1/customers").await.json()["items"].clone();
    let full = customers.as_array().into_iter().flatten().find(|one| one["id"] != empty).expect("a customer")["id"].clone();
    let me: UserId = owner.client.get("/v1/me").await.json()["user"].as_str().expect("an id").parse().expect("an id");
    let mut people = vec![me.to_string()];
    for (seed, customer) in [(7, &full), (8, &empty)] {
        let scope = json!([{ "role": "technician", "scope": "customer", "id": customer }]);
        people.push(owner.colleague(&server, seed, &format!("user-{seed}@nordwind.example"), scope).await.id);
    }
    for (user, devices, wanted) in [(0, 30, Ok(())), (0, 31, Err(30)), (1, 30, Ok(())), (1, 31, Err(30)), (2, 1, Err(0))] {
        let body =
            json!({ "user": people[user], "address": "192.0.2.1", "with": "password_and_code", "wants": "run_script", "devices": devices });
        let reply = owner.client.post("/v1/posture/what-if", body).await;
        match wanted {
            Ok(()) => assert_eq!(reply.status, 200, "{}", reply.json()),
            Err(there) => {
                let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
                assert!(reply.status == 422 && detail.contains(&format!("there are {there} approved devices")), "{}", reply.json());
            }
        }
    }
}

fn accept(posture: &Json, id: &str, reason: &str, until: Json) -> Call {
    let finding = &rule(posture, id)["findings"][0]["id"];
    Call::new("POST", "/v1/posture/accepted").body(json!({ "finding": finding, "reason": reason, "until": until }))
}

async fn what_is_accepted_is_shown_so_and_comes_back(engine: Engine) {
    const DAY: i64 = 86_400;
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let fresh = posture(&mut owner).await;
    let ahead = |days: i64| json!(server.clock.now().plus_secs(days * DAY));
    let why = "A second owner starts in October";
    // A reason, an end, and something that is really found.
    for (call, field) in [
        (accept(&fresh, "P-03", "  ", ahead(7)), "reason"),
        (accept(&fresh, "P-03", &"x".repeat(301), ahead(7)), "reason"),
        (accept(&fresh, "P-03", "one\nand another", ahead(7)), "reason"),
        (accept(&fresh, "P-03", why, ahead(0)), "until"),
        (accept(&fresh, "P-03", why, ahead(32)), "until"),
        (accept(&fresh, "P-16", why, ahead(367)), "until"),
    ] {
        let refused = owner.client.send(call).await;
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!(field)), "{}", refused.json());
    }
    let made_up = json!({ "finding": "ab".repeat(32), "reason": why, "until": ahead(7) });
    let refused = owner.client.post("/v1/posture/accepted", made_up).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("finding")));
    assert_eq!(posture(&mut owner).await["counts"], fresh["counts"], "nothing was accepted");
    let done = owner.client.send(accept(&fresh, "P-03", why, ahead(7))).await;
    assert_eq!(done.status, 204, "{}", done.json());
    let shown = posture(&mut owner).await;
    let finding = &rule(&shown, "P-03")["findings"][0];
    assert_eq!((state(&shown, "P-03"), &finding["state"]), ("accepted", &json!("critical")), "it stays what it is");
    assert_eq!((&finding["accepted"]["because"], &finding["accepted"]["by"]), (&json!(why), &json!("Amelie Winter")));
    assert_eq!(shown["counts"]["critical"].as_u64().map(|count| count + 1), fresh["counts"]["critical"].as_u64());
    assert_eq!(shown["counts"]["accepted"], json!(1));
    let entry = owner.client.get("/v1/audit?kind=posture.accepted").await.json()["items"][0].clone();
    assert_eq!((&entry["details"]["rule"], &entry["details"]["because"]), (&json!("P-03"), &json!(why)), "{entry}");
    // Another reason takes the place of the first.
    assert_eq!(owner.client.send(accept(&fresh, "P-03", "She starts in November", ahead(20))).await.status, 204);
    let shown = posture(&mut owner).await;
    assert_eq!(rule(&shown, "P-03")["findings"][0]["accepted"]["because"], "She starts in November");
    // Taken back by a click, and once only.
    let path = format!("/v1/posture/accepted/{}", rule(&shown, "P-03")["findings"][0]["id"].as_str().expect("an id"));
    assert_eq!(owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    assert_eq!(owner.client.send(Call::new("DELETE", &path)).await.status, 404);
    assert_eq!(state(&posture(&mut owner).await, "P-03"), "critical");
    assert_eq!(owner.client.get("/v1/audit?kind=posture.reopened").await.json()["items"].as_array().map(Vec::len), Some(1));
    // And by itself, on its day.
    assert_eq!(owner.client.send(accept(&fresh, "P-03", why, ahead(1))).await.status, 204);
    assert_eq!(state(&posture(&mut owner).await, "P-03"), "accepted");
    server.clock.advance(DAY);
    let mut later = sallyport_testkit::client::Client::new(&server, 9);
    assert_eq!(owner.sign_in(&mut later, &owner.code(&server)).await.status, 200);
    let back = later.get("/v1/posture").await.json();
    assert_eq!((state(&back, "P-03"), &rule(&back, "P-03")["findings"][0]["accepted"]), ("critical", &Json::Null));
}

async fn az_01_who_accepts_sees_it_and_has_the_right(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let fresh = posture(&mut owner).await;
    let until = json!(server.clock.now().plus_secs(7 * 86_400));
    let mut auditor = owner.colleague(&server, 7, "auditor@nordwind.example", json!([{ "role": "auditor", "scope": "tenant" }])).await;
    assert_eq!(auditor.client.send(accept(&fresh, "P-16", "Seen", until.clone())).await.code(), "role_refused");
    // Who may accept, and does not see what a rule about people found, does not accept it unseen.
    let body = json!({ "name": "Warden", "capabilities": ["posture.read", "posture.accept", "devices.read", "networks.read"] });
    assert_eq!(owner.does(&server, Call::new("POST", "/v1/roles").body(body)).await.status, 200);
    let role = owner.client.get("/v1/roles").await.json()["roles"].as_array().and_then(|roles| roles.last().cloned()).expect("a role");
    let roles = json!([{ "role": role["id"], "scope": "tenant" }]);
    let mut warden = owner.colleague(&server, 9, "warden@nordwind.example", roles).await;
    let fresh = posture(&mut owner).await;
    let unseen = warden.client.send(accept(&fresh, "P-03", "Unseen", until.clone())).await;
    assert_eq!((unseen.status, &unseen.json()["field"]), (422, &json!("finding")));
    assert_eq!(warden.client.send(accept(&fresh, "P-16", "Seen", until)).await.status, 204);
    let seen = auditor.client.get("/v1/posture").await.json();
    assert_eq!((state(&seen, "P-16"), &rule(&seen, "P-16")["findings"][0]["accepted"]["by"]), ("accepted", &json!("warden")));
    let path = format!("/v1/posture/accepted/{}", rule(&seen, "P-16")["findings"][0]["id"].as_str().expect("an id"));
    assert_eq!(auditor.client.send(Call::new("DELETE", &path)).await.code(), "role_refused");
}

async fn api_clients_that_lie_about_are_found(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tool = Tool::new(&server, 31);
    let made = owner.does(&server, Call::new("POST", "/v1/clients").body(tool.wanted(&["devices.read"]))).await;
    assert_eq!(made.status, 200, "{}", made.json());
    run(&server, "UPDATE api_clients SET networks = '203.0.113.7/32'", &[]).await;
    let good = posture(&mut owner).await;
    for id in ["P-24", "P-25", "P-27"] {
        assert_eq!(state(&good, id), "holds", "{}", rule(&good, id));
    }
    let day = 86_400_000_000i64;
    let now = server.clock.now().micros();
    run(&server, "UPDATE api_clients SET networks = '0.0.0.0/1', created = $1, expires = $2", values![now - 20 * day, now + 3 * day]).await;
    run(&server, "UPDATE client_keys SET created = $1", values![now - 2 * day]).await;
    let judged = posture(&mut owner).await;
    for id in ["P-24", "P-25", "P-26", "P-27"] {
        assert_eq!(state(&judged, id), "warning", "{}", rule(&judged, id));
    }
    run(&server, "UPDATE api_clients SET stopped = $1, stopped_why = 'key_reused'", values![now]).await;
    let judged = posture(&mut owner).await;
    assert_eq!((state(&judged, "P-24"), state(&judged, "P-27")), ("holds", "critical"), "{}", rule(&judged, "P-27"));
}
