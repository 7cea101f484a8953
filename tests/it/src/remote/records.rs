//! Recordings: kept as the device sent them, with their digest in the log.

use sallyport_grant::sha256;
use sallyport_model::{RemoteSessionId, limits};
use sallyport_store::ops::remote::recording_piece;
use sallyport_store::{StoreError, values};
use sallyport_testkit::on_both;
use sallyport_testkit::rogue::End;
use sallyport_testkit::server::Engine;
use sallyport_wire::{Place, ToServer, UnsignedToAgent};
use serde_json::json;
use tokio::time::timeout;

use super::policy::change;
use super::{PATIENCE, World};

on_both!(
    a_recording_is_kept_whole_and_its_digest_is_in_the_log,
    a_recording_is_kept_up_to_its_limit_and_no_further,
    a_recording_that_is_whole_takes_nothing_more,
    a_session_that_is_not_recorded_takes_no_recording,
);

async fn a_recording_is_kept_whole_and_its_digest_is_in_the_log(engine: Engine) {
    let mut world = World::new(engine).await;
    let (client, _) = world.open("terminal").await;
    let session = client.session();
    let pieces: [&[u8]; 3] = [b"{\"version\":2,\"width\":80,\"height\":24}\n", b"[0.1,\"o\",\"$ \"]\n", b""];
    for (seq, piece) in pieces.iter().enumerate() {
        let place = if seq == 2 { Place::Last } else { Place::Inner };
        // Each piece twice: a repetition is acknowledged and not kept.
        for _ in 0..2 {
            let message = ToServer::Recording { session, seq: seq as u64, chunk: piece.to_vec(), place };
            world.link.say(&message).await.expect("sent");
            let acked = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::RecordingAck { .. });
            let ack = timeout(PATIENCE, world.link.until(acked)).await.expect("soon").expect("an answer");
            assert_eq!(ack, UnsignedToAgent::RecordingAck { session, next_seq: seq as u64 + 1 });
        }
    }
    let whole = pieces.concat();
    let played = world.owner.client.get(&format!("/v1/remote-sessions/{session}/recording")).await;
    assert_eq!((played.status, &played.body), (200, &whole));
    let digest = sha256(&[&whole]).to_string();
    assert_eq!(played.header("content-type"), Some("application/x-asciicast"));
    assert_eq!(played.header("sallyport-sha256"), Some(digest.as_str()));
    let logged = world.audit("remote_session.recorded").await;
    assert_eq!(logged.len(), 1);
    assert!(logged[0].to_string().contains(&digest), "{}", logged[0]);
}

#[tokio::test]
async fn a_recording_of_another_device_is_not_kept() {
    let mut world = World::new(Engine::Sqlite).await;
    let (_, mut liar, _) = world.another(201).await;
    let (client, _) = world.open("terminal").await;
    let session = client.session();
    liar.say(&ToServer::Recording { session, seq: 0, chunk: b"forged".to_vec(), place: Place::Last }).await.expect("sent");
    let acked = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::RecordingAck { .. });
    let ack = timeout(PATIENCE, liar.until(acked)).await.expect("soon").expect("an answer");
    assert_eq!(ack, UnsignedToAgent::RecordingAck { session, next_seq: u64::MAX }, "nothing more is wanted of it");
    assert_eq!(world.owner.client.get(&format!("/v1/remote-sessions/{session}/recording")).await.status, 404);
}

/// A device sends one piece; which one the server wants next.
async fn sends(world: &mut World, session: RemoteSessionId, (seq, chunk, place): (u64, &[u8], Place)) -> u64 {
    world.link.say(&ToServer::Recording { session, seq, chunk: chunk.to_vec(), place }).await.expect("sent");
    let acked = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::RecordingAck { .. });
    let ack = timeout(PATIENCE, world.link.until(acked)).await.expect("soon").expect("an answer");
    let UnsignedToAgent::RecordingAck { session: named, next_seq } = ack else { panic!("an acknowledgement") };
    assert_eq!(named, session);
    next_seq
}

async fn stored(world: &World, session: RemoteSessionId, seq: u64) -> Option<Vec<u8>> {
    let mut reader = world.server.app.store.read().await.expect("a reader");
    match recording_piece(&mut reader, session, seq).await {
        Ok(piece) => Some(piece),
        Err(StoreError::NotFound) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn a_recording_is_kept_up_to_its_limit_and_no_further(engine: Engine) {
    let mut world = World::new(engine).await;
    let mut stream = world.streaming("terminal").await;
    let session = stream.client.session();
    assert_eq!(sends(&mut world, session, (0, b"first", Place::Inner)).await, 1);
    world.change("UPDATE remote_sessions SET recording_bytes = $1", values![limits::RECORDING_BYTES - 4]).await;
    for place in [Place::Inner, Place::Last] {
        assert_eq!(sends(&mut world, session, (1, b"5byte", place)).await, 1, "it is not taken");
        assert_eq!(stored(&world, session, 1).await, None);
    }
    stream.echo("the session goes on").await;
    assert_eq!(sends(&mut world, session, (1, b"4 by", Place::Inner)).await, 2, "as much as there is room for");
    assert_eq!(stored(&world, session, 1).await.as_deref(), Some(&b"4 by"[..]));
    assert_eq!(sends(&mut world, session, (2, b"x", Place::Inner)).await, 2);
    assert_eq!(stored(&world, session, 2).await, None);
}

async fn a_recording_that_is_whole_takes_nothing_more(engine: Engine) {
    let mut world = World::new(engine).await;
    let (client, _) = world.open("terminal").await;
    let session = client.session();
    assert_eq!(sends(&mut world, session, (0, b"all of it", Place::Last)).await, 1);
    for place in [Place::Inner, Place::Last] {
        assert_eq!(sends(&mut world, session, (1, b"afterthought", place)).await, 1);
        assert_eq!(stored(&world, session, 1).await, None);
    }
    let played = world.owner.client.get(&format!("/v1/remote-sessions/{session}/recording")).await;
    assert_eq!((played.status, played.body.as_slice()), (200, &b"all of it"[..]));
    assert_eq!(world.audit("remote_session.recorded").await.len(), 1);
}

async fn a_session_that_is_not_recorded_takes_no_recording(engine: Engine) {
    let mut world = World::new(engine).await;
    change(&mut world.owner, &world.server, &[("/terminal/record", json!("never"))]).await;
    let (client, _) = world.open("terminal").await;
    let session = client.session();
    assert_eq!(sends(&mut world, session, (0, b"unwanted", Place::Last)).await, u64::MAX, "nothing more is wanted of it");
    assert_eq!(stored(&world, session, 0).await, None);
    assert_eq!(world.owner.client.get(&format!("/v1/remote-sessions/{session}/recording")).await.status, 404);
    assert!(world.audit("remote_session.recorded").await.is_empty());
}

#[tokio::test]
async fn a_session_is_over_once_the_device_signed_for_all_of_it() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut stream = world.streaming("terminal").await;
    let now = sallyport_server::clock::Clock::now(&world.server.clock);
    let (grant, session) = (stream.client.grant(), stream.client.session());
    let receipt = world.machine.receipt(world.file.tenant, grant, &End::of(b"", now));
    world.link.say(&ToServer::RunEnded { grant, receipt }).await.expect("sent");
    let (closed, _) = stream.client_end().closed().await;
    assert_eq!(closed, sallyport_testkit::remote::Closed::By(4002));
    let shown = world.owner.client.get(&format!("/v1/remote-sessions/{session}")).await.json();
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("device")), "{shown}");
    assert_eq!(world.audit("remote_session.receipt").await.len(), 1);
}
