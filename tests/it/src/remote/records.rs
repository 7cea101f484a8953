//! Recordings: kept as the device sent them, with their digest in the log.

use sallyport_grant::sha256;
use sallyport_testkit::on_both;
use sallyport_testkit::rogue::End;
use sallyport_testkit::server::Engine;
use sallyport_wire::{Place, ToServer, UnsignedToAgent};
use serde_json::json;
use tokio::time::timeout;

use super::{PATIENCE, World};

on_both!(a_recording_is_kept_whole_and_its_digest_is_in_the_log,);

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
