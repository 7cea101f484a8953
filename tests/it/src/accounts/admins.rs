//! Administrators who prove themselves by passkeys alone: what is typed can be passed on, so nothing that is typed counts.

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::Colleague;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::passkeys::{authenticator, register};
use super::{assert_refused, assert_signed_in};

on_both!(
    a08_cisa_01_whoever_administers_signs_in_and_authorizes_with_a_passkey_and_nothing_weaker,
    a_new_administrator_adds_a_passkey_before_they_authorize_anything,
);

fn policy(admins_passkey: Option<&str>, who: &str) -> Call {
    let mut body = json!({ "who": who, "roles": [], "deadline": null, "factorless": "no" });
    if let Some(word) = admins_passkey {
        body["admins_passkey"] = json!(word);
    }
    Call::new("PUT", "/v1/policy/mfa").body(body)
}

/// Asks, and proves it by a passkey.
async fn done(client: &mut Client, key: &mut SoftPasskey, call: Call) -> Reply {
    let asked = client.send(call).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let waits = asked.header("location").expect("where it waits").to_owned();
    let started = client.post(&format!("{waits}/passkey"), json!({})).await;
    assert_eq!(started.status, 200, "{}", started.json());
    let credential = key.get(&started.json()["options"]).await;
    let reply = client.post(&format!("{waits}/proofs"), json!({ "passkey": { "credential": credential } })).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("executed")), "{}", reply.json());
    reply
}

async fn by_passkey(client: &mut Client, key: &mut SoftPasskey) -> Reply {
    let started = client.post("/v1/sign-in/passkey/start", json!({})).await.json();
    let credential = key.get(&started["options"]).await;
    client.post("/v1/sign-in/passkey/finish", json!({ "ceremony": started["ceremony"], "credential": credential })).await
}

/// The policy holds; the owner has two passkeys.
async fn strict(engine: Engine) -> (TestServer, Owner, SoftPasskey) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let (mut laptop, mut spare) = (authenticator(&server), authenticator(&server));
    for (key, name) in [(&mut laptop, "Laptop"), (&mut spare, "Spare")] {
        let refused = owner.client.send(policy(Some("yes"), "all")).await;
        assert_eq!((refused.status, &refused.json()["field"]), (409, &json!("admins_passkey")), "{}", refused.json());
        assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("Amelie Winter")), "it says who lacks one");
        register(&server, &mut owner, key, name).await;
    }
    assert_eq!(owner.does(&server, policy(Some("yes"), "all")).await.status, 200);
    server.clock.advance(30);
    (server, owner, laptop)
}

async fn a08_cisa_01_whoever_administers_signs_in_and_authorizes_with_a_passkey_and_nothing_weaker(engine: Engine) {
    let (server, mut owner, mut key) = strict(engine).await;
    // A page in between has the password and a fresh code, or a recovery code: neither opens anything, and nothing tells why.
    let wrong = sign_in(&mut Client::new(&server, 2), EMAIL, "something else entirely", &owner.code(&server)).await;
    for code in [owner.code(&server), owner.recovery_codes[0].clone()] {
        let refused = sign_in(&mut Client::new(&server, 2), EMAIL, PASSWORD, &code).await;
        assert_refused(&refused);
        assert_eq!(refused.essence(), wrong.essence());
    }
    let mut client = Client::new(&server, 3);
    let opened = by_passkey(&mut client, &mut key).await;
    assert_signed_in(&opened);
    assert!(opened.json()["step_up_until"].is_string(), "the control");
    // Inside, codes authorize nothing either.
    let asked = client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    let waits = asked.header("location").expect("where it waits").to_owned();
    let code = owner.code(&server);
    let change = json!({ "current": PASSWORD, "new": "nine herons wade through fog", "proof": { "totp": code }, "other_sessions": "keep" });
    for (path, body) in [
        (format!("{waits}/proofs"), json!({ "totp": code })),
        ("/v1/me/elevate".into(), json!({ "proof": { "totp": code } })),
        ("/v1/me/password".into(), change),
        ("/v1/me/totp/start".into(), json!({ "proof": { "totp": code } })),
    ] {
        let refused = client.post(&path, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "passkey_required"), "{path}: {}", refused.json());
    }
    // What a change does not name stays, and so the policy is not lost by a client that does not know it.
    done(&mut client, &mut key, policy(None, "admins")).await;
    let shown = client.get("/v1/policy").await.json();
    assert_eq!((&shown["mfa"]["who"], &shown["mfa"]["admins_passkey"]), (&json!("admins"), &json!("yes")));
    // Switched off, a code is enough again.
    done(&mut client, &mut key, policy(Some("no"), "admins")).await;
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 4), &owner.code(&server)).await);
    assert_eq!(owner.does(&server, policy(Some("no"), "all")).await.status, 200);
}

async fn a_new_administrator_adds_a_passkey_before_they_authorize_anything(engine: Engine) {
    let (server, mut owner, mut key) = strict(engine).await;
    let mut people: Vec<Colleague> = Vec::new();
    for (seed, role) in [(7, "technician"), (8, "admin")] {
        let assignments: Value = json!([{ "role": role, "scope": "tenant" }]);
        let body = json!({ "email": format!("{role}@nordwind.example"), "name": role, "assignments": assignments });
        let invited = done(&mut owner.client, &mut key, Call::new("POST", "/v1/users").body(body)).await.json();
        let link = invited["result"]["link"].as_str().expect("a link").to_owned();
        let token = link.split_once('#').expect("behind #").1;
        let password = sallyport_testkit::people::THEIR_PASSWORD;
        people.push(sallyport_testkit::people::activate(&server, Client::new(&server, seed), token, password).await);
    }
    server.clock.advance(30);
    let mut ada = people.pop().expect("an administrator");
    let mut tara = people.pop().expect("a technician");
    // Who manages nobody goes on as before.
    let opened = tara.sign_in(&mut Client::new(&server, 20), &server).await;
    assert!(opened.json()["step_up_until"].is_string(), "{}", opened.json());
    assert_eq!(tara.does(&server, Call::new("POST", "/v1/me/recovery-codes")).await.status, 200);
    // Who does gets in by a code while there is no passkey, and authorizes nothing.
    let mut client = Client::new(&server, 21);
    let opened = ada.sign_in(&mut client, &server).await;
    assert_signed_in(&opened);
    assert_eq!(opened.json()["step_up_until"], Value::Null);
    let refused = ada.does(&server, Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(refused.code(), "passkey_required", "{}", refused.json());
    server.clock.advance(30);
    let started = ada.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": ada.code(&server) } })).await;
    assert_eq!(started.status, 200, "{}", started.json());
    let mut own = authenticator(&server);
    let credential = own.create(&started.json()["options"]).await;
    let body = json!({ "ceremony": started.json()["ceremony"], "name": "Laptop", "credential": credential });
    assert_eq!(ada.client.post("/v1/me/passkeys/finish", body).await.status, 204);
    server.clock.advance(30);
    assert_refused(&ada.sign_in(&mut Client::new(&server, 22), &server).await);
    let mut client = Client::new(&server, 23);
    assert_signed_in(&by_passkey(&mut client, &mut own).await);
    done(&mut client, &mut own, Call::new("POST", "/v1/me/recovery-codes")).await;
}
