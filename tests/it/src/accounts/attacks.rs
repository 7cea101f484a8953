//! Attacks on accounts that take more than one request, or more than one address.

use sallyport_decide::accounts::sign_in::Attempt;
use sallyport_model::Email;
use sallyport_server::clock::Clock as _;
use sallyport_server::config::RawMail;
use sallyport_store::ops::accounts::{ChargePassword, factors};
use sallyport_store::{Audit, Change, Store, StoreError, Tx, values};
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::{assert_refused, assert_signed_in, notices_begin, wrong_code};

/// Puts a hash of the owner's password in place that costs little: a thousand guesses are about counters, not about hashing.
struct Cheapen(Vec<u8>);

impl Change for Cheapen {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a test");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE passwords SET salt = $1, hash = $2, memory_kib = 64, passes = 1";
        tx.execute(sql, values![[7u8; 16], self.0]).await.map(|_| ())
    }
}

async fn cheapen(server: &TestServer) {
    use argon2::{Algorithm, Argon2, Params, Version};
    let pepper = server.app.keys.derive("pepper");
    let params = Params::new(64, 1, 1, Some(32)).expect("a cost");
    let argon = Argon2::new_with_secret(&*pepper, Algorithm::Argon2id, Version::V0x13, params).expect("a pepper");
    let mut hash = vec![0; 32];
    argon.hash_password_into(PASSWORD.as_bytes(), &[7; 16], &mut hash).expect("a hash");
    server.app.store.reserve(Cheapen(hash)).await.expect("a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a05_a_thousand_attempts_from_a_hundred_addresses_get_ten_guesses_in_all() {
    let mails = MailServer::start();
    let server = TestServer::configured(Engine::Sqlite, |raw| {
        raw.trusted_proxies = Some(vec!["127.0.0.1".into()]);
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    cheapen(&server).await;
    let user = owner.client.get("/v1/me").await.json()["user"].as_str().expect("an id").parse().expect("an id");
    let right = owner.code(&server);
    let guesses = (0..10u8).map(|thief| {
        let (address, code) = (server.address, wrong_code(&right));
        assert!(address.ip().is_loopback());
        let clients: Vec<Client> = (0..25).map(|n| Client::new(&server, 5 + thief * 25 + n)).collect();
        tokio::spawn(async move {
            for (n, client) in clients.iter().cycle().take(100).enumerate() {
                let body = json!({ "email": EMAIL, "password": PASSWORD, "code": code });
                // A hundred addresses, each thief from all of them in another order.
                let from = format!("198.51.100.{}", (n * 7 + usize::from(thief) * 13) % 100);
                let reply = client.clone().send(Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", &from)).await;
                assert!(matches!(reply.code().as_str(), "sign_in_refused" | "busy"), "{}", reply.json());
            }
        })
    });
    for one in guesses.collect::<Vec<_>>() {
        one.await.expect("no panic");
    }
    let counter = factors(&mut server.app.store.read().await.expect("a reader"), user).await.expect("factors")[0].counter;
    assert!(counter.is_locked(), "{} counted", counter.failures);
    for address in ["198.51.100.7", "203.0.113.9"] {
        let body = json!({ "email": EMAIL, "password": PASSWORD, "code": right });
        let call = Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", address);
        assert_refused(&Client::new(&server, 3).send(call).await);
    }
    let notice = mails.wait_for(EMAIL, "factor is locked").await;
    assert!(notice.plain.contains("knows your password"), "{}", notice.plain);
    let locked = owner.client.get("/v1/audit?kind=factor.locked").await.json();
    assert_eq!(locked["items"].as_array().map(Vec::len), Some(1), "told once: {locked}");
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 4), &owner.recovery_codes[0]).await);
}

/// Strangers' wrong passwords of as many hours, the last one now: further apart than any wait, so that every one of them counts.
async fn strangers_fail(server: &TestServer, times: i64) {
    const TASKS: usize = 50;
    let now = server.clock.now();
    let fail = move |store: Store, n: i64| async move {
        let address = format!("203.0.{}.{}", n % 113, n % 251);
        let email = Email::parse(EMAIL).expect("an address");
        let attempt = ChargePassword { email, address, bucket: [0; 2], at: now.plus_secs(-3600 * n) };
        assert_eq!(store.reserve(attempt).await.expect("a charge").attempt, Attempt::Charged);
    };
    let mut tasks = Vec::new();
    for first in 1..=TASKS {
        let (store, first) = (server.app.store.clone(), i64::try_from(first).expect("small"));
        tasks.push(tokio::spawn(async move {
            for n in (first..times).step_by(TASKS) {
                fail(store.clone(), n).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    fail(server.app.store.clone(), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pwd_12_ten_thousand_wrong_passwords_leave_the_owner_a_way_in_where_they_signed_in_before() {
    const HOME: &str = "192.0.2.7";
    let server = TestServer::configured(Engine::Sqlite, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await;
    let owner = Owner::set_up(&server).await;
    let sign_in = |address: &str| {
        let body = json!({ "email": EMAIL, "password": PASSWORD, "code": owner.code(&server) });
        Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", address)
    };
    assert_signed_in(&Client::new(&server, 2).send(sign_in(HOME)).await);
    server.clock.advance(30);
    strangers_fail(&server, 10_000).await;
    assert_refused(&Client::new(&server, 3).send(sign_in("203.0.113.77")).await);
    assert_signed_in(&Client::new(&server, 2).send(sign_in(HOME)).await);
    server.clock.advance(3600);
    assert_signed_in(&Client::new(&server, 3).send(sign_in("203.0.113.77")).await);
}

#[tokio::test]
async fn a10_cisa_02_no_prompt_can_be_answered_by_a_press_and_a_denied_one_is_over() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    let waits = asked.header("location").expect("where it waits").to_owned();
    for body in
        [json!({}), json!({ "approve": true }), json!({ "totp": "" }), json!({ "totp": null, "passkey": null }), json!({ "push": "ok" })]
    {
        let reply = owner.client.post(&format!("{waits}/proofs"), body.clone()).await;
        assert!((400..500).contains(&reply.status), "{body}: {}", reply.json());
        assert_eq!(owner.client.get(&waits).await.json()["state"], "open", "{body}");
    }
    assert_eq!(owner.client.send(Call::new("POST", &format!("{waits}/deny"))).await.status, 204);
    let code = owner.code(&server);
    let late = owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await;
    assert_eq!(late.code(), "request_closed", "what was denied cannot be pressed upon anybody again: {}", late.json());
    let mut refused = None;
    for _ in 0..25 {
        let more = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
        refused = refused.or((more.status != 202).then(|| more.code()));
    }
    assert_eq!(refused.as_deref(), Some("too_many_open_requests"), "nobody is worn down by endless requests");
}

/// What can be asked for is what can be worn down: a code that one types, or a passkey, which every account may have.
#[tokio::test]
async fn cisa_01_cisa_02_there_are_codes_and_passkeys_and_nothing_that_is_pushed_or_sent() {
    let document: serde_json::Value = serde_json::from_str(include_str!("../../../../openapi.json")).expect("JSON");
    let members = |schema: &str| -> Vec<String> {
        let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap_or_else(|| panic!("{schema}"));
        properties.keys().cloned().collect()
    };
    assert_eq!(members("NewProof"), ["number", "passkey", "totp"], "the number is heard from the asker beside a proof");
    assert_eq!(members("FactorAnswer"), ["passkey", "totp"]);
    assert_eq!(members("SignIn"), ["code", "email", "password"]);
    let methods: Vec<&str> = ["totp", "passkey", "step_up", "push", "sms", "mail", "email", "voice", "number", ""]
        .into_iter()
        .filter(|word| sallyport_decide::actions::Method::parse(word).is_some())
        .collect();
    assert_eq!(methods, ["totp", "passkey", "step_up"], "what a stored proof can be");

    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    let waits = asked.header("location").expect("where it waits").to_owned();
    for kind in ["push", "sms", "mail", "voice"] {
        let refused = owner.client.post(&format!("{waits}/proofs"), json!({ kind: "123456" })).await;
        assert_eq!(refused.code(), "malformed", "{kind}: {}", refused.json());
        let enrol = owner.client.post(&format!("/v1/me/{kind}/start"), json!({ "proof": { "totp": owner.code(&server) } })).await;
        assert_eq!(enrol.status, 404, "{kind}: {}", enrol.json());
    }
    let enrol = owner.client.post("/v1/me/passkeys/start", json!({ "proof": { "totp": owner.code(&server) } })).await;
    assert_eq!(enrol.status, 200, "a passkey is offered to everybody: {}", enrol.json());
    let offered = Client::new(&server, 2).post("/v1/sign-in/passkey/start", json!({})).await;
    assert_eq!(offered.status, 200, "and at every sign-in: {}", offered.json());
}

#[tokio::test]
async fn a11_rec_06_neither_a_code_nor_a_link_alone_recovers_and_both_do_not_add_up() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let sign_in = |password: &str, code: &str| json!({ "email": tara.email, "password": password, "code": code });
    let mut thief = Client::new(&server, 66);
    // The saved code without the password.
    let alone = thief.post("/v1/sign-in", sign_in("not their password at all", &tara.recovery_codes[0])).await;
    assert_refused(&alone);
    // With both: a session that enrols and does nothing else.
    let mut restricted = Client::new(&server, 8);
    let reply = restricted.post("/v1/sign-in", sign_in(THEIR_PASSWORD, &tara.recovery_codes[0])).await;
    assert_eq!(reply.json()["session"]["stage"], "restricted", "{}", reply.json());
    let password = json!({ "current": THEIR_PASSWORD, "new": "nine herons wade through fog", "proof": { "totp": tara.code(&server) },
        "other_sessions": "end" });
    for (method, path, body) in [
        ("POST", "/v1/me/password", password),
        ("POST", "/v1/me/recovery-codes", json!({})),
        ("POST", "/v1/me/elevate", json!({ "proof": { "totp": tara.code(&server) } })),
        ("POST", "/v1/jobs", json!({})),
    ] {
        let refused = restricted.send(Call::new(method, path).body(body)).await;
        assert_eq!(refused.code(), "session_restricted", "{path}: {}", refused.json());
    }
    // The link of a reset without the password.
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "in_person" }));
    let done = owner.does(&server, reset).await;
    let link = done.json()["result"]["link"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("a link: {}", done.json()));
    let token = link.split_once('#').expect("behind #").1;
    for password in ["", "not their password at all", tara.recovery_codes[1].as_str()] {
        let begun = thief.post("/v1/invitations/start", json!({ "token": token, "password": password })).await;
        assert_eq!(begun.code(), "password_refused", "{}", begun.json());
    }
    assert_eq!(restricted.get("/v1/me").await.code(), "not_signed_in", "the reset ended what the code had opened");
    let control = sallyport_testkit::people::activate(&server, Client::new(&server, 9), token, THEIR_PASSWORD).await;
    assert_eq!(control.client.clone().get("/v1/devices").await.status, 200, "the control: link and password");
}
