//! Device Bound Session Credentials, with the browser's part played by the tests.

use sallyport_server::clock::Clock as _;
use sallyport_testkit::browser::{Browser, REGISTER, RENEW, jwk, jwt, key, quoted, sign_in};
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use crate::fleet::devices::{device, with_devices};

/// A cookie has its five minutes, and ten seconds for clocks that differ and requests that are under way.
const COOKIE_SECS: i64 = 300 + 10;

async fn begin(engine: Engine) -> (TestServer, Owner) {
    let server = TestServer::start_on(engine).await;
    let owner = Owner::set_up(&server).await;
    (server, owner)
}

#[tokio::test]
async fn ses_12_a_browser_binds_its_session_and_renews_it_with_its_own_key() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (server, mut owner) = begin(engine).await;
        let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
        assert_eq!(browser.page("/v1/me").await.json()["session"]["device_bound"], false);
        let instructions = browser.register(&challenge).await;
        assert_eq!(instructions.status, 200, "{}", instructions.json());
        let told = instructions.json();
        assert_eq!((&told["session_identifier"], &told["refresh_url"]), (&json!(browser.session), &json!(RENEW)));
        assert_eq!((&told["scope"]["origin"], &told["scope"]["include_site"]), (&json!("http://localhost:8800"), &json!(false)));
        assert_eq!(
            (&told["credentials"][0]["type"], &told["credentials"][0]["name"]),
            (&json!("cookie"), &json!("__Host-sallyport-device"))
        );
        assert_eq!(browser.page("/v1/me").await.json()["session"]["device_bound"], true);
        for _ in 0..3 {
            server.clock.advance(COOKIE_SECS - 1);
            assert_eq!(browser.page("/v1/me").await.status, 200, "a request that was under way at its end comes in");
            server.clock.advance(1);
            assert_eq!(browser.page("/v1/me").await.code(), "device_not_shown", "the cookie has had its five minutes");
            assert_eq!(browser.renew().await.status, 200);
            assert_eq!(browser.page("/v1/me").await.status, 200);
        }
        let bound = owner.client.get("/v1/audit?kind=session.bound").await.json();
        assert_eq!(bound["items"].as_array().map(Vec::len), Some(1), "{bound}");
    }
}

#[tokio::test]
async fn ses_12_a09_a_copied_jar_dies_at_the_renewal_even_with_the_pages_key() {
    let (server, owner) = begin(Engine::Sqlite).await;
    let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
    browser.register(&challenge).await;
    // Worse than a copied jar: the thief also has the page's key, but not the hardware's.
    let mut thief = Browser { page: browser.page.clone(), key: key(9), device: browser.device.clone(), session: browser.session.clone() };
    server.clock.advance(COOKIE_SECS);
    assert_eq!(thief.page("/v1/me").await.code(), "device_not_shown");
    let challenge = thief.challenge().await;
    for with_key in [Value::Null, jwk(&key(9))] {
        let refused = thief.own(RENEW, Some(&jwt(&key(9), &with_key, &challenge))).await;
        assert_eq!((refused.code().as_str(), refused.header("set-cookie")), ("proof_refused", None), "{}", refused.json());
    }
    assert_eq!(thief.register(&challenge).await.code(), "proof_refused", "nor is it bound to another key");
    assert_eq!(browser.renew().await.status, 200, "the control");
    assert_eq!(browser.page("/v1/me").await.status, 200);
}

#[tokio::test]
async fn ses_12_replayed_missing_and_foreign_responses_are_refused() {
    let (server, owner) = begin(Engine::Sqlite).await;
    let (mut browser, registration) = sign_in(&server, &owner, 2).await;
    assert_eq!(browser.own(REGISTER, None).await.code(), "proof_refused", "a missing response");
    assert_eq!(browser.register("made up").await.code(), "proof_refused");
    assert_eq!(browser.register(&registration).await.status, 200);
    let another = browser.own(REGISTER, Some(&jwt(&key(9), &jwk(&key(9)), &registration))).await;
    assert_eq!((another.code().as_str(), another.header("set-cookie")), ("proof_refused", None), "replayed with another key");
    let challenge = browser.challenge().await;
    let response = jwt(&browser.key, &Value::Null, &challenge);
    assert_eq!(browser.own(RENEW, Some(&response)).await.status, 200);
    let again = browser.own(RENEW, Some(&response)).await;
    assert_eq!((again.status, again.header("set-cookie")), (403, None), "replayed");
    assert!(again.header("secure-session-challenge").is_some(), "and asked anew");
    let stale = browser.challenge().await;
    server.clock.advance(300);
    assert_eq!(browser.own(RENEW, Some(&jwt(&browser.key, &Value::Null, &stale))).await.status, 403, "too old");
    // A challenge of another session, and one of another purpose.
    let (other, theirs) = sign_in(&server, &owner, 3).await;
    assert_eq!(browser.own(RENEW, Some(&jwt(&browser.key, &Value::Null, &theirs))).await.status, 403);
    let mine = browser.challenge().await;
    let crossed = other.own(REGISTER, Some(&jwt(&other.key, &jwk(&other.key), &mine))).await;
    assert_eq!(crossed.code(), "proof_refused");
    assert_eq!(browser.renew().await.status, 200, "the control");
}

#[tokio::test]
async fn ses_12_a_session_that_is_over_is_told_so() {
    let (server, owner) = begin(Engine::Sqlite).await;
    let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
    browser.register(&challenge).await;
    let device = browser.device.clone().expect("a cookie");
    let cookie = browser.page.cookie.clone();
    assert_eq!(browser.page.send(Call::new("POST", "/v1/sign-out").header("cookie", &device)).await.status, 204);
    browser.page.cookie = cookie;
    let over = browser.own(RENEW, None).await;
    assert_eq!((over.status, &over.json()["continue"]), (200, &json!(false)), "{}", over.json());
    assert_eq!(over.header("set-cookie"), None);
    browser.page.cookie = None;
    assert_eq!(browser.own(RENEW, None).await.json()["continue"], false, "nobody's");
    assert_eq!(browser.own(REGISTER, Some("x")).await.code(), "not_signed_in");
}

#[tokio::test]
async fn ses_12_what_is_under_way_while_a_browser_binds_comes_in_and_authorizes_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (server, mut owner) = begin(engine).await;
        with_devices(&server, &mut owner, 1).await;
        let script = owner.script("uptime", "uptime").await;
        let run = || Call::new("POST", "/v1/jobs").body(json!({ "script": script, "version": 1, "devices": [device(0)] }));
        let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
        assert_eq!(browser.page.send(run()).await.status, 201, "the control: signing in opened the window");
        let mut early = Browser { page: browser.page.clone(), key: key(102), device: None, session: browser.session.clone() };
        assert_eq!(browser.register(&challenge).await.status, 200);
        assert_eq!(early.page("/v1/me").await.status, 200, "it was sent before there was a cookie");
        assert_eq!(early.page("/v1/me").await.json()["session"]["device_bound"], true);
        assert_eq!(early.page.send(run()).await.status, 202, "without the cookie there is no window: a code is asked for");
        let device = browser.device.clone().expect("a cookie");
        assert_eq!(browser.page.send(run().header("cookie", &device)).await.status, 201, "with it there is");
        early.device = Some("__Host-sallyport-device=made-up".into());
        assert_eq!(early.page("/v1/me").await.code(), "device_not_shown", "a wrong cookie is refused at any time");
        early.device = None;
        server.clock.advance(29);
        assert_eq!(early.page("/v1/me").await.status, 200);
        assert_eq!(browser.register(&challenge).await.status, 200, "registered again");
        server.clock.advance(1);
        assert_eq!(early.page("/v1/me").await.code(), "device_not_shown", "nothing prolongs it");
        assert_eq!(browser.page("/v1/me").await.status, 200, "the control");
    }
}

#[tokio::test]
async fn ses_12_a_registration_whose_answer_was_lost_gets_the_same_one_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let (server, mut owner) = begin(engine).await;
        let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
        let first = browser.register(&challenge).await;
        let cookie = browser.device.clone();
        assert!(first.header("set-cookie").is_some_and(|cookie| cookie.contains("; Max-Age=300;")), "{first:?}");
        server.clock.advance(60);
        let again = browser.register(&challenge).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        assert_eq!(browser.device, cookie, "the same cookie, which ends when it would have");
        assert!(again.header("set-cookie").is_some_and(|cookie| cookie.contains("; Max-Age=240;")), "{again:?}");
        // Two at once: one binds, and the other gets the same.
        let (other, theirs) = sign_in(&server, &owner, 3).await;
        let response = jwt(&other.key, &jwk(&other.key), &theirs);
        let (one, two) = tokio::join!(other.own(REGISTER, Some(&response)), other.own(REGISTER, Some(&response)));
        let bound = [&one, &two].into_iter().filter(|reply| reply.status == 200).count();
        assert!(bound >= 1, "{} {}", one.json(), two.json());
        assert_eq!(other.own(REGISTER, Some(&response)).await.status, 200);
        let log = owner.client.get("/v1/audit?kind=session.bound").await.json();
        assert_eq!(log["items"].as_array().map(Vec::len), Some(2), "each session was bound once: {log}");
        server.clock.advance(240);
        let late = browser.own(REGISTER, Some(&jwt(&browser.key, &jwk(&browser.key), &challenge))).await;
        assert_eq!((late.code().as_str(), late.header("set-cookie")), ("proof_refused", None), "the challenge had its time");
    }
}

#[tokio::test]
async fn ses_12_sessions_that_a_set_up_or_an_activation_opens_are_offered_it_too() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let begun = sallyport_testkit::owner::begin(&server, &mut client).await;
    let now = server.clock.now();
    let body = begun.finish(&oathtool(begun.secret(), now), &begun.root(now));
    let reply = client.send(Call::new("POST", "/v1/setup/finish").body(body).header("sec-fetch-site", "same-origin")).await;
    assert!(reply.status == 201 && reply.header("secure-session-registration").is_some(), "{}", reply.json());

    let (server, mut owner) = begin(Engine::Sqlite).await;
    let invited = owner.invites(&server, "tara@nordwind.example", json!([{ "role": "auditor", "scope": "tenant" }]), Value::Null).await;
    let link = invited.json()["result"]["link"].as_str().expect("a link").to_owned();
    let token = link.split_once('#').expect("behind #").1;
    let mut page = Client::new(&server, 7);
    let started = page.post("/v1/invitations/start", json!({ "token": token, "password": THEIR_PASSWORD })).await.json();
    let code = oathtool(started["totp"]["secret"].as_str().expect("a secret"), server.clock.now());
    let body = json!({ "token": token, "draft": started["draft"], "code": code });
    let reply = page.send(Call::new("POST", "/v1/invitations/finish").body(body).header("sec-fetch-site", "same-origin")).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let challenge = quoted(reply.header("secure-session-registration").expect("an offer"), "challenge=").to_owned();
    let session = page.get("/v1/me").await.json()["session"]["id"].as_str().expect("an id").to_owned();
    let mut browser = Browser { page, key: key(107), device: None, session };
    assert_eq!(browser.register(&challenge).await.status, 200);
    let device = browser.device.clone().expect("a cookie");
    let saved = Call::new("POST", "/v1/me/recovery-codes/saved").body(json!({})).header("cookie", &device);
    assert_eq!(browser.page.send(saved).await.status, 204, "the session goes on, under another token");
    server.clock.advance(COOKIE_SECS);
    assert_eq!(browser.page("/v1/me").await.code(), "device_not_shown");
    assert_eq!(browser.renew().await.status, 200);
    assert_eq!(browser.page("/v1/me").await.json()["session"]["device_bound"], true);
}

#[tokio::test]
async fn ses_12_without_it_every_browser_and_program_works_as_before() {
    let (server, owner) = begin(Engine::Sqlite).await;
    // A browser that ignores the offer.
    let (mut plain, _) = sign_in(&server, &owner, 2).await;
    server.clock.advance(900);
    assert_eq!(plain.page("/v1/me").await.status, 200);
    // What is no browser is offered nothing.
    let mut program = Client::new(&server, 3);
    let reply = owner.sign_in(&mut program, &owner.code(&server)).await;
    assert_eq!((reply.status, reply.header("secure-session-registration")), (200, None));
    // And an operator can leave it off.
    let off = TestServer::configured(Engine::Sqlite, |raw| raw.device_bound_sessions = Some("off".into())).await;
    let owner = Owner::set_up(&off).await;
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": owner.code(&off) });
    let reply = Client::new(&off, 2).send(Call::new("POST", "/v1/sign-in").body(body).header("sec-fetch-site", "same-origin")).await;
    assert_eq!((reply.status, reply.header("secure-session-registration")), (200, None));
}

#[tokio::test]
async fn ses_13_a_bound_session_authorizes_nothing_by_itself() {
    let (server, owner) = begin(Engine::Sqlite).await;
    let (mut browser, challenge) = sign_in(&server, &owner, 2).await;
    browser.register(&challenge).await;
    // Malware on the machine has cookies, both keys, and an open step-up window.
    let device = browser.device.clone().expect("a cookie");
    let asked = browser.page.send(Call::new("POST", "/v1/me/recovery-codes").header("cookie", &device)).await;
    assert_eq!((asked.status, &asked.json()["state"]), (202, &json!("open")), "a factor is asked for: {}", asked.json());
}
