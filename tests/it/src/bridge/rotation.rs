//! Credentials are replaced when they are due, once, and whatever happens in between loses none.

use sallyport_model::limits;
use sallyport_server::config::RawMail;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::EMAIL;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::vendor::{Hold, Mood, SECRET};
use super::{World, answered, assert_refused, made, wanted};
use crate::accounts::notices_begin;

const DAY: i64 = 86_400;

on_both!(
    a_credential_that_is_due_is_replaced_once_and_calls_go_on,
    a_credential_that_the_vendor_makes_is_found_in_its_answer,
    a_vendor_that_says_no_is_asked_again_later_and_the_owner_hears_of_it,
    a_new_credential_that_the_vendor_does_not_take_is_not_used,
);

impl World {
    /// Signs in anew: sessions do not live for days.
    async fn signs_in(&mut self, seed: u8) {
        let (mut browser, code) = (Client::new(&self.server, seed), self.owner.code(&self.server));
        assert_eq!(self.owner.sign_in(&mut browser, &code).await.status, 200);
        self.owner.client = browser;
    }

    async fn rotates(&mut self) {
        let path = self.path("/rotate");
        assert_eq!(self.owner.client.post(&path, json!({})).await.status, 202);
    }
}

async fn a_credential_that_is_due_is_replaced_once_and_calls_go_on(engine: Engine) {
    let mut world = World::new(engine, made()).await;
    assert_eq!(world.calls("GET", "tickets").await.status, 200);
    world.server.clock.advance(29 * DAY);
    world.signs_in(31).await;
    assert_eq!(world.vendor.told().len(), 0, "not before its time");
    world.server.clock.advance(DAY);
    world.signs_in(32).await;
    let connection = world.until("it is replaced", |connection| connection["rotation_state"]["last"].is_string()).await;
    assert_eq!(
        (&connection["rotation_state"]["step"], &connection["rotation_state"]["attempts"]),
        (&json!("idle"), &json!(0)),
        "{connection}"
    );
    assert_ne!(world.vendor.takes(), SECRET);
    assert_eq!(world.calls("GET", "tickets").await.status, 200, "with the new one");
    let got = world.vendor.got().pop().expect("a call");
    assert_eq!(got.header("authorization"), Some(format!("Bearer {}", world.vendor.takes()).as_str()));
    assert_eq!((world.audit("connection.rotation_began").await.len(), world.audit("connection.rotated").await.len()), (1, 1));
    world.server.clock.advance(30 * DAY);
    world.signs_in(33).await;
    world.told("connection.rotated", 2).await;
    assert_eq!(world.vendor.told().len(), 2, "once for each time");
    assert_eq!(super::secrets::kept(&world).await, 1);
}

async fn a_credential_that_the_vendor_makes_is_found_in_its_answer(engine: Engine) {
    let mut world = World::new(engine, answered()).await;
    world.rotates().await;
    world.told("connection.rotated", 1).await;
    assert_eq!(world.vendor.takes(), "made-by-the-vendor-1");
    assert_eq!(world.calls("GET", "tickets").await.status, 200);
    assert_refused(&world.calls("POST", "keys/made").await, 403, "connection_refused");
}

async fn a_vendor_that_says_no_is_asked_again_later_and_the_owner_hears_of_it(engine: Engine) {
    let mails = MailServer::start();
    let mut world = World::configured(engine, made(), |raw| {
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    notices_begin(&world.server).await;
    world.vendor.is_now(Mood::Refuses);
    world.rotates().await;
    let failing = world.until("it fails", |connection| connection["rotation_state"]["attempts"] == 1).await;
    assert_eq!((&failing["rotation_state"]["failure"], &failing["state"]), (&json!("refused"), &json!("rotation_failing")), "{failing}");
    let mail = mails.wait_for(EMAIL, "A credential was not replaced").await;
    assert!(mail.plain.contains("Ticket system") && !mail.plain.contains(SECRET), "{}", mail.plain);
    assert_eq!(world.calls("GET", "tickets").await.status, 200, "the old one works on");
    world.server.clock.advance(61);
    world.until("it fails again", |connection| connection["rotation_state"]["attempts"] == 2).await;
    world.vendor.is_now(Mood::Takes);
    world.server.clock.advance(5 * 60 + 1);
    let done = world.until("it is replaced", |connection| connection["rotation_state"]["last"].is_string()).await;
    assert_eq!((&done["rotation_state"]["failure"], &done["state"]), (&Value::Null, &json!("active")));
    let told = world.vendor.told();
    assert!(told.len() == 3 && told.iter().all(|one| *one == told[0]), "one new credential, however often it is offered: {told:?}");
    assert_eq!(world.audit("connection.rotation_failed").await.len(), 2);
}

async fn a_new_credential_that_the_vendor_does_not_take_is_not_used(engine: Engine) {
    let mut world = World::new(engine, made()).await;
    world.vendor.is_now(Mood::Lies);
    world.rotates().await;
    let failing = world.until("it fails", |connection| connection["rotation_state"]["attempts"] == 1).await;
    assert_eq!(failing["rotation_state"]["failure"], "not_taken", "{failing}");
    assert_eq!(world.calls("GET", "tickets").await.status, 200, "the old one stays");
    world.vendor.is_now(Mood::Forgets);
    world.server.clock.advance(61);
    let stuck = world.until("nothing goes", |connection| connection["rotation_state"]["failure"] == "neither").await;
    assert_eq!(stuck["state"], "rotation_failing");
    assert_refused(&world.calls("GET", "tickets").await, 502, "vendor_refused");
}

/// The server dies while the vendor is asked: what another one finds on its disk, once the claim of the first is over.
async fn dies_at(hold: Hold, change: Value) -> (World, TestServer) {
    let mut world = World::new(Engine::Sqlite, change).await;
    world.vendor.holds(hold);
    world.rotates().await;
    world.vendor.is_holding().await;
    let after = world.server.after_a_crash().await;
    let dead = std::mem::replace(&mut world.server, after);
    world.owner.client = world.owner.client.at(&world.server);
    world.vendor.holds(Hold::Dropped);
    world.server.clock.advance(limits::ROTATION_CLAIM_SECS + 1);
    (world, dead)
}

#[tokio::test]
async fn a_server_that_dies_before_the_vendor_heard_of_it_loses_nothing() {
    for (change, new) in [(made(), None), (answered(), Some("made-by-the-vendor-1"))] {
        let (mut world, _dead) = dies_at(Hold::BeforeTaking, change).await;
        world.until("it asked what happened", |connection| connection["rotation_state"]["failure"] == "not_taken").await;
        assert_eq!((world.calls("GET", "tickets").await.status, world.vendor.takes().as_str()), (200, SECRET), "the old one works on");
        world.server.clock.advance(61);
        world.told("connection.rotated", 1).await;
        assert!(new.is_none_or(|new| world.vendor.takes() == new));
        assert_ne!(world.vendor.takes(), SECRET);
        assert_eq!(world.calls("GET", "tickets").await.status, 200);
    }
}

#[tokio::test]
async fn a_server_that_dies_after_the_vendor_took_the_new_one_has_it() {
    for hold in [Hold::AfterTaking, Hold::Proving] {
        let (mut world, _dead) = dies_at(hold, made()).await;
        world.told("connection.rotated", 1).await;
        assert_eq!(world.vendor.told().len(), 1, "{hold:?}: the vendor was told once");
        assert_eq!(world.calls("GET", "tickets").await.status, 200, "{hold:?}");
        assert_eq!(super::secrets::kept(&world).await, 1);
    }
    let (mut world, _dead) = dies_at(Hold::Proving, answered()).await;
    world.told("connection.rotated", 1).await;
    assert_eq!((world.vendor.told().len(), world.calls("GET", "tickets").await.status), (1, 200), "an answer is kept before it is used");
}

#[tokio::test]
async fn what_the_vendor_made_while_the_server_died_is_missed_and_told_and_mended_by_hand() {
    let (mut world, _dead) = dies_at(Hold::AfterTaking, answered()).await;
    let stuck = world.until("it is noticed", |connection| connection["rotation_state"]["failure"] == "neither").await;
    assert_eq!(stuck["state"], "rotation_failing");
    let entry = world.told("connection.rotation_failed", 1).await.remove(0);
    assert_eq!(entry["details"]["told"], true, "{entry}");
    let change = answered().as_object().cloned().map(|mut change| {
        change.insert("secret".to_owned(), json!(world.vendor.takes()));
        Value::Object(change)
    });
    let body = wanted(&world.server, &world.vendor, change.expect("an object"));
    let put = Call::new("PUT", &world.path("")).body(body);
    assert_eq!(world.owner.does(&world.server, put).await.status, 200);
    assert_eq!((world.calls("GET", "tickets").await.status, &world.connection().await["state"]), (200, &json!("active")));
}

#[tokio::test]
async fn a_stopped_connection_is_not_gone_on_with() {
    let mut world = World::new(Engine::Sqlite, made()).await;
    world.vendor.holds(Hold::Proving);
    world.rotates().await;
    world.vendor.is_holding().await;
    let stop = world.path("/stop");
    assert_eq!(world.owner.client.post(&stop, json!({})).await.status, 204);
    world.vendor.holds(Hold::Nowhere);
    // Something later was noticed, so that would have been too.
    world.server.clock.advance(61);
    assert_refused(&world.calls("GET", "tickets").await, 409, "connection_over");
    assert_eq!((super::secrets::kept(&world).await, world.audit("connection.rotated").await.len()), (0, 0));
}

#[tokio::test]
async fn a_connection_without_a_hook_is_not_rotated() {
    let mut world = World::new(Engine::Sqlite, json!({})).await;
    let path = world.path("/rotate");
    assert_refused(&world.owner.client.post(&path, json!({})).await, 422, "nothing_to_do");
    assert_eq!(world.connection().await["rotation_state"]["due"], Value::Null);
}
