//! Keys that are replaced each day without a person; one that is missed, and one that comes back.

use sallyport_model::limits;
use sallyport_server::config::RawMail;
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::json;

use super::{SCOPES, assert_oauth, assert_refused, at_work, begin};
use crate::accounts::notices_begin;

on_both!(
    the_next_key_is_registered_with_the_present_one,
    a_replaced_key_that_comes_back_stops_its_client_at_once,
    a_missed_rotation_warns_and_then_stops_the_client,
    a_next_key_must_be_had_and_new,
    only_so_many_replaced_keys_are_remembered,
    not_me_stops_clients_too,
    time_alone_tells_the_owner_and_stops_the_client,
);

/// The server looks every few seconds.
const LOOKS: u32 = 600;
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

async fn the_next_key_is_registered_with_the_present_one(engine: Engine) {
    let (server, _owner, mut tool) = begin(engine).await;
    server.clock.advance(limits::CLIENT_KEY_SECS);
    assert_eq!(tool.gets_token().await.json()["key_due"], json!(true));
    let mut next = tool.with_key(50);
    let rotated = tool.rotates(&next).await;
    assert_eq!(rotated.status, 200, "{}", rotated.json());
    assert_eq!(next.gets_token().await.json()["key_due"], json!(false));
    server.clock.advance(limits::CLIENT_KEY_OVERLAP_SECS - 1);
    assert_eq!(tool.gets_token().await.status, 200, "the overlap");
    assert_oauth(&tool.rotates(&tool.with_key(51)).await, 401, "invalid_client");
    drop(server);
}

async fn a_replaced_key_that_comes_back_stops_its_client_at_once(engine: Engine) {
    let (server, mail, mut owner, mut tool) = mailing(engine).await;
    assert_eq!(tool.gets_token().await.status, 200);
    let mut next = tool.with_key(50);
    assert_eq!(tool.rotates(&next).await.status, 200);
    server.clock.advance(limits::CLIENT_KEY_OVERLAP_SECS);
    assert_eq!(next.gets_token().await.status, 200);
    assert_eq!(next.get("/v1/devices").await.status, 200);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    assert_refused(&next.get("/v1/devices").await, 401, "token_refused");
    assert_oauth(&next.gets_token().await, 401, "invalid_client");
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    let shown = owner.client.get(&format!("/v1/clients/{}", tool.id)).await.json();
    assert_eq!((&shown["state"], &shown["stopped_why"]), (&json!("stopped"), &json!("key_reused")), "{shown}");
    assert_eq!(told(&mut owner, "client.stopped").await, 1, "however often the old key comes");
    let letter = mail.wait_for(EMAIL, "An API client was stopped: its key was copied").await;
    assert!(letter.plain.contains("API client nightly"), "{}", letter.plain);
}

async fn only_so_many_replaced_keys_are_remembered(engine: Engine) {
    let (server, mut owner, first) = begin(engine).await;
    let mut present = first.clone();
    for seed in 0..limits::CLIENT_KEYS_REMEMBERED as u8 + 3 {
        server.clock.advance(1);
        let next = present.with_key(60 + seed);
        let rotated = present.rotates(&next).await;
        assert_eq!(rotated.status, 200, "{}", rotated.json());
        present = next;
    }
    let mut reader = server.app.store.read().await.expect("the store answers");
    let kept = reader.fetch_one("SELECT COUNT(*) AS n FROM client_keys", &[]).await.expect("a row").int("n").expect("a number");
    drop(reader);
    assert_eq!(kept, limits::CLIENT_KEYS_REMEMBERED + 1);
    // The oldest is a stranger's key by now: it is refused, and stops nobody.
    let mut first = first;
    assert_oauth(&first.gets_token().await, 401, "invalid_client");
    assert_eq!(present.gets_token().await.status, 200);
    assert_eq!(owner.client.get(&format!("/v1/clients/{}", first.id)).await.json()["state"], json!("active"));
}

async fn not_me_stops_clients_too(engine: Engine) {
    let (server, mut owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    assert_eq!(owner.client.post("/v1/me/not-me", json!({})).await.status, 200);
    assert_refused(&tool.get("/v1/devices").await, 401, "token_refused");
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    server.clock.advance(30);
    signs_in_again(&server, &mut owner).await;
    assert_eq!(owner.client.get(&format!("/v1/clients/{}", tool.id)).await.json()["state"], json!("stopped"));
}

async fn a_missed_rotation_warns_and_then_stops_the_client(engine: Engine) {
    let (server, mut owner, mut tool) = begin(engine).await;
    let path = format!("/v1/clients/{}", tool.id);
    server.clock.advance(limits::CLIENT_KEY_MAX_SECS - 1);
    assert_eq!(tool.gets_token().await.json()["key_due"], json!(true));
    server.clock.advance(1);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    // Its owner's session ended long ago.
    signs_in_again(&server, &mut owner).await;
    let shown = owner.client.get(&path).await.json();
    assert_eq!((&shown["state"], &shown["stopped_why"]), (&json!("stopped"), &json!("rotation_missed")), "{shown}");
}

async fn a_next_key_must_be_had_and_new(engine: Engine) {
    let (server, _owner, mut tool) = begin(engine).await;
    let (next, thief) = (tool.with_key(50), tool.with_key(99));
    assert_oauth(&thief.rotates(&next).await, 401, "invalid_client");
    assert_oauth(&tool.rotates(&tool).await, 401, "invalid_client");
    let mut of_another = next.clone();
    of_another.id = "cli_00000000000000000000000000".to_owned();
    assert_oauth(&tool.rotates(&of_another).await, 401, "invalid_client");
    assert_eq!(tool.rotates(&next).await.status, 200, "the control");
    assert_oauth(&next.rotates(&tool).await, 401, "invalid_client");
    assert_eq!(tool.gets_token().await.status, 200, "none of it did harm");
    drop(server);
}

async fn time_alone_tells_the_owner_and_stops_the_client(engine: Engine) {
    let (server, mail, mut owner, tool) = mailing(engine).await;
    server.clock.advance(limits::CLIENT_KEY_SECS + limits::CLIENT_KEY_OVERLAP_SECS);
    signs_in_again(&server, &mut owner).await;
    assert_eq!(told(&mut owner, "client.key_due").await, 1, "once");
    let path = format!("/v1/clients/{}", tool.id);
    assert_eq!(owner.client.get(&path).await.json()["state"], "key_due");
    mail.wait_for(EMAIL, "An API client did not replace its key").await;
    server.clock.advance(limits::CLIENT_KEY_MAX_SECS);
    signs_in_again(&server, &mut owner).await;
    assert_eq!(told(&mut owner, "client.stopped").await, 1);
    assert_eq!(owner.client.get(&path).await.json()["stopped_why"], "rotation_missed");
    let letter = mail.wait_for(EMAIL, "An API client was stopped").await;
    assert!(letter.plain.contains("nightly did not replace its key in time"), "{}", letter.plain);
}

/// As [`begin`], with a mail server.
async fn mailing(engine: Engine) -> (TestServer, MailServer, Owner, Tool) {
    let mail = MailServer::start();
    let settings = RawMail { smtp: Some(mail.url()), from: Some("Sallyport <rmm@nordwind.example>".to_owned()) };
    let server = TestServer::configured(engine, |raw| raw.mail = Some(settings)).await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    let tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
    (server, mail, owner, tool)
}

/// How many entries of a kind the log has, once there is one.
async fn told(owner: &mut Owner, kind: &str) -> usize {
    for _ in 0..LOOKS {
        let page = owner.client.get(&format!("/v1/audit?kind={kind}&limit=5")).await.json();
        if let Some(items) = page["items"].as_array().filter(|items| !items.is_empty()) {
            return items.len();
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("{kind} never came");
}

async fn signs_in_again(server: &TestServer, owner: &mut Owner) {
    let (code, mut browser) = (owner.code(server), owner.client.clone());
    assert_eq!(owner.sign_in(&mut browser, &code).await.status, 200);
    owner.client = browser;
}
