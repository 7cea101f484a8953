//! One's own factors, in the hands of whoever has a session and the password, and no factor.

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{Owner, PASSWORD};
use sallyport_testkit::server::TestServer;
use serde_json::{Value, json};

use super::assert_signed_in;
use super::passkeys::{authenticator, register};

const ANOTHER: &str = "nine herons wade through fog";

/// What somebody without the factor puts in the place of its proof.
fn proofs() -> [Value; 4] {
    [Value::Null, json!({}), json!({ "password": PASSWORD }), json!({ "totp": "000000" })]
}

/// Routes that add, change or take away what an account is proved by, without a proof.
fn attempts() -> Vec<Call> {
    let post = |path: &str, body: Value| Call::new("POST", path).body(body);
    let mut calls = Vec::new();
    for proof in proofs() {
        calls.push(post("/v1/me/totp/start", json!({ "proof": proof })));
        calls.push(post("/v1/me/passkeys/start", json!({ "proof": proof })));
        calls.push(post("/v1/me/password", json!({ "current": PASSWORD, "new": ANOTHER, "proof": proof, "other_sessions": "end" })));
    }
    // The last step alone, with a beginning that was made up.
    let made_up = "A".repeat(43);
    let credential = json!({ "id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": {},
        "response": { "clientDataJSON": "e30", "attestationObject": "oA", "transports": [] } });
    calls.push(post("/v1/me/totp/finish", json!({ "draft": made_up, "name": "Mine", "code": "123456" })));
    calls.push(post("/v1/me/passkeys/finish", json!({ "ceremony": made_up, "name": "Mine", "credential": credential })));
    for mut call in calls.clone() {
        call.body.as_mut().expect("a body")["password"] = json!(PASSWORD);
        calls.push(call);
    }
    calls
}

#[track_caller]
fn assert_refused(call: &Call, reply: &Reply) {
    let codes = ["malformed", "invalid_field", "code_refused", "passkey_refused"];
    assert!(codes.contains(&reply.code().as_str()), "{} {:?}: {}", call.path, call.body, reply.json());
}

/// What the account is proved by.
async fn proved_by(client: &mut Client) -> (Value, Value) {
    let me = client.get("/v1/me").await.json();
    (client.get("/v1/me/factors").await.json()["items"].clone(), me["recovery_codes_left"].clone())
}

/// Asks for something and sends what is no proof; tells where it still waits.
async fn ask_and_prove_nothing(client: &mut Client, call: Call) -> String {
    let asked = client.send(call.body(json!({ "password": PASSWORD }))).await;
    assert_eq!((asked.status, &asked.json()["class"]), (202, &json!(2)), "{}", asked.json());
    let waits = asked.header("location").expect("where it waits").to_owned();
    for proof in [json!({ "password": PASSWORD }), json!({})] {
        let call = Call::new("POST", &format!("{waits}/proofs")).body(proof);
        assert_refused(&call, &client.send(call.clone()).await);
    }
    assert_eq!(client.get(&waits).await.json()["state"], "open");
    waits
}

#[tokio::test]
async fn a13_tx_02_a_session_and_the_password_change_no_factor_whether_the_window_is_open_or_not() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let passkey = register(&server, &mut owner, &mut authenticator(&server), "Key").await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    let before = proved_by(&mut client).await;
    assert_eq!((before.0.as_array().map(Vec::len), &before.1), (Some(2), &json!(10)));
    let mut waits = String::new();
    for window in ["open", "shut"] {
        let open = client.get("/v1/me").await.json()["step_up_until"].is_string();
        assert_eq!(open, window == "open");
        for call in attempts() {
            assert_refused(&call, &client.send(call.clone()).await);
        }
        ask_and_prove_nothing(&mut client, Call::new("POST", "/v1/me/recovery-codes")).await;
        waits = ask_and_prove_nothing(&mut client, Call::new("DELETE", &format!("/v1/me/factors/{passkey}"))).await;
        assert_eq!(proved_by(&mut client).await, before, "with the window {window}");
        server.clock.advance(301);
    }
    let done = client.post(&format!("{waits}/proofs"), json!({ "totp": owner.code(&server) })).await;
    assert_eq!(done.json()["state"], "executed", "the control, with the factor: {}", done.json());
    assert_eq!(proved_by(&mut client).await.0.as_array().map(Vec::len), Some(1));
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 3), &owner.recovery_codes[0]).await);
}
