//! Keys that are replaced each day without a person; one that is missed, and one that comes back.

use sallyport_model::limits;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use serde_json::json;

use super::{assert_oauth, assert_refused, at_work, begin};

on_both!(
    the_next_key_is_registered_with_the_present_one,
    a_replaced_key_that_comes_back_stops_its_client_at_once,
    a_missed_rotation_warns_and_then_stops_the_client,
    a_next_key_must_be_had_and_new,
);

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
    let (server, _owner, mut tool) = at_work(engine).await;
    let mut next = tool.with_key(50);
    assert_eq!(tool.rotates(&next).await.status, 200);
    server.clock.advance(limits::CLIENT_KEY_OVERLAP_SECS);
    assert_eq!(next.gets_token().await.status, 200);
    assert_eq!(next.get("/v1/devices").await.status, 200);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    assert_refused(&next.get("/v1/devices").await, 401, "token_refused");
    assert_oauth(&next.gets_token().await, 401, "invalid_client");
}

async fn a_missed_rotation_warns_and_then_stops_the_client(engine: Engine) {
    let (server, mut owner, mut tool) = begin(engine).await;
    let path = format!("/v1/clients/{}", tool.id);
    server.clock.advance(limits::CLIENT_KEY_MAX_SECS - 1);
    assert_eq!(tool.gets_token().await.json()["key_due"], json!(true));
    server.clock.advance(1);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    // Its owner's session ended long ago: signed in again to look.
    let code = owner.code(&server);
    let mut browser = owner.client.clone();
    assert_eq!(owner.sign_in(&mut browser, &code).await.status, 200);
    owner.client = browser;
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
