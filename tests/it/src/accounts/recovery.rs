use sallyport_model::limits;
use sallyport_server::config::RawMail;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool, sign_in};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::totp::at_once;
use super::{assert_refused, assert_signed_in, notices_begin, wrong_code};

on_both!(
    rec_05_11_the_factor_that_ends_a_recovery_brings_one_code_in_place_of_the_used_one,
    rec_05_codes_that_were_replaced_meanwhile_are_not_added_to,
);

#[tokio::test]
async fn rec_01_02_ten_codes_of_120_bits_of_which_the_database_has_none() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    assert_eq!(owner.recovery_codes.len(), 10);
    let kept = server.bytes_at_rest();
    for code in &owner.recovery_codes {
        let bare = code.replace('-', "");
        assert_eq!(bare.len() * 5, 120);
        for needle in [code.as_bytes(), bare.as_bytes()] {
            assert!(!kept.windows(needle.len()).any(|window| window == needle));
        }
    }
}

#[tokio::test]
async fn rec_03_each_code_works_once_and_opens_a_restricted_session() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    let typed = owner.recovery_codes[0].to_lowercase().replace('-', " ");
    let reply = owner.sign_in(&mut client, &typed).await;
    assert_signed_in(&reply);
    assert_eq!((&reply.json()["session"]["stage"], &reply.json()["recovery_codes_left"]), (&json!("restricted"), &json!(9)));
    assert_eq!(client.get("/v1/me").await.status, 200);
    assert_eq!(client.get("/v1/me/sessions").await.code(), "session_restricted");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &owner.recovery_codes[0]).await);
    let crashed = server.after_a_crash().await;
    assert_refused(&owner.sign_in(&mut Client::new(&crashed, 3), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&crashed, 3), &owner.recovery_codes[1]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rec_03_fifty_at_once_one_success() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    for code in &owner.recovery_codes[..2] {
        let replies = at_once(&server, 50, PASSWORD, |_| code.clone()).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    }
}

#[tokio::test]
async fn rec_07_a_sign_in_with_two_codes_is_refused_and_spends_none() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let both = format!("{} {}", owner.recovery_codes[0], owner.recovery_codes[1]);
    assert_eq!(owner.sign_in(&mut Client::new(&server, 2), &both).await.code(), "invalid_field");
    let mut client = Client::new(&server, 2);
    assert_refused(&sign_in(&mut client, EMAIL, &owner.recovery_codes[0], &owner.recovery_codes[1]).await);
    let reply = owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await;
    assert_eq!(reply.json()["recovery_codes_left"], 9);
}

#[tokio::test]
async fn rec_11_no_get_shows_or_makes_codes_and_new_ones_end_all_old_ones() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for path in ["/v1/me", "/v1/me/factors", "/v1/me/sessions", "/v1/setup"] {
        let text = String::from_utf8_lossy(&owner.client.get(path).await.body).into_owned();
        assert!(owner.recovery_codes.iter().all(|code| !text.contains(code)), "{path}");
    }
    assert_eq!(owner.client.get("/v1/me/recovery-codes").await.status, 405);
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(asked.status, 202, "{}", String::from_utf8_lossy(&asked.body));
    let waits = asked.header("location").expect("where it waits").to_owned();
    let code = owner.code(&server);
    let done = owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let shown = done.json().to_string();
    let again = String::from_utf8_lossy(&owner.client.get(&waits).await.body).into_owned();
    let new: Vec<String> =
        serde_json::from_value(done.json()["result"]["recovery_codes"].clone()).unwrap_or_else(|_| panic!("codes in {shown}"));
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !again.contains(code)), "shown once");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &new[0]).await);
}

#[tokio::test]
async fn rec_08_neither_another_password_nor_a_recovery_code_removes_or_skips_a_factor() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let factors = async |client: &mut Client| {
        let page = client.get("/v1/me/factors").await.json();
        let ids = page["items"].as_array().into_iter().flatten().map(|item| item["id"].as_str().expect("an id").to_owned());
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    let before = factors(&mut owner.client).await;
    assert_eq!(before.len(), 1, "an authenticator");
    const ANOTHER: &str = "nine herons wade through fog";
    let body = json!({ "current": PASSWORD, "new": ANOTHER, "proof": { "totp": owner.code(&server) }, "other_sessions": "end" });
    assert_eq!(owner.client.post("/v1/me/password", body).await.status, 204);
    assert_eq!(factors(&mut owner.client).await, before, "another password leaves them as they are");
    assert_refused(&sign_in(&mut Client::new(&server, 2), EMAIL, ANOTHER, "").await);
    server.clock.advance(30);
    // A recovery code signs in once, in the place of a code; the authenticator stays what it was.
    let mut recovered = Client::new(&server, 3);
    assert_signed_in(&sign_in(&mut recovered, EMAIL, ANOTHER, &owner.recovery_codes[0]).await);
    assert_eq!(factors(&mut recovered).await, before, "and so does a recovery code");
    for factor in &before {
        let removed = recovered.send(Call::new("DELETE", &format!("/v1/me/factors/{factor}"))).await;
        assert_eq!(removed.code(), "session_restricted", "{}", removed.json());
    }
    assert_refused(&sign_in(&mut Client::new(&server, 4), EMAIL, ANOTHER, "").await);
    assert_signed_in(&sign_in(&mut Client::new(&server, 5), EMAIL, ANOTHER, &owner.code(&server)).await);
}

#[tokio::test]
async fn a07_a_recovery_code_opens_what_a_stolen_password_locked() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut thief = Client::new(&server, 9);
    let wrong = wrong_code(&owner.code(&server));
    for _ in 0..12 {
        assert_refused(&owner.sign_in(&mut thief, &wrong).await);
        assert_refused(&owner.sign_in(&mut thief, "000000-000000-000000-000000").await);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}

const WRONG: &str = "something else entirely, sorry";

#[tokio::test]
async fn rec_04_recovery_waits_as_the_password_does() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    for code in owner.recovery_codes.iter().cycle().take(10) {
        assert_refused(&sign_in(&mut Client::new(&server, 9), EMAIL, WRONG, code).await);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 9), &owner.recovery_codes[0]).await);
    server.clock.advance(30);
    let reply = owner.sign_in(&mut Client::new(&server, 9), &owner.recovery_codes[0]).await;
    assert_eq!(reply.json()["recovery_codes_left"], 9, "none was spent behind a wrong password or a wait: {}", reply.json());
}

/// A technician whose recovery is under way: a restricted session with an authenticator that waits for its first code.
async fn recovering(server: &TestServer, owner: &mut Owner) -> (Colleague, Client, serde_json::Value) {
    let tara = owner.colleague(server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let mut client = Client::new(server, 8);
    assert_signed_in(&sign_in(&mut client, &tara.email, THEIR_PASSWORD, &tara.recovery_codes[0]).await);
    let draft = client.post("/v1/me/totp/start", json!({})).await;
    assert_eq!(draft.status, 200, "{}", draft.json());
    (tara, client, draft.json())
}

async fn finish(server: &TestServer, client: &mut Client, draft: &serde_json::Value) -> Reply {
    use sallyport_server::clock::Clock as _;
    let secret = draft["totp"]["secret"].as_str().unwrap_or_else(|| panic!("a secret: {draft}"));
    let code = oathtool(secret, server.clock.now());
    client.post("/v1/me/totp/finish", json!({ "draft": draft["draft"], "name": "New phone", "code": code })).await
}

#[tokio::test]
async fn rec_04_a_recovery_that_is_under_way_dies_with_the_account() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let (tara, mut client, draft) = recovering(&server, &mut owner).await;
        let disable = Call::new("POST", "/v1/users/disable").body(json!({ "users": [tara.id] }));
        assert_eq!(owner.does(&server, disable).await.status, 200);
        assert_eq!(finish(&server, &mut client, &draft).await.code(), "not_signed_in");
        assert_refused(&sign_in(&mut Client::new(&server, 9), &tara.email, THEIR_PASSWORD, &tara.recovery_codes[1]).await);
        let enable = Call::new("POST", "/v1/users/enable").body(json!({ "users": [tara.id] }));
        assert_eq!(owner.does(&server, enable).await.status, 200);
        assert_eq!(finish(&server, &mut client, &draft).await.code(), "not_signed_in", "it does not come back to life either");
    }
}

#[tokio::test]
async fn rec_04_a_recovery_whose_codes_are_guessed_dies_and_the_control_ends_well() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let (_, mut client, draft) = recovering(&server, &mut owner).await;
    for _ in 0..limits::FACTOR_FAILURES {
        let body = json!({ "draft": draft["draft"], "name": "New phone", "code": "000000" });
        assert!(client.post("/v1/me/totp/finish", body).await.status >= 400);
    }
    assert!(finish(&server, &mut client, &draft).await.status >= 400, "the draft is dead");
    let again = client.post("/v1/me/totp/start", json!({})).await.json();
    assert_eq!(finish(&server, &mut client, &again).await.status, 200, "the control");
}

#[tokio::test]
async fn rec_05_a_used_code_is_invalid_told_and_logged_and_new_ones_replace_all() {
    let mails = MailServer::start();
    let server = TestServer::configured(Engine::Sqlite, |raw| {
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    assert_eq!(owner.client.get("/v1/me").await.json()["recovery_codes_left"], 10);
    let reply = owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await;
    assert_eq!(reply.json()["recovery_codes_left"], 9, "{}", reply.json());
    let notice = mails.wait_for(EMAIL, "recovery code was used").await;
    assert!(notice.plain.contains("how many recovery codes you have left") && notice.plain.contains("/not-me#"), "{}", notice.plain);
    let logged = owner.client.get("/v1/audit?kind=recovery_code.used").await.json();
    assert_eq!(logged["items"].as_array().map(Vec::len), Some(1), "{logged}");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &owner.recovery_codes[0]).await);
    let renewed = owner.does(&server, Call::new("POST", "/v1/me/recovery-codes")).await;
    let new: Vec<String> = serde_json::from_value(renewed.json()["result"]["recovery_codes"].clone()).expect("codes");
    assert_eq!((new.len(), new.contains(&owner.recovery_codes[0])), (10, false));
    assert_eq!(owner.client.get("/v1/me").await.json()["recovery_codes_left"], 10);
    mails.wait_for(EMAIL, "recovery codes were replaced").await;
}

async fn left(client: &mut Client) -> serde_json::Value {
    client.get("/v1/me").await.json()["recovery_codes_left"].clone()
}

async fn rec_05_11_the_factor_that_ends_a_recovery_brings_one_code_in_place_of_the_used_one(engine: Engine) {
    let mails = MailServer::start();
    let server = TestServer::configured(engine, |raw| {
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.recovery_codes[0]).await);
    assert_eq!(left(&mut client).await, 9, "signing in gives none: a thief with one code has no second one");
    let draft = client.post("/v1/me/totp/start", json!({})).await.json();
    let done = finish(&server, &mut client, &draft).await;
    assert_eq!(done.status, 200, "{}", done.json());
    let fresh = done.json()["recovery_code"].as_str().expect("a code").to_owned();
    assert!(!owner.recovery_codes.contains(&fresh) && fresh.len() == owner.recovery_codes[0].len(), "{fresh}");
    assert_eq!(left(&mut client).await, 10);
    for path in ["/v1/me", "/v1/me/factors"] {
        assert!(!String::from_utf8_lossy(&client.get(path).await.body).contains(&fresh), "{path} shows it again");
    }
    server.clock.advance(30);
    let draft = client.post("/v1/me/totp/start", json!({})).await.json();
    assert_eq!(finish(&server, &mut client, &draft).await.status, 204, "one used code, one new one");
    assert_eq!(left(&mut client).await, 10);
    mails.wait_for(EMAIL, "new recovery code was issued").await;
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &owner.recovery_codes[0]).await);
    for (n, code) in [&owner.recovery_codes[1], &fresh].into_iter().enumerate() {
        let reply = owner.sign_in(&mut Client::new(&server, 4), code).await;
        assert_eq!(reply.json()["recovery_codes_left"], json!(9 - n), "the old ones still work, and so does the new one: {}", reply.json());
    }
}

async fn rec_05_codes_that_were_replaced_meanwhile_are_not_added_to(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.recovery_codes[0]).await);
    let draft = client.post("/v1/me/totp/start", json!({})).await.json();
    assert_eq!(owner.does(&server, Call::new("POST", "/v1/me/recovery-codes")).await.status, 200);
    assert_eq!(finish(&server, &mut client, &draft).await.status, 204);
    assert_eq!(left(&mut client).await, 10, "whoever had the old list gets none of the new one");
}

#[tokio::test]
async fn rec_12_what_is_issued_for_recovery_is_long_and_does_not_live_long() {
    assert!([limits::INVITATION_SECS, limits::ADDRESS_LINK_SECS].iter().all(|secs| *secs <= 24 * 3600));
    assert_eq!(limits::ACTIVATION_SECS, 2 * 3600);
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "in_person" }));
    let done = owner.does(&server, reset).await.json();
    let link = done["result"]["link"].as_str().unwrap_or_else(|| panic!("a link: {done}"));
    let token = link.split_once('#').expect("behind #, where no server and no proxy logs it").1.to_owned();
    assert_eq!(token.len(), 43, "256 bits, not six digits");
    let mut client = Client::new(&server, 8);
    let look = json!({ "token": token });
    assert_eq!(client.post("/v1/invitations/look", look.clone()).await.status, 200, "the control");
    server.clock.advance(limits::ACTIVATION_SECS);
    assert_eq!(client.post("/v1/invitations/look", look).await.code(), "link_refused");
    let begun = client.post("/v1/invitations/start", json!({ "token": token, "password": THEIR_PASSWORD })).await;
    assert_eq!(begun.code(), "link_refused");
    let description = client.get("/v1/openapi.json").await.json();
    let words = description.to_string().to_lowercase();
    for never in ["sms", "voice call", "push notification", "security question", "mailed code"] {
        assert!(!words.contains(never), "no way in by {never}");
    }
}
