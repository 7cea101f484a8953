//! Streams through the server: end to end, resumed, let in by tickets alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sallyport_model::limits;
use sallyport_testkit::client::Client;
use sallyport_testkit::on_both;
use sallyport_testkit::remote::{Closed, NotLetIn, PROGRAM, RemoteClient, body, dial};
use sallyport_testkit::server::{Engine, ORIGIN};
use sallyport_wire::stream::{CloseCode, StreamError, StreamSecret};
use serde_json::json;

use super::{KINDS, World};

on_both!(what_is_typed_arrives_and_is_in_the_log,);

fn refused(code: &str, status: u16) -> NotLetIn {
    NotLetIn { status, code: code.to_owned() }
}

async fn what_is_typed_arrives_and_is_in_the_log(engine: Engine) {
    let mut world = World::new(engine).await;
    let mut stream = world.streaming("terminal").await;
    stream.echo("ls -l\r").await;
    let opened = world.audit("remote_session.opened").await;
    assert_eq!(opened.len(), 1);
    let session = stream.client.session().to_string();
    let shown = world.owner.client.get(&format!("/v1/remote-sessions/{session}")).await.json();
    assert_eq!((&shown["state"], &shown["attachments"][0]["connected"]), (&json!("open"), &json!(true)), "{shown}");
    let listed = world.owner.client.get("/v1/remote-sessions").await.json();
    assert_eq!(listed["items"][0]["id"], json!(session), "{listed}");
}

#[tokio::test]
async fn a_broken_connection_loses_and_doubles_nothing() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut stream = world.streaming("terminal").await;
    stream.device_end.send_data(0, b"sent before, ").await;
    let end = stream.client_end.take().expect("connected").cut();
    let (closed, _) = stream.device_end.closed().await;
    assert_eq!(closed, Closed::By(4003));
    let mut device_end = stream.device_end.cut();
    device_end.send(&sallyport_wire::stream::Payload::data(0, "and meanwhile")).expect("there is room");
    let mut client = stream.client.dial_again(&mut world.owner, &world.server, end).await;
    let mut device = stream.device.dial_again(&mut world.link, &world.server, device_end).await;
    let reads = client.until("and meanwhile");
    let serves = async {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), device.next()).await;
    };
    let (all, ()) = tokio::join!(reads, serves);
    assert_eq!(all, "sent before, and meanwhile");
}

#[tokio::test]
async fn ses_10_a_ticket_opens_one_connection_once() {
    let mut world = World::new(Engine::Sqlite).await;
    let path = "/v1/remote-sessions/stream";
    for kind in KINDS {
        let stream = world.streaming(kind).await;
        let again = dial(&world.server, path, stream.client.ticket(), PROGRAM).await.map(|_| ());
        assert_eq!(again, Err(refused("ticket_refused", 403)), "{kind}");
        let again = stream.device.dial(&world.server).await.map(|_| ());
        assert_eq!(again, Err(refused("ticket_refused", 403)), "{kind}");
    }
    let made_up = dial(&world.server, path, &"A".repeat(43), PROGRAM).await.map(|_| ());
    assert_eq!(made_up, Err(refused("ticket_refused", 403)));
}

#[tokio::test]
async fn ses_10_a_ticket_is_for_one_side_and_for_half_a_minute() {
    let mut world = World::new(Engine::Sqlite).await;
    let (client, device) = world.open("terminal").await;
    let crossed = dial(&world.server, "/v1/remote-sessions/stream", &device.ticket, PROGRAM).await.map(|_| ());
    assert_eq!(crossed, Err(refused("ticket_refused", 403)));
    world.server.clock.advance(30);
    assert_eq!(client.dial(&world.server).await.map(|_| ()), Err(refused("ticket_refused", 403)));
}

#[tokio::test]
async fn a21_a_foreign_absent_or_null_origin_is_refused() {
    let mut world = World::new(Engine::Sqlite).await;
    for kind in KINDS {
        wants_its_own_origin(&mut world, kind).await;
    }
}

async fn wants_its_own_origin(world: &mut World, kind: &str) {
    let (client, device) = world.open(kind).await;
    let path = "/v1/remote-sessions/stream";
    for headers in [
        &[][..],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost:8801")],
        &[("origin", "https://evil.example"), ("sallyport-client", "cli")],
        &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
    ] {
        let let_in = dial(&world.server, path, client.ticket(), headers).await.map(|_| ());
        assert_eq!(let_in, Err(refused("origin_refused", 403)), "{headers:?}");
    }
    for headers in [[("origin", ORIGIN)], [("sec-fetch-site", "none")]] {
        let let_in = dial(&world.server, "/agent/stream", &device.ticket, &headers).await.map(|_| ());
        assert_eq!(let_in, Err(refused("origin_refused", 403)), "agents are no browsers");
    }
    assert!(dial(&world.server, path, client.ticket(), &[("origin", ORIGIN)]).await.is_ok(), "none of that spent the ticket");
}

#[tokio::test]
async fn c4_whoever_relays_learns_lengths_and_can_forge_nothing() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut stream = world.streaming("terminal").await;
    // The server's place: bytes that neither end made, on a connection that the server itself let in.
    stream.device_end.send_raw(vec![7; 64]).await;
    let (closed, _) = stream.client_end().closed().await;
    assert_eq!(closed, Closed::Broken(StreamError::OutOfOrder));
    let mut other = world.streaming("terminal").await;
    other.client_end().send_raw(vec![0xff; 40]).await;
    let (closed, _) = other.device_end.closed().await;
    assert_eq!(closed, Closed::Broken(StreamError::OutOfTurn));
}

/// More than all buffers of the system between two ends together.
const FLOOD_BYTES: usize = 256 * 1024 * 1024;

#[tokio::test]
async fn a_flood_that_nobody_takes_waits_at_its_sender_and_delays_no_key() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut files = world.streaming("files").await;
    let mut terminal = world.streaming("terminal").await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let flood = tokio::spawn(async move {
        while counted.load(Ordering::Relaxed) < FLOOD_BYTES {
            files.device_end.send_raw(vec![7; limits::STREAM_PAYLOAD_BYTES]).await;
            counted.fetch_add(limits::STREAM_PAYLOAD_BYTES, Ordering::Relaxed);
        }
    });
    let mut before = 0;
    while sent.load(Ordering::Relaxed) != before || before == 0 {
        before = sent.load(Ordering::Relaxed);
        terminal.echo("\x03").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(before < FLOOD_BYTES, "the relay took all of it");
    flood.abort();
}

#[tokio::test]
async fn what_is_longer_than_a_message_may_be_is_passed_on_to_nobody() {
    for side in ["client", "device"] {
        let mut world = World::new(Engine::Sqlite).await;
        let mut stream = world.streaming("files").await;
        let too_long = vec![7; limits::STREAM_MESSAGE_BYTES + 1];
        let (sender, other) = match side {
            "client" => (stream.client_end.as_mut().expect("connected"), &mut stream.device_end),
            _ => (&mut stream.device_end, stream.client_end.as_mut().expect("connected")),
        };
        sender.send_raw(too_long).await;
        let (closed, _) = other.closed().await;
        assert_eq!(closed, Closed::By(CloseCode::OtherEndLost.number()), "{side}");
    }
}

#[tokio::test]
async fn a_device_that_is_not_connected_is_refused_before_anything_is_asked() {
    let mut world = World::new(Engine::Sqlite).await;
    drop(world.link);
    world.owner.devices("state=online", 0).await;
    let wanted = body(&StreamSecret::from_bytes([1; 32]), json!({ "device": world.device }));
    let reply = world.owner.client.post("/v1/remote-sessions", wanted).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "device_offline"));
}

#[tokio::test]
async fn what_no_device_would_take_is_refused() {
    let mut world = World::new(Engine::Sqlite).await;
    let key = StreamSecret::from_bytes([1; 32]);
    for (field, wanted) in [
        ("kind", json!({ "kind": "everything" })),
        ("access", json!({ "access": "root" })),
        ("client_key", json!({ "client_key": "00" })),
        ("run_as", json!({ "run_as": "-x" })),
        ("joins", json!({ "joins": "rms_1" })),
        ("device", json!({ "device": "dev_1" })),
    ] {
        let mut body = body(&key, json!({ "device": world.device }));
        body.as_object_mut().expect("an object").extend(wanted.as_object().cloned().expect("an object"));
        let reply = world.owner.client.post("/v1/remote-sessions", body).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!(field)));
    }
    let zeros = body(&key, json!({ "device": world.device, "client_key": "0".repeat(64) }));
    assert_eq!(world.owner.client.post("/v1/remote-sessions", zeros).await.status, 422);
}

#[tokio::test]
async fn another_session_of_the_same_person_gets_no_ticket() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    world.server.clock.advance(30);
    let mut other = Client::new(&world.server, 2);
    let code = world.owner.code(&world.server);
    assert_eq!(world.owner.sign_in(&mut other, &code).await.status, 200);
    let path = format!("/v1/remote-sessions/{}/tickets", stream.client.session());
    let reply = other.post(&path, json!({ "grant": stream.client.grant().to_string() })).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "remote_session_ended"));
}

#[tokio::test]
async fn whoever_joins_has_a_grant_and_keys_of_their_own() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut first = world.streaming("terminal").await;
    let wanted = json!({ "device": world.device, "access": "view", "joins": first.client.session().to_string() });
    let client = RemoteClient::open(&mut world.owner, &world.server, wanted).await;
    let device = sallyport_testkit::remote::RemoteDevice::offered(&world.machine, &mut world.link).await;
    assert_eq!((client.session(), client.grant() == first.client.grant()), (first.client.session(), false));
    let mut second = world.dial(client, device).await;
    first.echo("first").await;
    second.echo("second").await;
    assert_eq!(world.audit("remote_session.joined").await.len(), 1);
}
