//! C5: what one person reaches within an hour is summed up when an action is executed, however it was asked for.

use sallyport_model::{FactorId, Timestamp, UserId};
use sallyport_server::clock::Clock as _;
use sallyport_store::{Audit, Change, StoreError, Tx, Value, values};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{Owner, PASSWORD, oathtool, sign_in};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::devices::{device, with_devices};

on_both!(
    who_is_new_or_disabled_is_nobodys_second_person,
    a_burst_in_one_step_up_window_reaches_five_devices,
    a_hoard_of_open_requests_does_not_go_around_the_sum,
);

async fn begin(engine: Engine, devices: u32) -> (TestServer, Owner, String) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, devices).await;
    let script = owner.script("uptime", "uptime").await;
    (server, owner, script)
}

fn job(script: &str, devices: std::ops::Range<u32>) -> Call {
    let devices: Vec<_> = devices.map(device).collect();
    Call::new("POST", "/v1/jobs").body(json!({ "script": script, "version": 1, "devices": devices }))
}

async fn prove(owner: &mut Owner, asked: &Reply, server: &TestServer) -> Reply {
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let code = owner.code(server);
    owner.client.post(&path, json!({ "totp": code })).await
}

async fn a_burst_in_one_step_up_window_reaches_five_devices(engine: Engine) {
    let (server, owner, script) = begin(engine, 16).await;
    let mut tasks = Vec::new();
    for n in 0..16 {
        let (mut client, call) = (owner.client.clone(), job(&script, n..n + 1));
        tasks.push(tokio::spawn(async move { client.send(call).await }));
    }
    let mut done = 0;
    for task in tasks {
        let reply = task.await.expect("no panic");
        assert!(matches!(reply.status, 201 | 202 | 409 | 503), "{} {}", reply.status, reply.json());
        done += usize::from(reply.status == 201);
    }
    assert!((1..=5).contains(&done), "{done} devices without a fresh code");
    drop(server);
}

async fn a_hoard_of_open_requests_does_not_go_around_the_sum(engine: Engine) {
    let (server, mut owner, script) = begin(engine, 40).await;
    let first = owner.client.send(job(&script, 0..20)).await;
    let second = owner.client.send(job(&script, 20..40)).await;
    assert_eq!((&first.json()["class"], &second.json()["class"]), (&json!(2), &json!(2)), "neither knows of the other");
    assert_eq!(prove(&mut owner, &first, &server).await.status, 200);
    server.clock.advance(30);
    let reply = prove(&mut owner, &second, &server).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "request_closed"), "{}", reply.json());
    let again = owner.client.send(job(&script, 20..40)).await;
    assert_eq!(again.json()["class"], json!(3), "asked for again, it is what it is");
    assert_eq!(prove(&mut owner, &again, &server).await.status, 200, "the refusal used up no code");
}

/// Statements that no route makes.
struct Statement(&'static str, Vec<Value>);

impl Change for Statement {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        tx.execute(self.0, &self.1).await
    }
}

async fn run(server: &TestServer, sql: &'static str, args: &[Value]) {
    server.app.store.reserve(Statement(sql, args.to_vec())).await.expect("the store takes it");
}

const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// A colleague with the owner's password, whose account is as old as said, in a browser of their own.
async fn colleague(server: &TestServer, n: u8, created: Timestamp) -> Client {
    let (user, factor, email) = (UserId::from_bytes([n; 16]), FactorId::from_bytes([n; 16]), format!("colleague-{n}@nordwind.example"));
    let sql = "INSERT INTO users (id, tenant, email, name, state, codes_kept, created, version) \
               SELECT $1, id, $2, $2, 'active', 1, $3, 1 FROM tenants";
    run(server, sql, values![user, email, created]).await;
    let sql = "INSERT INTO assignments (user_id, role, scope_kind, scope) SELECT $1, 'admin', 'tenant', id FROM tenants";
    run(server, sql, values![user]).await;
    let sql = "INSERT INTO passwords (user_id, salt, hash, memory_kib, passes, lanes, changed) \
               SELECT $1, salt, hash, memory_kib, passes, lanes, changed FROM passwords WHERE user_id <> $1 LIMIT 1";
    run(server, sql, values![user]).await;
    let secret = data_encoding::BASE32.decode(SECRET.as_bytes()).expect("base32");
    let sealed = server.app.keys.seal("totp", factor.as_bytes(), &secret);
    let sql =
        "INSERT INTO factors (id, user_id, kind, name, sealed, failures, created) VALUES ($1, $2, 'totp', 'Authenticator', $3, 0, $4)";
    run(server, sql, values![factor, user, sealed, created]).await;
    let mut client = Client::new(server, n);
    let reply = sign_in(&mut client, &email, PASSWORD, &oathtool(SECRET, server.clock.now())).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    client
}

async fn who_is_new_or_disabled_is_nobodys_second_person(engine: Engine) {
    let (server, mut owner, script) = begin(engine, 30).await;
    let now = server.clock.now();
    let mut old = colleague(&server, 11, now.plus_secs(-8 * 86_400)).await;
    let mut new = colleague(&server, 12, now.plus_secs(-6 * 86_400)).await;
    server.clock.advance(30);
    let asked = owner.client.send(job(&script, 0..30)).await;
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let number = asked.json()["number"].clone();
    let body = |server: &TestServer| json!({ "totp": oathtool(SECRET, server.clock.now()), "number": number });
    let reply = new.post(&path, body(&server)).await;
    assert_eq!(reply.code(), "role_refused", "{}", reply.json());
    let reply = old.post(&path, body(&server)).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("open")), "{}", reply.json());
    let state = "UPDATE users SET state = $2 WHERE id = $1";
    run(&server, state, values![UserId::from_bytes([11; 16]), "disabled"]).await;
    let reply = prove(&mut owner, &asked, &server).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "conflict"), "{}", reply.json());
    run(&server, state, values![UserId::from_bytes([11; 16]), "active"]).await;
    server.clock.advance(30);
    let reply = prove(&mut owner, &asked, &server).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("executed")), "{}", reply.json());
}
