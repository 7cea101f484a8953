//! Programs that are let in by a code which their person types (RFC 8628): polled for by the key that asked, once, and guessed by nobody.

use sallyport_model::{UserId, limits};
use sallyport_server::clock::Clock as _;
use sallyport_server::config::RawMail;
use sallyport_store::ops::accounts::{ChargeGuess, ForgetDeviceCodes};
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::{Tool, posted};
use serde_json::{Value, json};

use super::{assert_oauth, assert_refused};
use crate::accounts::notices_begin;

on_both!(
    oa_21_a_program_shows_a_code_polls_and_gets_its_session_once,
    oa_21_who_polls_too_early_waits_longer_each_time,
    oa_21_after_ten_minutes_or_a_no_there_is_nothing,
    oa_21_a_code_with_another_key_gives_nothing_and_takes_nothing,
    oa_21_wrong_codes_are_charged_durably_and_stop,
    oa_21_strangers_fill_no_table_and_old_codes_are_forgotten,
);

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where programs are that are not beside the browser; the browser of these tests is at 127.0.0.1.
pub(super) const THERE: &str = "198.51.100.7";

/// A server behind a listed proxy, whose owner has a passkey.
pub(super) struct Place {
    pub(super) server: TestServer,
    pub(super) owner: Owner,
    pub(super) key: SoftPasskey,
}

pub(super) fn policy(device_codes: &str) -> Call {
    let body = json!({ "who": "all", "roles": [], "deadline": null, "factorless": "no", "device_codes": device_codes });
    Call::new("PUT", "/v1/policy/mfa").body(body)
}

impl Place {
    /// As it is after the set-up: off.
    pub(super) async fn new(engine: Engine) -> Self {
        Self::on(TestServer::configured(engine, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await).await
    }

    /// Switched on, with a mail server.
    pub(super) async fn mailing(mails: &MailServer) -> Self {
        let settings = RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) };
        let mut place = Self::on(TestServer::configured(Engine::Sqlite, |raw| raw.mail = Some(settings)).await).await;
        notices_begin(&place.server).await;
        place.switch("yes").await;
        place
    }

    async fn on(server: TestServer) -> Self {
        let mut owner = Owner::set_up(&server).await;
        let code = owner.code(&server);
        let key = SoftPasskey::added(&server, &mut owner.client, &code).await;
        Self { server, owner, key }
    }

    /// Switched on.
    pub(super) async fn allowing(engine: Engine) -> Self {
        let mut place = Self::new(engine).await;
        place.switch("yes").await;
        place
    }

    pub(super) async fn switch(&mut self, word: &str) {
        let done = self.owner.does(&self.server, policy(word)).await;
        assert_eq!(done.status, 200, "{}", done.json());
    }

    pub(super) async fn look(&mut self, code: &str) -> Reply {
        self.owner.client.post("/v1/me/device-codes/look", json!({ "user_code": code })).await
    }

    /// Looks, and says yes with the passkey.
    pub(super) async fn allow(&mut self, code: &str) -> Reply {
        allows(&mut self.owner.client, &mut self.key, code).await
    }

    /// A program that was let in.
    pub(super) async fn let_in(&mut self, seed: u8) -> Tool {
        lets_in(&self.server, &mut self.owner.client, &mut self.key, seed).await
    }
}

/// A program that a person let in.
pub(super) async fn lets_in(server: &TestServer, browser: &mut Client, key: &mut SoftPasskey, seed: u8) -> Tool {
    let mut tool = Tool::new(server, seed);
    let asked = asks(&mut tool, None).await.json();
    assert_eq!(allows(browser, key, word(&asked, "user_code")).await.status, 204);
    let issued = polls(&mut tool, word(&asked, "device_code"), None).await;
    assert_eq!(issued.status, 200, "{}", issued.json());
    word(&issued.json(), "access_token").clone_into(&mut tool.token);
    tool
}

/// A person looks, and says yes with their passkey.
pub(super) async fn allows(browser: &mut Client, key: &mut SoftPasskey, code: &str) -> Reply {
    let looked = browser.post("/v1/me/device-codes/look", json!({ "user_code": code })).await;
    assert_eq!(looked.status, 200, "{}", looked.json());
    let credential = key.get(&looked.json()["proof"]["options"]).await;
    let body = json!({ "user_code": code, "answer": "yes", "credential": credential });
    browser.post("/v1/me/device-codes/answer", body).await
}

pub(super) fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn posts(tool: &mut Tool, from: Option<&str>, call: Call) -> Reply {
    tool.wire.get("/v1/nonce").await.header("dpop-nonce").expect("a nonce").clone_into(&mut tool.nonce);
    let call = from.iter().fold(call, |call, address| call.header("x-forwarded-for", address));
    tool.attempts(&call, |_, _| {}).await
}

/// A program asks to be let in.
pub(super) async fn asks(tool: &mut Tool, from: Option<&str>) -> Reply {
    let fields = [("client_id", "sallyport-cli"), ("name", "sallyport on jump-1")];
    posts(tool, from, posted("/v1/oauth/device", &fields).header("user-agent", "sallyport-cli/9")).await
}

/// It looks whether its person has answered.
pub(super) async fn polls(tool: &mut Tool, code: &str, from: Option<&str>) -> Reply {
    posts(tool, from, polled(code)).await
}

/// What a program shows at the token endpoint for its code.
pub(super) fn polled(code: &str) -> Call {
    posted("/v1/oauth/token", &[("grant_type", GRANT), ("client_id", "sallyport-cli"), ("device_code", code)])
}

async fn oa_21_a_program_shows_a_code_polls_and_gets_its_session_once(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    let reply = asks(&mut tool, None).await;
    let asked = reply.json();
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{asked}");
    let mut names: Vec<&str> = asked.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["device_code", "expires_in", "interval", "user_code", "verification_uri"], "no link that carries the code");
    assert_eq!((&asked["expires_in"], &asked["interval"]), (&json!(600), &json!(5)));
    assert_eq!(word(&asked, "verification_uri"), format!("{}/device", place.server.app.config.origin()));
    let (code, typed) = (word(&asked, "device_code").to_owned(), word(&asked, "user_code").to_owned());
    assert_eq!(code.len(), 43, "256 bits");
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|byte| b"BCDFGHJKLMNPQRSTVWXZ".contains(&byte));
    assert!(typed.split_once('-').is_some_and(|(first, second)| letters(first) && letters(second)), "{typed}");
    assert_oauth(&polls(&mut tool, &code, None).await, 400, "authorization_pending");
    // Neither code is kept in clear.
    let kept = place.server.bytes_at_rest();
    let plain = typed.replace('-', "");
    for secret in [code.as_bytes(), typed.as_bytes(), plain.as_bytes()] {
        assert!(!kept.windows(secret.len()).any(|window| window == secret));
    }
    // Typed as people type.
    assert_eq!(place.allow(&typed.to_lowercase().replace('-', " ")).await.status, 204);
    let issued = polls(&mut tool, &code, None).await;
    let token = issued.json();
    assert_eq!((issued.status, &token["token_type"], &token["acr"]), (200, &json!("DPoP"), &json!("urn:sallyport:acr:phr")), "{token}");
    assert!(token.get("refresh_token").is_none());
    word(&token, "access_token").clone_into(&mut tool.token);
    let me = tool.get("/v1/me").await.json();
    assert_eq!((&me["session"]["program"], &me["session"]["stage"]), (&json!("sallyport on jump-1"), &json!("device_code")), "{me}");
    // Used up, and the code that was typed with it.
    tool.token.clear();
    assert_oauth(&polls(&mut tool, &code, None).await, 400, "invalid_grant");
    assert_refused(&place.look(&typed).await, 422, "code_refused");
    let told = place.owner.client.get("/v1/audit?limit=3").await.json();
    let kinds: Vec<&Value> = told["items"].as_array().expect("entries").iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds[..2], ["session.opened", "device_code.approved"], "{told}");
}

async fn oa_21_who_polls_too_early_waits_longer_each_time(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    let asked = asks(&mut tool, None).await.json();
    let code = word(&asked, "device_code").to_owned();
    // So long after the poll before; what is too early counts as one, and is remembered.
    for (secs, said) in [
        (0, "authorization_pending"),
        (4, "slow_down"),
        (9, "slow_down"),
        (14, "slow_down"),
        (20, "authorization_pending"),
        (19, "slow_down"),
        (25, "authorization_pending"),
    ] {
        place.server.clock.advance(secs);
        assert_oauth(&polls(&mut tool, &code, None).await, 400, said);
    }
    // Another program of the same address is not slowed by that, and a yes is no poll that could come too early.
    let mut other = Tool::new(&place.server, 32);
    let next = asks(&mut other, None).await.json();
    assert_oauth(&polls(&mut other, word(&next, "device_code"), None).await, 400, "authorization_pending");
    assert_eq!(place.allow(word(&asked, "user_code")).await.status, 204);
    assert_eq!(polls(&mut tool, &code, None).await.status, 200);
}

async fn oa_21_after_ten_minutes_or_a_no_there_is_nothing(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let (mut denied, mut late, mut approved) = (Tool::new(&place.server, 31), Tool::new(&place.server, 32), Tool::new(&place.server, 33));
    let [first, second, third] =
        [asks(&mut denied, None).await.json(), asks(&mut late, None).await.json(), asks(&mut approved, None).await.json()];
    let no = json!({ "user_code": word(&first, "user_code"), "answer": "no" });
    assert_eq!(place.owner.client.post("/v1/me/device-codes/answer", no.clone()).await.status, 204, "one word, and no passkey");
    assert_oauth(&polls(&mut denied, word(&first, "device_code"), None).await, 400, "access_denied");
    assert_refused(&place.look(word(&first, "user_code")).await, 422, "code_refused");
    assert_refused(&place.owner.client.post("/v1/me/device-codes/answer", no).await, 422, "code_refused");
    let told = place.owner.client.get("/v1/audit?limit=1").await.json();
    assert_eq!(told["items"][0]["kind"], "device_code.denied", "{told}");
    // Approved, and not fetched in time.
    assert_eq!(place.allow(word(&third, "user_code")).await.status, 204);
    place.server.clock.advance(limits::DEVICE_REQUEST_SECS);
    assert_oauth(&polls(&mut late, word(&second, "device_code"), None).await, 400, "expired_token");
    assert_oauth(&polls(&mut approved, word(&third, "device_code"), None).await, 400, "expired_token");
    assert_refused(&place.look(word(&second, "user_code")).await, 422, "code_refused");
    let sessions = place.owner.client.get("/v1/me/sessions").await.json();
    assert!(sessions["items"].as_array().is_some_and(|list| list.iter().all(|one| one["program"].is_null())), "{sessions}");
}

async fn oa_21_a_code_with_another_key_gives_nothing_and_takes_nothing(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let (mut tool, mut thief) = (Tool::new(&place.server, 31), Tool::new(&place.server, 32));
    let asked = asks(&mut tool, None).await.json();
    let code = word(&asked, "device_code").to_owned();
    assert_oauth(&polls(&mut thief, &code, None).await, 400, "invalid_grant");
    assert_eq!(place.allow(word(&asked, "user_code")).await.status, 204);
    assert_oauth(&polls(&mut thief, &code, None).await, 400, "invalid_grant");
    assert_oauth(&polls(&mut tool, "AAAA", None).await, 400, "invalid_grant");
    let fields = [("grant_type", GRANT), ("client_id", "another"), ("device_code", code.as_str())];
    assert_oauth(&posts(&mut tool, None, posted("/v1/oauth/token", &fields)).await, 401, "invalid_client");
    assert_eq!(polls(&mut tool, &code, None).await.status, 200, "the one that asked still gets it");
}

/// A code that nobody was given.
fn wrong(number: usize) -> String {
    let letter = |place: u32| char::from(b"BCDFGHJKLMNPQRSTVWXZ"[number / 20usize.pow(place) % 20]);
    format!("ZZZZ-ZZ{}{}", letter(1), letter(0))
}

async fn oa_21_wrong_codes_are_charged_durably_and_stop(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    // What cannot be a code at all costs nothing, and neither does a right one.
    let asked = asks(&mut tool, None).await.json();
    for _ in 0..15 {
        assert_refused(&place.look("AEIO-1234").await, 422, "code_refused");
        assert_eq!(place.look(word(&asked, "user_code")).await.status, 200);
    }
    for number in 0..9 {
        assert_refused(&place.look(&wrong(number)).await, 422, "code_refused");
    }
    // An answer is a guess as well, and a restart forgets none.
    let answer = json!({ "user_code": wrong(9), "answer": "no" });
    assert_refused(&place.owner.client.post("/v1/me/device-codes/answer", answer).await, 422, "code_refused");
    let server = place.server.restart().await;
    place = Place { owner: Owner { client: place.owner.client.at(&server), ..place.owner }, server, key: place.key };
    let stopped = place.look(word(&asked, "user_code")).await;
    assert_refused(&stopped, 429, "rate_limited");
    assert!(stopped.header("retry-after").and_then(|secs| secs.parse::<i64>().ok()).is_some_and(|secs| secs > 3_500), "{stopped:?}");
    for _ in 0..2 {
        place.server.clock.advance(limits::DEVICE_GUESS_WINDOW_SECS / 2);
        assert_eq!(place.owner.client.get("/v1/me").await.status, 200);
    }
    let mut tool = Tool::new(&place.server, 32);
    let asked = asks(&mut tool, None).await.json();
    assert_eq!(place.look(word(&asked, "user_code")).await.status, 200, "an hour later");
    // Thirty of several people stop whoever is at their address, and nobody elsewhere.
    for number in 0..30u8 {
        let charge = ChargeGuess { user: UserId::from_bytes([number / 10; 16]), network: "127.0.0.1".into(), at: place.server.clock.now() };
        assert!(place.server.app.store.reserve(charge).await.expect("the store takes it").is_ok(), "{number}");
    }
    assert_refused(&place.look(word(&asked, "user_code")).await, 429, "rate_limited");
    let elsewhere = ChargeGuess { user: UserId::from_bytes([9; 16]), network: THERE.into(), at: place.server.clock.now() };
    assert!(place.server.app.store.reserve(elsewhere).await.expect("the store takes it").is_ok());
}

async fn oa_21_strangers_fill_no_table_and_old_codes_are_forgotten(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    for _ in 0..limits::DEVICE_REQUESTS_PER_ADDRESS {
        assert_eq!(asks(&mut tool, Some("2001:db8::1")).await.status, 200);
    }
    assert_refused(&asks(&mut tool, Some("2001:db8::2")).await, 429, "rate_limited");
    assert_eq!(asks(&mut tool, Some("2001:db8:0:1::1")).await.status, 200, "another network");
    // A stranger without a key of their own is told nothing.
    let fields = [("client_id", "sallyport-cli")];
    assert_oauth(&Client::new(&place.server, 50).send_with(&posted("/v1/oauth/device", &fields), None).await, 400, "invalid_dpop_proof");
    assert_refused(&place.look(&wrong(1)).await, 422, "code_refused");
    let store = &place.server.app.store;
    let begun = place.server.clock.now();
    for (secs, codes, guesses) in [(0, 6, 2), (limits::DEVICE_REQUEST_SECS, 0, 2), (limits::DEVICE_GUESS_WINDOW_SECS, 0, 0)] {
        store.reserve(ForgetDeviceCodes { at: begun.plus_secs(secs) }).await.expect("tidied");
        let mut reader = store.read().await.expect("a reader");
        let left = reader.fetch_one("SELECT COUNT(*) AS n FROM device_codes", values![]).await.expect("a count");
        let counted = reader.fetch_one("SELECT COUNT(*) AS n FROM device_code_guesses", values![]).await.expect("a count");
        assert_eq!((left.uint("n").expect("a number"), counted.uint("n").expect("a number")), (codes, guesses), "after {secs} s");
    }
}
