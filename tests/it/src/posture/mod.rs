//! Posture over HTTP: what is judged of a running installation, and whether what-if tells the truth.

mod what_if;

use sallyport_model::{DeviceId, SiteId, TenantId, UserId};
use sallyport_store::{Audit, Change, StoreError, Tx, Value, values};
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value as Json, json};

use crate::fleet::Rows;
use crate::fleet::devices::{device, with_devices};

on_both!(
    a_fresh_installation_is_judged_and_what_is_mended_holds,
    c1_who_signs_in_without_a_factor_is_named,
    az_01_posture_shows_nobody_more_than_their_roles_do,
    what_lies_in_the_database_is_judged,
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
    assert_eq!(state(&fresh, "P-20"), if engine == Engine::Sqlite { "critical" } else { "unseen" });
    let counts = &fresh["counts"];
    let sum: u64 = ["critical", "warning", "holds", "unseen"].iter().map(|key| counts[key].as_u64().expect("a count")).sum();
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
    assert_eq!((ids, &seen["counts"]["hidden"]), (vec!["P-21", "P-22"], &json!(21)), "what is about devices, and no more");
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
