//! Whatever a stream stands on: once it is gone, both ends are cut within a second.

use std::time::Duration;

use sallyport_store::values;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::done;
use sallyport_testkit::remote::{Closed, ends};
use sallyport_testkit::server::Engine;
use serde_json::json;

use super::{KINDS, Stream, World};

on_both!(a20_a_stream_ends_with_its_session,);

const SECOND: Duration = Duration::from_secs(1);

/// Both ends are closed with this code within a second, the device is told, and nothing opens it again.
async fn assert_cut(world: &mut World, mut stream: Stream, code: u16) {
    let session = stream.client.session();
    let Stream { device_end, client_end, .. } = &mut stream;
    let (client, device) = tokio::join!(client_end.as_mut().expect("connected").closed(), device_end.closed());
    assert_eq!((&client.0, &device.0), (&Closed::By(code), &Closed::By(code)));
    assert!(client.1 < SECOND && device.1 < SECOND, "{:?} {:?}", client.1, device.1);
    let told = async { while !ends(&world.link.next().await.expect("the device is told"), session) {} };
    tokio::time::timeout(SECOND, told).await.expect("within a second");
}

async fn a20_a_stream_ends_with_its_session(engine: Engine) {
    let mut world = World::new(engine).await;
    for kind in KINDS {
        let stream = world.streaming(kind).await;
        let session = world.owner.client.clone();
        assert_eq!(world.owner.client.post("/v1/sign-out", json!({})).await.status, 204);
        assert_cut(&mut world, stream, 4001).await;
        drop(session);
        world.server.clock.advance(30);
        let code = world.owner.code(&world.server);
        let mut client = sallyport_testkit::client::Client::new(&world.server, 2);
        assert_eq!(world.owner.sign_in(&mut client, &code).await.status, 200);
        world.owner.client = client;
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_its_user_is_disabled() {
    for kind in KINDS {
        let mut world = World::new(Engine::Sqlite).await;
        let stream = world.streaming(kind).await;
        world.change("UPDATE users SET state = 'disabled'", values![]).await;
        assert_cut(&mut world, stream, 4001).await;
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_its_user_has_another_role() {
    for kind in KINDS {
        let mut world = World::new(Engine::Sqlite).await;
        let stream = world.streaming(kind).await;
        world.change("UPDATE assignments SET role = 'auditor'", values![]).await;
        assert_cut(&mut world, stream, 4001).await;
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_its_user_removes_a_factor_elsewhere() {
    for kind in KINDS {
        let mut world = World::new(Engine::Sqlite).await;
        let stream = world.streaming(kind).await;
        world.server.clock.advance(30);
        let mut elsewhere = Client::new(&world.server, 2);
        assert_eq!(world.owner.sign_in(&mut elsewhere, &world.owner.code(&world.server)).await.status, 200);
        world.server.clock.advance(30);
        SoftPasskey::added(&world.server, &mut elsewhere, &world.owner.code(&world.server)).await;
        let factors = elsewhere.get("/v1/me/factors").await.json();
        let lost = factors["items"].as_array().expect("factors").iter().find(|one| one["kind"] == "passkey").expect("a passkey").clone();
        world.server.clock.advance(30);
        let remove = Call::new("DELETE", &format!("/v1/me/factors/{}", lost["id"].as_str().expect("an id")));
        let removed = done(&mut elsewhere, remove, &world.owner.code(&world.server)).await;
        assert_eq!(removed.status, 200, "{}", removed.json());
        assert_cut(&mut world, stream, 4001).await;
        assert_eq!(elsewhere.get("/v1/me").await.status, 200, "whoever removed it goes on");
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_the_factors_of_its_user_are_reset() {
    for kind in KINDS {
        let mut world = World::new(Engine::Sqlite).await;
        let roles = json!([{ "role": "technician", "scope": "tenant" }]);
        let tara = world.owner.colleague(&world.server, 31, "tara@nordwind.example", roles).await;
        let (owner, secret) = (world.owner.client.clone(), world.owner.secret.clone());
        world.server.clock.advance(30);
        (world.owner.client, world.owner.secret) = (tara.client, tara.secret);
        let stream = world.streaming(kind).await;
        (world.owner.client, world.owner.secret) = (owner, secret);
        let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
        let reset = world.owner.does(&world.server, reset).await;
        assert_eq!(reset.status, 200, "{}", reset.json());
        assert_cut(&mut world, stream, 4001).await;
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_its_session_runs_out() {
    for kind in KINDS {
        let mut world = World::new(Engine::Sqlite).await;
        let stream = world.streaming(kind).await;
        world.server.clock.advance(12 * 3600);
        assert_cut(&mut world, stream, 4001).await;
    }
}

#[tokio::test]
async fn a20_a_stream_of_each_kind_ends_when_its_device_is_removed() {
    for kind in KINDS {
        ends_with_its_device(kind).await;
    }
}

async fn ends_with_its_device(kind: &str) {
    let mut world = World::new(Engine::Sqlite).await;
    let mut stream = world.streaming(kind).await;
    let device = world.device.clone();
    world.owner.ask(&world.server, "/v1/devices/remove", json!({ "devices": [device] })).await;
    let (client, device) = tokio::join!(stream.client_end.as_mut().expect("connected").closed(), stream.device_end.closed());
    assert_eq!((&client.0, &device.0), (&Closed::By(4001), &Closed::By(4001)));
    assert!(client.1 < SECOND && device.1 < SECOND, "{:?} {:?}", client.1, device.1);
}

#[tokio::test]
async fn a_stream_ends_when_somebody_ends_the_remote_session() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    let path = format!("/v1/remote-sessions/{}", stream.client.session());
    assert_eq!(world.owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    let (session, grant) = (stream.client.session(), stream.client.grant().to_string());
    assert_cut(&mut world, stream, 4002).await;
    let reply = world.owner.client.post(&format!("{path}/tickets"), json!({ "grant": grant })).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "remote_session_ended"), "no way back");
    assert_eq!(world.audit("remote_session.ended").await.len(), 1);
    assert_eq!(world.owner.client.get(&format!("/v1/remote-sessions/{session}")).await.json()["end_reason"], "ended");
}

#[tokio::test]
async fn a_stream_ends_at_its_longest_life() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    world.change("UPDATE remote_sessions SET expires = 0", values![]).await;
    assert_cut(&mut world, stream, 4004).await;
}

#[tokio::test]
async fn a_technician_cannot_watch_or_end_what_others_opened() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    let stranger = sallyport_model::UserId::from_bytes([9; 16]);
    world.change("UPDATE remote_sessions SET opener = $1", values![stranger]).await;
    let session = stream.client.session().to_string();
    let wanted = json!({ "device": world.device, "access": "view", "joins": session });
    let wanted = sallyport_testkit::remote::body(&sallyport_wire::stream::StreamSecret::from_bytes([1; 32]), wanted);
    let watched = world.owner.client.post("/v1/remote-sessions", wanted.clone()).await;
    assert!(matches!(watched.status, 201 | 202), "an owner may: {}", watched.status);
    world.change("UPDATE assignments SET role = 'technician'", values![]).await;
    let watched = world.owner.client.post("/v1/remote-sessions", wanted).await;
    assert_eq!((watched.status, watched.code().as_str()), (403, "role_refused"));
    let ended = world.owner.client.send(Call::new("DELETE", &format!("/v1/remote-sessions/{session}"))).await;
    assert_eq!((ended.status, ended.code().as_str()), (403, "role_refused"));
}

#[tokio::test]
async fn a26_a_device_speaks_of_its_own_sessions_alone() {
    let mut world = World::new(Engine::Sqlite).await;
    let (liar, mut liar_link, _) = world.another(201).await;
    let mut stream = world.streaming("terminal").await;
    let now = sallyport_server::clock::Clock::now(&world.server.clock);
    let grant = stream.client.grant();
    let end = sallyport_testkit::rogue::End::of(b"", now);
    let receipt = liar.receipt(world.file.tenant, grant, &end);
    liar_link.say(&sallyport_wire::ToServer::RunEnded { grant, receipt }).await.expect("sent");
    let acked = |message: &sallyport_wire::UnsignedToAgent| matches!(message, sallyport_wire::UnsignedToAgent::ReceiptAck { .. });
    tokio::time::timeout(super::PATIENCE, liar_link.until(acked)).await.expect("soon").expect("it is told nothing else");
    stream.echo("still here").await;
    let ticket = stream.device.ticket.clone();
    let let_in = sallyport_testkit::remote::dial(&world.server, "/agent/stream", &ticket, &[]).await.map(|_| ());
    assert!(let_in.is_err());
}
