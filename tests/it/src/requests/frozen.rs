//! Nothing of a request changes once it is frozen: what changes around it does not reach it, and what is changed in it authorizes nothing.

use data_encoding::BASE64URL_NOPAD;
use sallyport_decide::actions::Action;
use sallyport_model::{Digest, RequestId, TenantId};
use sallyport_store::ops::requests::{StoredRequest, request};
use sallyport_store::{StoreError, values};
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{Office, assert_refused, count};
use crate::accounts::passkeys::{authenticator, register};
use crate::fleet::devices::device;
use crate::posture::run;

on_both!(
    tx_08_a_script_that_changes_or_goes_meanwhile_runs_as_it_was_frozen,
    tx_08_a_row_that_was_changed_authorizes_nothing,
    tx_08_an_answer_to_what_it_was_is_none_to_what_it_became,
    tx_11_all_of_it_is_done_or_nothing_and_then_no_code_is_spent,
    tx_11_within_the_window_what_cannot_be_done_was_never_asked,
    wa_15_every_request_has_128_random_bits_of_its_own,
);

async fn tx_08_a_script_that_changes_or_goes_meanwhile_runs_as_it_was_frozen(engine: Engine) {
    let mut office = Office::on(engine).await;
    let path = format!("/v1/scripts/{}", office.script);
    for change in [
        Call::new("PUT", &path).body(json!({ "name": "probe", "interpreter": "bash", "text": "poweroff\n", "based_on": 1 })),
        Call::new("DELETE", &path),
    ] {
        let waits = office.asks().await;
        let before = shown(&mut office, &waits).await;
        assert!(office.owner.client.send(change.clone()).await.status < 300, "{change:?}");
        assert_eq!(shown(&mut office, &waits).await, before, "it shows what was asked for");
        let code = office.fresh();
        let done = office.proves(&waits, &code).await;
        assert_eq!(done.json()["state"], "executed", "{}", done.json());
        let job = office.owner.client.get(&format!("/v1/jobs/{}", done.json()["result"]["job"].as_str().expect("a job"))).await.json();
        assert_eq!((&job["sha256"], &job["interpreter"]), (&before["action"]["sha256"], &json!("sh")), "{job}");
    }
}

/// A request, without the earlier script that it is compared with, which may be gone.
async fn shown(office: &mut Office, waits: &str) -> Value {
    let mut request = office.owner.client.get(waits).await.json();
    request["action"]["previous"].take();
    request
}

/// Asks for an installer: where the request waits, and its id.
async fn asks_for_an_installer(owner: &mut Owner) -> (String, RequestId) {
    let site = owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let body = json!({ "label": "harmless", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 });
    let asked = owner.client.post("/v1/installers", body).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let id = asked.json()["id"].as_str().expect("an id").parse().expect("an id");
    (asked.header("location").expect("where it waits").to_owned(), id)
}

async fn stored(server: &TestServer, owner: &mut Owner, id: RequestId) -> Result<StoredRequest, StoreError> {
    let tenant: TenantId = owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
    request(&mut server.app.store.read().await.expect("a reader"), tenant, id).await
}

async fn tx_08_a_row_that_was_changed_authorizes_nothing(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let (waits, id) = asks_for_an_installer(&mut owner).await;
    let frozen = stored(&server, &mut owner, id).await.expect("as it was").frozen;
    let action = serde_json::to_string(&frozen.action).expect("plain data");
    let changed = action.replace("harmless", "harmful!");
    assert_ne!(changed, action);
    let nonce = frozen.nonce.expect("a nonce");
    for (sql, wrong, right) in [
        ("UPDATE requests SET action = $2 WHERE id = $1", values![id, changed].to_vec(), values![id, action].to_vec()),
        (
            "UPDATE requests SET digest = $2 WHERE id = $1",
            values![id, Digest::from_bytes([7; 32])].to_vec(),
            values![id, frozen.digest].to_vec(),
        ),
        ("UPDATE requests SET nonce = $2 WHERE id = $1", values![id, [7u8; 16]].to_vec(), values![id, nonce].to_vec()),
    ] {
        run(&server, sql, &wrong).await;
        server.clock.advance(30);
        let proof = json!({ "totp": owner.code(&server) });
        for path in ["proofs", "passkey"] {
            let reply = owner.client.post(&format!("{waits}/{path}"), proof.clone()).await;
            assert_refused(&reply, 500, "internal");
        }
        assert_eq!(count(&mut owner.client, "/v1/installers").await, 0, "{sql}");
        run(&server, sql, &right).await;
    }
    let done = owner.client.post(&format!("{waits}/proofs"), json!({ "totp": owner.code(&server) })).await;
    assert_eq!(done.json()["state"], "executed", "the control: {}", done.json());
    assert_eq!(count(&mut owner.client, "/v1/installers").await, 1);
}

/// Whoever writes to the database changes the action and everything that is computed of it.
async fn tx_08_an_answer_to_what_it_was_is_none_to_what_it_became(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let (waits, id) = asks_for_an_installer(&mut owner).await;
    let started = owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
    let proof = json!({ "passkey": { "credential": key.get(&started["options"]).await } });
    let frozen = stored(&server, &mut owner, id).await.expect("as it was").frozen;
    let mut other = serde_json::to_value(&frozen.action).expect("plain data");
    relabel(&mut other);
    let other: Action = serde_json::from_value(other).expect("an action");
    let (text, digest) = (serde_json::to_string(&other).expect("plain data"), other.digest(id, frozen.nonce));
    run(&server, "UPDATE requests SET action = $2, digest = $3 WHERE id = $1", values![id, text, digest]).await;
    assert_eq!(owner.client.get(&waits).await.json()["action"]["label"], "harmful!", "it is what it became");
    assert_refused(&owner.client.post(&format!("{waits}/proofs"), proof.clone()).await, 422, "passkey_refused");
    assert_eq!(count(&mut owner.client, "/v1/installers").await, 0);
    let text = serde_json::to_string(&frozen.action).expect("plain data");
    run(&server, "UPDATE requests SET action = $2, digest = $3 WHERE id = $1", values![id, text, frozen.digest]).await;
    let done = owner.client.post(&format!("{waits}/proofs"), proof).await;
    assert_eq!(done.json()["state"], "executed", "the control: {}", done.json());
}

fn relabel(value: &mut Value) {
    match value {
        Value::String(text) if text == "harmless" => "harmful!".clone_into(text),
        Value::Object(fields) => fields.values_mut().for_each(relabel),
        _ => {}
    }
}

async fn tx_11_all_of_it_is_done_or_nothing_and_then_no_code_is_spent(engine: Engine) {
    let mut office = Office::on(engine).await;
    let waits = office.asks().await;
    let log = office.owner.client.get("/v1/audit/checkpoint").await.json()["size"].clone();
    run(&office.server, "UPDATE devices SET state = 'removed' WHERE id = $1", values![device(2)]).await;
    let log = log.as_u64().expect("a size");
    let code = office.fresh();
    let reply = office.proves(&waits, &code).await;
    assert_refused(&reply, 409, "conflict");
    assert_eq!((office.state(&waits).await, office.jobs().await), (json!("open"), 0), "not on the other device either");
    assert_eq!(office.owner.client.get("/v1/audit/checkpoint").await.json()["size"], json!(log));
    run(&office.server, "UPDATE devices SET state = 'approved' WHERE id = $1", values![device(2)]).await;
    assert_eq!(office.proves(&waits, &code).await.json()["state"], "executed", "the code was not spent on nothing");
    assert_eq!(office.jobs().await, 1);
    assert_refused(&office.proves(&waits, &code).await, 409, "request_closed");
}

async fn tx_11_within_the_window_what_cannot_be_done_was_never_asked(engine: Engine) {
    let mut office = Office::on(engine).await;
    let body = json!({ "script": office.script, "version": 1, "devices": [device(1)] });
    let before = entries(&mut office.owner).await;
    // As when the database fails in the middle of the execution.
    run(&office.server, "ALTER TABLE runs RENAME TO runs_elsewhere", values![]).await;
    let reply = office.owner.client.post("/v1/jobs", body.clone()).await;
    assert_eq!(reply.status, 500, "{}", reply.json());
    run(&office.server, "ALTER TABLE runs_elsewhere RENAME TO runs", values![]).await;
    assert_eq!((entries(&mut office.owner).await, office.jobs().await), (before.clone(), 0), "neither asked nor done");
    assert_eq!(count(&mut office.owner.client, "/v1/authorization-requests").await, 0, "nothing waits for anybody");
    let reply = office.owner.client.post("/v1/jobs", body).await;
    assert_eq!(reply.status, 201, "the window covers one device: {}", reply.json());
    let after = entries(&mut office.owner).await;
    assert_eq!(after[..2], ["job.created".to_owned(), "request.created".to_owned()], "newest first");
    assert_eq!(after[2..], before[..]);
}

/// The kinds of the log's entries, newest first.
async fn entries(owner: &mut Owner) -> Vec<String> {
    let page = owner.client.get("/v1/audit?limit=100").await.json();
    let entries = page["items"].as_array().expect("a list").iter();
    entries.map(|entry| entry["kind"].as_str().expect("a kind").to_owned()).collect()
}

async fn wa_15_every_request_has_128_random_bits_of_its_own(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut nonces = Vec::new();
    for _ in 0..3 {
        let (waits, id) = asks_for_an_installer(&mut owner).await;
        let started = owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
        let challenge = BASE64URL_NOPAD.decode(started["options"]["challenge"].as_str().expect("text").as_bytes()).expect("base64url");
        let frozen = stored(&server, &mut owner, id).await.expect("a request").frozen;
        let nonce = frozen.nonce.expect("a nonce");
        assert_eq!(challenge, frozen.action.digest(id, Some(nonce)).as_bytes(), "it is in what is signed");
        assert_ne!(challenge, frozen.action.digest(id, None).as_bytes());
        nonces.push(nonce);
    }
    for (n, nonce) in nonces.iter().enumerate() {
        let differing: u32 = nonces[..n].iter().map(|other| bits_apart(nonce, other)).min().unwrap_or(u32::MAX);
        assert!(differing >= 32, "{nonces:?} are not random all over");
    }
}

fn bits_apart(left: &[u8; 16], right: &[u8; 16]) -> u32 {
    left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum()
}
