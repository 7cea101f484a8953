//! Entries of the audit log about who proved what, about what was refused, and what becomes of them when somebody writes to the database.

use sallyport_model::limits;
use sallyport_store::{Value as Sql, values};
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::details;
use crate::accounts::passkeys::{self, authenticator, register};
use crate::posture::run;

on_both!(
    log_01_whatever_proves_a_person_is_an_entry_with_its_kind,
    log_01_factors_and_passwords_that_change_are_entries,
    log_02_requests_that_come_to_nothing_are_entries,
    log_07_an_entry_that_was_changed_is_told_from_what_was_logged,
);

async fn log_01_whatever_proves_a_person_is_an_entry_with_its_kind(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let user = owner.client.get("/v1/me").await.json()["user"].clone();
    let mut other = Client::new(&server, 2);
    assert_eq!(owner.sign_in(&mut other, &owner.code(&server)).await.status, 200);
    assert_eq!(passkeys::sign_in(&mut other, &mut key).await.status, 200);
    assert_eq!(owner.sign_in(&mut other, &owner.recovery_codes[0]).await.status, 200);
    let opened = details(&mut owner.client, "session.opened").await;
    let methods: Vec<_> = opened.iter().take(3).map(|entry| entry["method"].clone()).collect();
    assert_eq!(methods, ["recovery_code", "passkey", "totp"], "{opened:?}");
    assert!(opened.iter().all(|entry| entry["address"].is_string() && entry["session"].is_string()), "{opened:?}");
    assert_eq!(details(&mut owner.client, "recovery_code.used").await.len(), 1);

    assert_eq!(sign_in(&mut Client::new(&server, 3), EMAIL, "not their password at all", "123456").await.status, 401);
    assert_eq!(sign_in(&mut Client::new(&server, 3), "nobody@nordwind.example", PASSWORD, "123456").await.status, 401);
    let failed = details(&mut owner.client, "sign_in.failed").await;
    let told: Vec<_> = failed.iter().map(|entry| (&entry["user"], &entry["attempts"])).collect();
    assert_eq!(told, [(&Value::Null, &json!(1)), (&user, &json!(1))]);

    server.clock.advance(30);
    let proof = json!({ "proof": { "totp": owner.code(&server) } });
    assert_eq!(owner.client.post("/v1/me/elevate", proof).await.status, 200);
    let started = owner.client.post("/v1/me/challenges", json!({ "purpose": "elevate" })).await.json();
    let credential = key.get(&started["options"]).await;
    let proof = json!({ "proof": { "passkey": { "ceremony": started["ceremony"], "credential": credential } } });
    assert_eq!(owner.client.post("/v1/me/elevate", proof).await.status, 200);
    let elevated = details(&mut owner.client, "session.elevated").await;
    assert_eq!((&elevated[0]["method"], &elevated[1]["method"]), (&json!("passkey"), &json!("totp")), "{elevated:?}");

    assert_eq!(owner.does(&server, Call::new("POST", "/v1/me/recovery-codes")).await.status, 200);
    let proofs = details(&mut owner.client, "recovery_codes.regenerated").await[0]["proofs"].clone();
    assert_eq!((&proofs[0]["user"], &proofs[0]["method"]), (&user, &json!("totp")), "what proved a request is in its entry: {proofs}");
}

async fn log_01_factors_and_passwords_that_change_are_entries(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let user = owner.client.get("/v1/me").await.json()["user"].clone();
    let passkey = register(&server, &mut owner, &mut authenticator(&server), "Laptop").await;
    let added = details(&mut owner.client, "factor.added").await;
    assert_eq!((&added[0]["kind"], &added[0]["factor"], &added[0]["user"]), (&json!("passkey"), &json!(passkey), &user), "{added:?}");
    let gone = owner.does(&server, Call::new("DELETE", &format!("/v1/me/factors/{passkey}"))).await;
    assert_eq!(gone.json()["state"], "executed", "{}", gone.json());
    let removed = details(&mut owner.client, "factor.removed").await;
    assert_eq!((&removed[0]["kind"], &removed[0]["factor"]), (&json!("passkey"), &json!(passkey)), "{removed:?}");
    server.clock.advance(30);
    let body = json!({ "current": PASSWORD, "new": "nine herons wade through fog", "proof": { "totp": owner.code(&server) },
        "other_sessions": "end" });
    assert_eq!(owner.client.post("/v1/me/password", body).await.status, 204);
    assert_eq!(details(&mut owner.client, "password.changed").await[0]["user"], user);
    server.clock.advance(30);
    let wrong = if owner.code(&server) == "000000" { "000001" } else { "000000" };
    for _ in 0..limits::FACTOR_FAILURES {
        let reply = owner.client.post("/v1/me/elevate", json!({ "proof": { "totp": wrong } })).await;
        assert!(["code_refused", "factor_locked"].contains(&reply.code().as_str()), "{}", reply.json());
    }
    assert_eq!(details(&mut owner.client, "factor.locked").await[0]["user"], user);
}

async fn log_02_requests_that_come_to_nothing_are_entries(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await.json();
    let waits = format!("/v1/authorization-requests/{}", asked["id"].as_str().expect("an id"));
    assert_eq!(owner.client.post(&format!("{waits}/deny"), json!({})).await.status, 204);
    assert_eq!(details(&mut owner.client, "request.denied").await, [json!({ "request": asked["id"] })]);
    let mut answers = Vec::new();
    for _ in 0..=limits::OPEN_REQUESTS_PER_SESSION {
        answers.push(owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await.status);
    }
    assert_eq!(answers.last(), Some(&429));
    let refused = details(&mut owner.client, "request.refused").await;
    assert_eq!(refused, [json!({ "kind": "regenerate_recovery_codes", "reason": "too_many_open_requests" })]);
    let all = owner.client.get("/v1/audit?limit=1000").await.json();
    let mut about = all["items"].as_array().into_iter().flatten().filter(|entry| entry["kind"] == "request.refused");
    assert!(about.all(|entry| entry["actor"]["name"] == "Amelie Winter"), "who it was: {all}");
}

async fn log_07_an_entry_that_was_changed_is_told_from_what_was_logged(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    owner.script("harmless", "true").await;
    let page = owner.client.get("/v1/audit?limit=1").await.json();
    let entry = page["items"][0].clone();
    let index = entry["index"].as_u64().expect("an index");
    let proof = owner.client.get(&format!("/v1/audit/{index}/proof")).await.json();
    assert_eq!(proof["leaf"], entry["leaf"], "the control");
    let body = r#"{"kind":"script.created","at":"2026-09-21T14:13:30.000000Z","actor":"system","payload":{"name":"innocent"}}"#;
    let changes: [(&'static str, Vec<Sql>); 4] = [
        ("UPDATE log_entries SET body = $2 WHERE idx = $1", values![index, body].to_vec()),
        ("UPDATE log_entries SET body = $2, salt = NULL WHERE idx = $1", values![index, body].to_vec()),
        ("UPDATE log_entries SET actor = $2 WHERE idx = $1", values![index, "system"].to_vec()),
        ("UPDATE log_entries SET kind = $2 WHERE idx = $1", values![index, "script.saved"].to_vec()),
    ];
    for (sql, args) in changes {
        run(&server, "CREATE TABLE kept AS SELECT * FROM log_entries WHERE idx = $1", values![index]).await;
        run(&server, sql, &args).await;
        let page = owner.client.get("/v1/audit?limit=1").await.json();
        let shown = &page["items"][0];
        let text: String = shown["sentence"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect();
        assert!(text.starts_with("Damaged") && shown["details"].is_null(), "{sql}: {shown}");
        assert_ne!(shown["leaf"], proof["leaf"], "{sql}: whoever verifies is not content with it");
        run(&server, "DELETE FROM log_entries WHERE idx = $1", values![index]).await;
        run(&server, "INSERT INTO log_entries SELECT * FROM kept", &[]).await;
        run(&server, "DROP TABLE kept", &[]).await;
    }
    assert_eq!(owner.client.get("/v1/audit?limit=1").await.json()["items"][0], entry, "as it was");
}
