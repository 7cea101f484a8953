//! What cannot be written down is not done.

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::{on_both, postgres};
use serde_json::{Value, json};

use crate::accounts::passkeys::{authenticator, register};
use crate::posture::run;

on_both!(log_10_where_the_entry_cannot_be_written_nothing_is_done);

const ANOTHER: &str = "nine herons wade through fog";

/// Nothing can be appended to the log from here on; everything else can be written.
async fn shut(server: &TestServer) {
    match server.app.config.database.starts_with("postgres:") {
        true => postgres::run(
            &server.app.config.database,
            "CREATE FUNCTION shut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''shut''; END'; \
             CREATE TRIGGER shut BEFORE INSERT ON log_entries EXECUTE FUNCTION shut()",
        ),
        false => run(server, "CREATE TRIGGER shut BEFORE INSERT ON log_entries BEGIN SELECT RAISE(ABORT, 'shut'); END", &[]).await,
    }
}

async fn open(server: &TestServer) {
    match server.app.config.database.starts_with("postgres:") {
        true => postgres::run(&server.app.config.database, "DROP TRIGGER shut ON log_entries"),
        false => run(server, "DROP TRIGGER shut", &[]).await,
    }
}

/// What an owner sees of their account and of what there is.
async fn all_that_is(client: &mut Client) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/v1/me/factors", "/v1/scripts", "/v1/customers", "/v1/installers", "/v1/authorization-requests", "/v1/audit/checkpoint"] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        seen.push(reply.json()["items"].clone());
        seen.push(reply.json()["size"].clone());
    }
    let me = client.get("/v1/me").await.json();
    seen.push(me["recovery_codes_left"].clone());
    seen.push(json!(client.get("/v1/me/sessions").await.json()["items"].as_array().map(Vec::len)));
    seen
}

#[track_caller]
fn assert_not_done(what: &str, reply: &Reply) {
    assert!(reply.status >= 500 && reply.header("set-cookie").is_none(), "{what}: {} {}", reply.status, reply.json());
}

async fn log_10_where_the_entry_cannot_be_written_nothing_is_done(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let passkey = register(&server, &mut owner, &mut authenticator(&server), "Laptop").await;
    let asked = owner.client.send(Call::new("DELETE", &format!("/v1/me/factors/{passkey}"))).await;
    let waits = asked.header("location").expect("where it waits").to_owned();
    let before = all_that_is(&mut owner.client).await;
    server.clock.advance(30);
    let code = owner.code(&server);
    let proof = json!({ "totp": code });
    let password = json!({ "current": PASSWORD, "new": ANOTHER, "proof": proof, "other_sessions": "end" });
    let post = |path: &str, body: Value| Call::new("POST", path).body(body);
    let attempts = [
        post(&format!("{waits}/proofs"), proof.clone()),
        post(&format!("{waits}/deny"), json!({})),
        post("/v1/me/elevate", json!({ "proof": proof })),
        post("/v1/me/password", password),
        post("/v1/me/recovery-codes", json!({})),
        post("/v1/scripts", json!({ "name": "quiet", "interpreter": "sh", "text": "true" })),
        post("/v1/customers", json!({ "name": "Nobody" })),
    ];
    shut(&server).await;
    for call in attempts {
        let what = call.path.clone();
        assert_not_done(&what, &owner.client.send(call).await);
    }
    assert_not_done("sign-in", &sign_in(&mut Client::new(&server, 4), EMAIL, PASSWORD, &code).await);
    open(&server).await;
    assert_eq!(all_that_is(&mut owner.client).await, before, "nothing of all that happened");
    let done = owner.client.post(&format!("{waits}/proofs"), proof).await;
    assert_eq!(done.json()["state"], "executed", "what waited still does, and the code was not spent: {}", done.json());
    server.clock.advance(30);
    assert_eq!(owner.sign_in(&mut Client::new(&server, 4), &owner.code(&server)).await.status, 200, "the password is the old one");
}
