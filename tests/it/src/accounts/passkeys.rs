//! Passkeys over HTTP, with an authenticator and a browser's part that are not ours.

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::Colleague;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, assert_signed_in};

const BOTH: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// An authenticator in a browser at the server's own address.
pub(crate) fn authenticator(server: &TestServer) -> SoftPasskey {
    SoftPasskey::at(server.app.config.origin())
}

/// Registers a passkey in the owner's browser, with a code as the proof; tells its id.
pub(crate) async fn register(server: &TestServer, owner: &mut Owner, key: &mut SoftPasskey, name: &str) -> String {
    let started = owner.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": owner.code(server) } })).await;
    assert_eq!(started.status, 200, "{}", text(&started));
    server.clock.advance(30);
    let credential = key.create(&started.json()["options"]).await;
    let body = json!({ "ceremony": started.json()["ceremony"], "name": name, "credential": credential });
    let finished = owner.client.post("/v1/me/passkeys/finish", body).await;
    assert_eq!(finished.status, 204, "{}", text(&finished));
    let factors = owner.client.get("/v1/me/factors").await.json();
    let mine = factors["items"].as_array().unwrap().iter().find(|factor| factor["name"] == name).expect("it is listed").clone();
    mine["id"].as_str().unwrap().to_owned()
}

/// Begins a sign-in in a browser.
async fn begin(client: &mut Client) -> Value {
    let started = client.post("/v1/sign-in/passkey/start", json!({})).await;
    assert_eq!(started.status, 200, "{}", text(&started));
    started.json()
}

async fn finish(client: &mut Client, started: &Value, credential: &Value) -> Reply {
    client.post("/v1/sign-in/passkey/finish", json!({ "ceremony": started["ceremony"], "credential": credential })).await
}

pub(crate) async fn sign_in(client: &mut Client, key: &mut SoftPasskey) -> Reply {
    let started = begin(client).await;
    let credential = key.get(&started["options"]).await;
    finish(client, &started, &credential).await
}

#[tokio::test]
async fn cisa_01_a_passkey_signs_in_without_a_name_or_a_password_on_both_databases() {
    for engine in BOTH {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let mut key = authenticator(&server);
        register(&server, &mut owner, &mut key, "Laptop").await;
        let mut client = Client::new(&server, 2);
        let started = begin(&mut client).await;
        assert_eq!(started["options"]["allowCredentials"], json!([]), "nobody's name is known");
        let credential = key.get(&started["options"]).await;
        let reply = finish(&mut client, &started, &credential).await;
        assert_signed_in(&reply);
        let session = &reply.json()["session"];
        assert_eq!((&session["method"], &session["stage"]), (&json!("passkey"), &json!("full")));
        assert!(reply.json()["step_up_until"].is_string(), "signing in with a factor opens the window");
        assert_eq!(client.get("/v1/devices").await.status, 200);
        assert_signed_in(&sign_in(&mut Client::new(&server, 3), &mut key).await);
    }
}

#[tokio::test]
async fn a_passkey_signs_in_after_a_crash() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let crashed = server.after_a_crash().await;
    assert_signed_in(&sign_in(&mut Client::new(&crashed, 3), &mut key).await);
}

#[tokio::test]
async fn wa_02_a_challenge_is_good_once_in_its_own_browser_and_for_minutes() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut client = Client::new(&server, 2);
    let started = begin(&mut client).await;
    let credential = key.get(&started["options"]).await;
    let stolen = finish(&mut Client::new(&server, 9), &started, &credential).await;
    assert_eq!(stolen.code(), "passkey_refused", "another browser's key");
    assert_signed_in(&finish(&mut client, &started, &credential).await);
    assert_eq!(finish(&mut Client::new(&server, 2), &started, &credential).await.code(), "passkey_refused", "answered before");
    let crashed = server.after_a_crash().await;
    assert_eq!(finish(&mut Client::new(&crashed, 2), &started, &credential).await.code(), "passkey_refused", "after a restart too");
    let mut late = Client::new(&server, 3);
    let started = begin(&mut late).await;
    let credential = key.get(&started["options"]).await;
    server.clock.advance(301);
    assert_eq!(finish(&mut late, &started, &credential).await.code(), "passkey_refused", "too late");
}

#[tokio::test]
async fn wa_02_a_wrong_answer_spends_the_challenge_too() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut client = Client::new(&server, 2);
    let started = begin(&mut client).await;
    let credential = key.get(&started["options"]).await;
    let mut wrong = credential.clone();
    wrong["response"]["signature"] = json!("MEUCIQ");
    assert_refused(&finish(&mut client, &started, &wrong).await);
    assert_eq!(finish(&mut client, &started, &credential).await.code(), "passkey_refused");
}

#[tokio::test]
async fn a08_wa_04_a_page_of_another_origin_gets_no_session() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut client = Client::new(&server, 2);
    let started = begin(&mut client).await;
    let credential = key.get(&started["options"]).await;
    let mut relayed = credential.clone();
    let evil = replaced(&credential["response"]["clientDataJSON"], server.app.config.origin(), "https://rmm.evil.test");
    relayed["response"]["clientDataJSON"] = json!(evil);
    assert_refused(&finish(&mut client, &started, &relayed).await);
    let mut lured = key.lured_to("https://rmm.evil.test");
    let started = begin(&mut client).await;
    // A browser refuses our name on another site; one that does not gets nothing for it.
    if let Ok(credential) = lured.try_get(&started["options"]).await {
        assert_refused(&finish(&mut client, &started, &credential).await);
    }
}

fn replaced(base64url: &Value, from: &str, to: &str) -> String {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(base64url.as_str().unwrap().as_bytes()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{text}");
    data_encoding::BASE64URL_NOPAD.encode(text.replace(from, to).as_bytes())
}

#[tokio::test]
async fn wa_07_the_credential_is_the_named_accounts_own() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut client = Client::new(&server, 2);
    for handle in [json!(null), json!("AAAAAAAAAAAAAAAAAAAAAA")] {
        let started = begin(&mut client).await;
        let mut credential = key.get(&started["options"]).await;
        credential["response"]["userHandle"] = handle;
        assert_refused(&finish(&mut client, &started, &credential).await);
    }
    let started = begin(&mut client).await;
    let mut unknown = key.get(&started["options"]).await;
    unknown["id"] = json!("c29tZWJvZHkgZWxzZQ");
    assert_refused(&finish(&mut client, &started, &unknown).await);
    assert_signed_in(&sign_in(&mut client, &mut key).await);
}

#[tokio::test]
async fn wa_07_a_credential_signs_nobody_else_in() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut tara = technician(&server, &mut owner).await;
    server.clock.advance(30);
    let code = tara.code(&server);
    let mut hers = SoftPasskey::added(&server, &mut tara.client, &code).await;
    let mut client = Client::new(&server, 2);
    let started = [begin(&mut client).await, begin(&mut client).await];
    let mut answers = [key.get(&started[0]["options"]).await, hers.get(&started[1]["options"]).await];
    let [own, other] = answers.each_ref().map(|answer| answer["response"]["userHandle"].clone());
    assert!(own.is_string() && other.is_string() && own != other);
    answers[0]["response"]["userHandle"] = other;
    answers[1]["response"]["userHandle"] = own;
    for (started, answer) in started.iter().zip(&answers) {
        assert_refused(&finish(&mut client, started, answer).await);
    }
    for (key, email) in [(&mut key, EMAIL), (&mut hers, &*tara.email)] {
        let reply = sign_in(&mut client, key).await;
        assert_eq!((reply.status, &reply.json()["email"]), (200, &json!(email)), "the control: {}", text(&reply));
    }
}

async fn technician(server: &TestServer, owner: &mut Owner) -> Colleague {
    owner.colleague(server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await
}

#[tokio::test]
async fn pwd_15_options_tell_nothing_about_accounts() {
    let server = TestServer::start().await;
    let without = begin(&mut Client::new(&server, 2)).await;
    let mut owner = Owner::set_up(&server).await;
    register(&server, &mut owner, &mut authenticator(&server), "Laptop").await;
    let with = begin(&mut Client::new(&server, 2)).await;
    let shape = |mut started: Value| {
        started["ceremony"] = json!("");
        started["options"]["challenge"] = json!("");
        started
    };
    assert_eq!(shape(without), shape(with));
}

#[tokio::test]
async fn a35_wa_09_wa_10_a_credential_is_registered_once_by_its_own_ceremony() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    let start = json!({ "proof": { "totp": owner.code(&server) } });
    let started = owner.client.post("/v1/me/passkeys/start", start).await.json();
    server.clock.advance(30);
    let credential = key.create(&started["options"]).await;
    let body = |credential: &Value| json!({ "ceremony": started["ceremony"], "name": "Laptop", "credential": credential });
    let mut bare = credential.clone();
    bare["response"].as_object_mut().unwrap().remove("attestationObject");
    assert_eq!(owner.client.post("/v1/me/passkeys/finish", body(&bare)).await.code(), "malformed", "no branch for a bare key");
    assert_eq!(owner.client.post("/v1/me/passkeys/finish", body(&credential)).await.status, 204);
    assert_eq!(owner.client.post("/v1/me/passkeys/finish", body(&credential)).await.code(), "passkey_refused", "a ceremony is over once");
    let start = json!({ "proof": { "totp": owner.code(&server) } });
    let again = owner.client.post("/v1/me/passkeys/start", start).await.json();
    server.clock.advance(30);
    assert_eq!(again["options"]["excludeCredentials"].as_array().unwrap().len(), 1);
    let replayed = replayed(&started, &credential, &again);
    assert_eq!(owner.client.post("/v1/me/passkeys/finish", replayed).await.code(), "passkey_known");
    assert_eq!(owner.client.get("/v1/me/factors").await.json()["items"].as_array().unwrap().len(), 2);
}

/// The answer to one ceremony, dressed up as that to another.
fn replayed(started: &Value, credential: &Value, again: &Value) -> Value {
    let mut replayed = credential.clone();
    let (old, new) = (started["options"]["challenge"].as_str().unwrap(), again["options"]["challenge"].as_str().unwrap());
    replayed["response"]["clientDataJSON"] = json!(replaced(&credential["response"]["clientDataJSON"], old, new));
    json!({ "ceremony": again["ceremony"], "name": "Copy", "credential": replayed })
}

#[tokio::test]
async fn wa_10_a_credential_of_one_account_is_registered_by_no_other() {
    for engine in BOTH {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let mut key = authenticator(&server);
        let started = owner.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": owner.code(&server) } })).await.json();
        let credential = key.create(&started["options"]).await;
        let body = json!({ "ceremony": started["ceremony"], "name": "Laptop", "credential": credential });
        assert_eq!(owner.client.post("/v1/me/passkeys/finish", body).await.status, 204);
        let mut tara = technician(&server, &mut owner).await;
        server.clock.advance(30);
        let code = tara.code(&server);
        let again = tara.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": code } })).await.json();
        let refused = tara.client.post("/v1/me/passkeys/finish", replayed(&started, &credential, &again)).await;
        assert_eq!(refused.code(), "passkey_known", "{}", text(&refused));
        assert_eq!(tara.client.get("/v1/me/factors").await.json()["items"].as_array().unwrap().len(), 1);
        let reply = sign_in(&mut Client::new(&server, 3), &mut key).await;
        assert_eq!((reply.status, &reply.json()["email"]), (200, &json!(EMAIL)), "it stays its owner's: {}", text(&reply));
    }
}

#[tokio::test]
async fn step_12_tx_02_adding_a_factor_takes_a_fresh_one() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for path in ["/v1/me/passkeys/start", "/v1/me/totp/start"] {
        assert_eq!(owner.client.post(path, json!({})).await.code(), "invalid_field", "{path}");
        assert_eq!(owner.client.post(path, json!({ "proof": {} })).await.code(), "invalid_field", "{path}");
        assert_eq!(owner.client.post(path, json!({ "proof": { "totp": "000000" } })).await.code(), "code_refused", "{path}");
    }
    let code = owner.code(&server);
    assert_eq!(owner.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": code } })).await.status, 200);
    assert_eq!(owner.client.post("/v1/me/totp/start", json!({ "proof": { "totp": code } })).await.code(), "code_refused", "used up");
}

#[tokio::test]
async fn wa_11_an_answer_for_one_purpose_is_refused_for_each_other() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    type Body = fn(Value) -> Value;
    let uses: [(&str, &str, Body); 3] = [
        ("factors", "/v1/me/totp/start", |proof| json!({ "proof": proof })),
        ("elevate", "/v1/me/elevate", |proof| json!({ "proof": proof })),
        ("check_up", "/v1/me/check-up", |proof| json!({ "proof": proof })),
    ];
    for (purpose, _, _) in uses {
        for (wanted, path, body) in uses {
            let started = owner.client.post("/v1/me/challenges", json!({ "purpose": purpose })).await.json();
            let credential = key.get(&started["options"]).await;
            let reply =
                owner.client.post(path, body(json!({ "passkey": { "ceremony": started["ceremony"], "credential": credential } }))).await;
            match purpose == wanted {
                true => assert!(reply.status < 300, "{purpose} for {wanted}: {}", text(&reply)),
                false => assert_eq!(reply.code(), "passkey_refused", "{purpose} for {wanted}"),
            }
        }
    }
    let mut client = Client::new(&server, 2);
    let started = begin(&mut client).await;
    let credential = key.get(&started["options"]).await;
    let proof = json!({ "proof": { "passkey": { "ceremony": started["ceremony"], "credential": credential } } });
    assert_eq!(owner.client.post("/v1/me/elevate", proof).await.code(), "passkey_refused", "a sign-in's answer elevates nobody");
}

/// Asks for new recovery codes: class 2. Tells where the request waits.
async fn asked(client: &mut Client) -> String {
    let asked = client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(asked.status, 202, "{}", text(&asked));
    asked.header("location").unwrap().to_owned()
}

#[tokio::test]
async fn tx_04_wa_15_a_passkey_proves_a_request_by_its_digest_on_both_databases() {
    for engine in BOTH {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let mut key = authenticator(&server);
        register(&server, &mut owner, &mut key, "Laptop").await;
        let waits = asked(&mut owner.client).await;
        let started = owner.client.post(&format!("{waits}/passkey"), json!({})).await;
        assert_eq!(started.status, 200, "{}", text(&started));
        let digest = owner.client.get(&waits).await.json()["digest"].as_str().unwrap().to_owned();
        let challenge = started.json()["options"]["challenge"].as_str().unwrap().to_owned();
        let challenge = data_encoding::BASE64URL_NOPAD.decode(challenge.as_bytes()).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&challenge), digest, "the challenge is what is authorized");
        let credential = key.get(&started.json()["options"]).await;
        let proof = json!({ "passkey": { "credential": credential } });
        let other = asked(&mut owner.client).await;
        assert_eq!(owner.client.post(&format!("{other}/proofs"), proof.clone()).await.code(), "passkey_refused", "for another request");
        let done = owner.client.post(&format!("{waits}/proofs"), proof.clone()).await;
        assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "{}", text(&done));
        assert_eq!(owner.client.post(&format!("{waits}/proofs"), proof).await.code(), "request_closed", "once");
    }
}

/// Signing in and authorizing look alike to an authenticator; what it signed for one is worth nothing for the other.
#[tokio::test]
async fn tx_03_an_answer_that_signs_in_authorizes_nothing_and_the_reverse() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let waits = asked(&mut owner.client).await;
    let mut browser = Client::new(&server, 2);
    let to_sign_in = begin(&mut browser).await;
    let signing_in = key.get(&to_sign_in["options"]).await;
    let to_elevate = owner.client.post("/v1/me/challenges", json!({ "purpose": "elevate" })).await.json();
    let elevating = key.get(&to_elevate["options"]).await;
    let to_authorize = owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
    let authorizing = key.get(&to_authorize["options"]).await;

    for wrong in [&signing_in, &elevating] {
        let reply = owner.client.post(&format!("{waits}/proofs"), json!({ "passkey": { "credential": wrong } })).await;
        assert_eq!(reply.code(), "passkey_refused", "{}", text(&reply));
    }
    assert_eq!(owner.client.get(&waits).await.json()["state"], "open");
    for ceremony in [&to_authorize["ceremony"], &to_sign_in["ceremony"]] {
        let mut thief = Client::new(&server, 3);
        let started = json!({ "ceremony": ceremony });
        assert!(matches!(finish(&mut thief, &started, &authorizing).await.status, 401 | 422));
        assert!(thief.cookie.is_none(), "no session");
        let proof = json!({ "proof": { "passkey": { "ceremony": ceremony, "credential": authorizing } } });
        assert_eq!(owner.client.post("/v1/me/elevate", proof).await.code(), "passkey_refused");
    }
    let done = owner.client.post(&format!("{waits}/proofs"), json!({ "passkey": { "credential": authorizing } })).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "the control: {}", text(&done));
    assert_signed_in(&sign_in(&mut browser, &mut key).await);
}

#[tokio::test]
async fn a36_tx_05_a_proof_has_one_method_and_no_unknown_members() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let waits = asked(&mut owner.client).await;
    let started = owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
    let credential = key.get(&started["options"]).await;
    let code = owner.code(&server);
    for wrong in [
        json!({}),
        json!({ "totp": null, "passkey": null }),
        json!({ "totp": code, "passkey": { "credential": credential } }),
        json!({ "totp": code, "method": "none" }),
        json!({ "step_up": true }),
    ] {
        let reply = owner.client.post(&format!("{waits}/proofs"), wrong.clone()).await;
        assert!(matches!(reply.code().as_str(), "invalid_field" | "malformed"), "{wrong}: {}", text(&reply));
    }
    let done = owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await;
    assert_eq!(done.status, 200, "no code was spent: {}", text(&done));
}

#[tokio::test]
async fn step_07_step_08_a_passkey_opens_the_window_of_its_own_session_under_another_cookie() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let mut other = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut other, &owner.code(&server)).await);
    server.clock.advance(301);
    assert!(owner.client.get("/v1/me").await.json()["step_up_until"].is_null());
    let before = owner.client.at(&server);
    let started = owner.client.post("/v1/me/challenges", json!({ "purpose": "elevate" })).await.json();
    let credential = key.get(&started["options"]).await;
    let proof = json!({ "proof": { "passkey": { "ceremony": started["ceremony"], "credential": credential } } });
    let elevated = owner.client.post("/v1/me/elevate", proof).await;
    assert_eq!(elevated.status, 200, "{}", text(&elevated));
    assert!(elevated.json()["step_up_until"].is_string() && elevated.header("set-cookie").is_some());
    assert!(other.get("/v1/me").await.json()["step_up_until"].is_null(), "another session's window stays shut");
    assert_eq!({ before }.get("/v1/me").await.code(), "not_signed_in", "the old cookie is dead");
}

#[tokio::test]
async fn factors_are_named_listed_and_removed_but_never_the_last() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    let passkey = register(&server, &mut owner, &mut key, "Laptop").await;
    let renamed = Call::new("PATCH", &format!("/v1/me/factors/{passkey}")).body(json!({ "name": "Blue laptop" }));
    assert_eq!(owner.client.send(renamed).await.status, 204);
    let factors = owner.client.get("/v1/me/factors").await.json();
    let listed = factors["items"].as_array().unwrap().iter().find(|factor| factor["id"] == json!(passkey)).unwrap().clone();
    assert_eq!((&listed["name"], &listed["kind"]), (&json!("Blue laptop"), &json!("passkey")));
    assert!(listed["passkey"]["backup_eligible"].is_boolean() && listed["passkey"]["backed_up"].is_boolean(), "{listed}");
    let totp =
        factors["items"].as_array().unwrap().iter().find(|factor| factor["kind"] == "totp").unwrap()["id"].as_str().unwrap().to_owned();
    let gone = remove(&server, &mut owner, &totp).await;
    assert_eq!(gone["state"], "executed", "{gone}");
    let last = owner.client.send(Call::new("DELETE", &format!("/v1/me/factors/{passkey}"))).await;
    assert_eq!(last.code(), "last_factor");
    assert_signed_in(&sign_in(&mut Client::new(&server, 3), &mut key).await);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 4), &owner.code(&server)).await);
}

async fn remove(server: &TestServer, owner: &mut Owner, factor: &str) -> Value {
    let asked = owner.client.send(Call::new("DELETE", &format!("/v1/me/factors/{factor}"))).await;
    assert_eq!(asked.status, 202, "{}", text(&asked));
    let waits = asked.header("location").unwrap().to_owned();
    owner.client.post(&format!("{waits}/proofs"), json!({ "totp": owner.code(server) })).await.json()
}

#[tokio::test]
async fn two_requests_never_remove_the_last_two_factors() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    let passkey = register(&server, &mut owner, &mut key, "Laptop").await;
    let factors = owner.client.get("/v1/me/factors").await.json();
    let totp =
        factors["items"].as_array().unwrap().iter().find(|factor| factor["kind"] == "totp").unwrap()["id"].as_str().unwrap().to_owned();
    let mut waiting = Vec::new();
    for factor in [&totp, &passkey] {
        let asked = owner.client.send(Call::new("DELETE", &format!("/v1/me/factors/{factor}"))).await;
        waiting.push(asked.header("location").unwrap().to_owned());
    }
    let mut states = Vec::new();
    for waits in waiting {
        let started = owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
        let credential = key.get(&started["options"]).await;
        states.push(owner.client.post(&format!("{waits}/proofs"), json!({ "passkey": { "credential": credential } })).await.status);
    }
    assert_eq!(states, [200, 409]);
    assert_eq!(owner.client.get("/v1/me/factors").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn several_authenticators_sign_in_and_share_one_cap() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let started = owner.client.post("/v1/me/totp/start", json!({ "proof": { "totp": owner.code(&server) } })).await;
    assert_eq!(started.status, 200, "{}", text(&started));
    let secret = started.json()["totp"]["secret"].as_str().unwrap().to_owned();
    let code = |server: &TestServer| {
        sallyport_testkit::owner::oathtool(&secret, {
            use sallyport_server::clock::Clock as _;
            server.clock.now()
        })
    };
    let finish = |code: String| json!({ "draft": started.json()["draft"], "name": "Tablet", "code": code });
    let mut elsewhere = Client::new(&server, 5);
    server.clock.advance(30);
    assert_signed_in(&owner.sign_in(&mut elsewhere, &owner.code(&server)).await);
    assert_eq!(
        elsewhere.post("/v1/me/totp/finish", finish(code(&server))).await.code(),
        "invalid_field",
        "a15: of the session that began it"
    );
    assert_eq!(owner.client.post("/v1/me/totp/finish", finish(code(&server))).await.status, 204);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &code(&server)).await);
    server.clock.advance(30);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &code(&server)).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
    for _ in 0..20 {
        server.clock.advance(30);
        assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &code(&server)).await);
    }
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
    let wrong = super::wrong_code(&owner.code(&server));
    for _ in 0..10 {
        assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &wrong).await);
    }
    server.clock.advance(30);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &code(&server)).await);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}

#[tokio::test]
async fn wa_08_log_03_a_copied_key_is_refused_and_told() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    let (mut first, mut second) = (Client::new(&server, 2), Client::new(&server, 3));
    let (older, newer) = (begin(&mut first).await, begin(&mut second).await);
    let (old_answer, new_answer) = (key.get(&older["options"]).await, key.get(&newer["options"]).await);
    assert_signed_in(&finish(&mut second, &newer, &new_answer).await);
    assert_refused(&finish(&mut first, &older, &old_answer).await);
    let log = text(&owner.client.get("/v1/audit").await);
    assert!(log.contains("factor.copied"), "{log}");
}

#[tokio::test]
async fn rec_09_a_factor_after_a_recovery_signs_in_at_once_and_counts_after_a_day() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.recovery_codes[0]).await);
    let started = client.post("/v1/me/passkeys/start", json!({})).await;
    assert_eq!(started.status, 200, "{}", text(&started));
    let mut key = authenticator(&server);
    let credential = key.create(&started.json()["options"]).await;
    let body = json!({ "ceremony": started.json()["ceremony"], "name": "New", "credential": credential });
    let added = client.post("/v1/me/passkeys/finish", body).await;
    assert!(added.status == 200 && added.json()["recovery_code"].is_string(), "REC-05: {}", text(&added));
    assert_eq!(client.post("/v1/jobs", json!({})).await.code(), "session_restricted");
    let mut fresh = Client::new(&server, 3);
    let reply = sign_in(&mut fresh, &mut key).await;
    assert_signed_in(&reply);
    assert!(reply.json()["step_up_until"].is_null(), "it opens no window");
    let waits = asked(&mut fresh).await;
    let started = fresh.post(&format!("{waits}/passkey"), json!({})).await.json();
    let credential = key.get(&started["options"]).await;
    let reply = fresh.post(&format!("{waits}/proofs"), json!({ "passkey": { "credential": credential } })).await;
    assert_eq!(reply.code(), "factor_too_new");
    server.clock.advance(24 * 3600);
    let mut later = Client::new(&server, 4);
    let reply = sign_in(&mut later, &mut key).await;
    assert!(reply.json()["step_up_until"].is_string(), "{}", text(&reply));
}

#[tokio::test]
async fn pwd_12_wrong_passwords_by_strangers_do_not_keep_a_passkey_out() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    for _ in 0..40 {
        assert_refused(
            &sallyport_testkit::owner::sign_in(
                &mut Client::new(&server, 9),
                sallyport_testkit::owner::EMAIL,
                "wrong wrong wrong wrong",
                "123456",
            )
            .await,
        );
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 9), &owner.code(&server)).await);
    assert_signed_in(&sign_in(&mut Client::new(&server, 2), &mut key).await);
}

#[tokio::test]
async fn a_check_up_is_due_after_28_days_without_use_and_done_by_a_code() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut key = authenticator(&server);
    register(&server, &mut owner, &mut key, "Laptop").await;
    server.clock.advance(28 * 86_400);
    let mut client = Client::new(&server, 2);
    let reply = sign_in(&mut client, &mut key).await;
    assert!(reply.json()["check_up"].is_string(), "the authenticator was not used: {}", text(&reply));
    assert_eq!(client.post("/v1/me/check-up", json!({ "proof": { "totp": "000000" } })).await.code(), "code_refused");
    assert_eq!(client.post("/v1/me/check-up", json!({ "proof": { "totp": owner.code(&server) } })).await.status, 204);
    assert!(client.get("/v1/me").await.json()["check_up"].is_null());
}

#[tokio::test]
async fn pwd_17_tx_02_a_password_changes_with_the_current_one_and_a_factor_and_others_end() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut other = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut other, &owner.code(&server)).await);
    server.clock.advance(30);
    let new = "a kettle sings in the north";
    let body = |current: &str, new: &str, code: &str| json!({ "current": current, "new": new, "proof": { "totp": code }, "other_sessions": "end" });
    let code = owner.code(&server);
    assert_eq!(owner.client.post("/v1/me/password", body("not the current one at all", new, &code)).await.code(), "password_refused");
    assert_eq!(owner.client.post("/v1/me/password", body(PASSWORD, "password1234567", &code)).await.code(), "password_refused");
    assert_eq!(owner.client.post("/v1/me/password", body(PASSWORD, new, "000000")).await.code(), "code_refused");
    let before = owner.client.at(&server);
    let reply = owner.client.post("/v1/me/password", body(PASSWORD, new, &code)).await;
    assert_eq!(reply.status, 204, "{}", text(&reply));
    assert_eq!({ before }.get("/v1/me").await.code(), "not_signed_in", "another cookie");
    assert_eq!(owner.client.get("/v1/me").await.status, 200);
    assert_eq!(other.get("/v1/me").await.code(), "not_signed_in");
    server.clock.advance(30);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &owner.code(&server)).await);
    assert_signed_in(
        &sallyport_testkit::owner::sign_in(&mut Client::new(&server, 3), sallyport_testkit::owner::EMAIL, new, &owner.code(&server)).await,
    );
}
