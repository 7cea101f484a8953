//! Whatever a stream stands on: once it is gone, both ends are cut within a second.

use std::time::Duration;

use sallyport_model::RemoteSessionId;
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::PASSWORD;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::{Colleague, done};
use sallyport_testkit::remote::{Closed, Flood, Pace, Reads, ends};
use sallyport_testkit::server::Engine;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{KINDS, Stream, World};

on_both!(a20_a_stream_ends_with_its_session, a20_with_whoever_opened_it_everybody_goes, a20_a_watcher_who_is_revoked_goes_alone,);

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A stream whose both ends send without pause.
pub(super) struct Running {
    session: RemoteSessionId,
    client: Flood,
    device: Flood,
}

impl Running {
    pub(super) async fn of(stream: Stream) -> Self {
        let session = stream.client.session();
        let client = stream.client_end.expect("connected").floods(Pace::Steady, Reads::Everything);
        let device = stream.device_end.floods(Pace::Steady, Reads::Everything);
        tokio::join!(client.flows(), device.flows());
        Self { session, client, device }
    }
}

impl World {
    /// A running stream of every kind.
    pub(super) async fn running(&mut self) -> Vec<Running> {
        let mut all = Vec::new();
        for kind in KINDS {
            let stream = self.streaming(kind).await;
            all.push(Running::of(stream).await);
        }
        all
    }

    /// The same, by somebody who may open sessions and no more.
    async fn running_of_a_technician(&mut self) -> (Colleague, Vec<Running>) {
        let roles = json!([{ "role": "technician", "scope": "tenant" }]);
        let mut tara = self.owner.colleague(&self.server, 31, "tara@nordwind.example", roles).await;
        self.swap(&mut tara);
        let running = self.running().await;
        self.swap(&mut tara);
        (tara, running)
    }

    /// Somebody watches what the owner opened.
    async fn watched(&mut self, opened: &Stream) -> (Colleague, Stream) {
        let roles = json!([{ "role": "admin", "scope": "tenant" }]);
        let mut ada = self.owner.colleague(&self.server, 32, "ada@nordwind.example", roles).await;
        self.swap(&mut ada);
        let wanted = json!({ "device": self.device, "access": "view", "joins": opened.client.session().to_string() });
        let (client, device) = self.ask(wanted).await;
        let stream = self.dial(client, device).await;
        self.swap(&mut ada);
        (ada, stream)
    }
}

/// Called as soon as the right is gone: all ends are closed with this code within a second, so that nothing of what is
/// still sent arrives after that, and the device is told.
pub(super) async fn assert_cut(world: &mut World, running: Vec<Running>, code: u16) {
    let gone = Instant::now();
    let mut untold: Vec<_> = running.iter().map(|stream| stream.session).collect();
    while !untold.is_empty() {
        let told = timeout_at(gone + SECOND, world.link.next()).await.expect("within a second").expect("the device is told");
        untold.retain(|session| !ends(&told, *session));
    }
    for Running { client, device, .. } in running {
        let (client, device) = tokio::join!(client.heard(), device.heard());
        for (end, heard) in [("client", client), ("device", device)] {
            assert_eq!(heard.closed, Closed::By(code), "{end}");
            assert!(heard.closed_at < gone + SECOND, "{end}: {:?}", heard.closed_at - gone);
            assert!(heard.last_sent.is_some_and(|sent| sent < gone + SECOND), "{end}: it ran, and then no more");
        }
    }
}

async fn a20_a_stream_ends_with_its_session(engine: Engine) {
    let mut world = World::new(engine).await;
    let running = world.running().await;
    assert_eq!(world.owner.client.post("/v1/sign-out", json!({})).await.status, 204);
    assert_cut(&mut world, running, 4001).await;
}

async fn a20_with_whoever_opened_it_everybody_goes(engine: Engine) {
    let mut world = World::new(engine).await;
    let opened = world.streaming("terminal").await;
    let (mut ada, watching) = world.watched(&opened).await;
    let all = vec![Running::of(opened).await, Running::of(watching).await];
    assert_eq!(world.owner.client.post("/v1/sign-out", json!({})).await.status, 204);
    let session = all[0].session;
    let gone = Instant::now();
    for Running { client, device, .. } in all {
        let (client, device) = tokio::join!(client.heard(), device.heard());
        for heard in [client, device] {
            assert_eq!(heard.closed, Closed::By(4001));
            assert!(heard.closed_at < gone + SECOND, "{:?}", heard.closed_at - gone);
        }
    }
    let shown = ada.client.get(&format!("/v1/remote-sessions/{session}")).await.json();
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("revoked")), "{shown}");
    assert!(shown["attachments"].as_array().expect("both").iter().all(|one| one["end_reason"] == "revoked"), "{shown}");
}

async fn a20_a_watcher_who_is_revoked_goes_alone(engine: Engine) {
    let mut world = World::new(engine).await;
    let mut opened = world.streaming("terminal").await;
    let (mut ada, watching) = world.watched(&opened).await;
    let watching = Running::of(watching).await;
    assert_eq!(ada.client.post("/v1/sign-out", json!({})).await.status, 204);
    assert_cut(&mut world, vec![watching], 4001).await;
    opened.echo("still here").await;
    let shown = world.owner.client.get(&format!("/v1/remote-sessions/{}", opened.client.session())).await.json();
    assert_eq!(shown["state"], "open", "{shown}");
    let ended = shown["attachments"].as_array().expect("both").iter().filter(|one| one["end_reason"] == "revoked").count();
    assert_eq!(ended, 1, "{shown}");
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_user_is_disabled() {
    let mut world = World::new(Engine::Sqlite).await;
    let (tara, running) = world.running_of_a_technician().await;
    let disable = Call::new("POST", "/v1/users/disable").body(json!({ "users": [tara.id] }));
    let disabled = world.owner.does(&world.server, disable).await;
    assert_eq!(disabled.status, 200, "{}", disabled.json());
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_user_has_another_role() {
    let mut world = World::new(Engine::Sqlite).await;
    let (tara, running) = world.running_of_a_technician().await;
    let roles = json!({ "assignments": [{ "role": "auditor", "scope": "tenant" }] });
    let demote = Call::new("POST", &format!("/v1/users/{}/assignments", tara.id)).body(roles);
    let demoted = world.owner.does(&world.server, demote).await;
    assert_eq!(demoted.status, 200, "{}", demoted.json());
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_the_factors_of_their_user_are_reset() {
    let mut world = World::new(Engine::Sqlite).await;
    let (tara, running) = world.running_of_a_technician().await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
    let reset = world.owner.does(&world.server, reset).await;
    assert_eq!(reset.status, 200, "{}", reset.json());
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_somebody_else_ends_the_sessions_of_their_user() {
    let mut world = World::new(Engine::Sqlite).await;
    let (tara, running) = world.running_of_a_technician().await;
    let ended = world.owner.client.post(&format!("/v1/users/{}/end-sessions", tara.id), json!({})).await;
    assert_eq!(ended.status, 204, "{}", ended.json());
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_user_removes_a_factor_elsewhere() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    let mut elsewhere = world.elsewhere(2).await;
    world.server.clock.advance(30);
    SoftPasskey::added(&world.server, &mut elsewhere, &world.owner.code(&world.server)).await;
    let factors = elsewhere.get("/v1/me/factors").await.json();
    let lost = factors["items"].as_array().expect("factors").iter().find(|one| one["kind"] == "passkey").expect("a passkey").clone();
    world.server.clock.advance(30);
    let remove = Call::new("DELETE", &format!("/v1/me/factors/{}", lost["id"].as_str().expect("an id")));
    let removed = done(&mut elsewhere, remove, &world.owner.code(&world.server)).await;
    assert_eq!(removed.status, 200, "{}", removed.json());
    assert_cut(&mut world, running, 4001).await;
    assert_eq!(elsewhere.get("/v1/me").await.status, 200, "whoever removed it goes on");
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_session_is_ended_elsewhere() {
    for whole in [true, false] {
        let mut world = World::new(Engine::Sqlite).await;
        let running = world.running().await;
        let mine = world.owner.client.get("/v1/me").await.json()["session"]["id"].as_str().expect("an id").to_owned();
        let mut elsewhere = world.elsewhere(2).await;
        let path = if whole { "/v1/me/sessions".to_owned() } else { format!("/v1/me/sessions/{mine}") };
        assert_eq!(elsewhere.send(Call::new("DELETE", &path)).await.status, 204);
        assert_cut(&mut world, running, 4001).await;
    }
}

/// Changes the owner's password in a browser.
async fn changes_the_password(world: &World, client: &mut Client, other_sessions: &str) {
    world.server.clock.advance(30);
    let proof = json!({ "totp": world.owner.code(&world.server) });
    let change = json!({ "current": PASSWORD, "new": "nine herons wade through fog", "proof": proof, "other_sessions": other_sessions });
    let changed = client.post("/v1/me/password", change).await;
    assert!(matches!(changed.status, 200 | 204), "{} {}", changed.status, changed.json());
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_the_password_is_changed_elsewhere() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    let mut elsewhere = world.elsewhere(2).await;
    changes_the_password(&world, &mut elsewhere, "end").await;
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a_password_change_cuts_neither_its_own_session_s_streams_nor_those_that_it_keeps() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut kept = world.streaming("terminal").await;
    let mut elsewhere = world.elsewhere(2).await;
    std::mem::swap(&mut world.owner.client, &mut elsewhere);
    let mut own = world.streaming("terminal").await;
    std::mem::swap(&mut world.owner.client, &mut elsewhere);
    changes_the_password(&world, &mut elsewhere, "keep").await;
    tokio::time::sleep(SECOND).await;
    kept.echo("kept").await;
    own.echo("own").await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_user_says_that_it_was_somebody_else() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    let mut elsewhere = world.elsewhere(2).await;
    assert_eq!(elsewhere.post("/v1/me/not-me", json!({})).await.status, 200);
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_session_runs_out() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    world.server.clock.advance(12 * 3600);
    assert_cut(&mut world, running, 4001).await;
}

#[tokio::test]
async fn a20_streams_of_every_kind_end_when_their_device_is_removed() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    let device = world.device.clone();
    world.owner.ask(&world.server, "/v1/devices/remove", json!({ "devices": [device] })).await;
    let gone = Instant::now();
    for Running { client, device, .. } in running {
        let (client, device) = tokio::join!(client.heard(), device.heard());
        assert_eq!((&client.closed, &device.closed), (&Closed::By(4001), &Closed::By(4001)));
        assert!(client.closed_at.max(device.closed_at) < gone + SECOND);
    }
}

#[tokio::test]
async fn a20_a_client_that_reads_nothing_does_not_keep_the_device_sending() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    let client = stream.client_end.expect("connected").floods(Pace::Steady, Reads::Nothing);
    let device = stream.device_end.floods(Pace::Flood, Reads::Everything);
    device.is_stuck().await;
    assert_eq!(world.owner.client.post("/v1/sign-out", json!({})).await.status, 204);
    let gone = Instant::now();
    let device = device.heard().await;
    assert_eq!(device.closed, Closed::By(4001));
    assert!(device.closed_at < gone + SECOND, "{:?}", device.closed_at - gone);
    tokio::time::sleep_until(gone + SECOND).await;
    // What it finds then lay in its own buffers before.
    let client = client.heard().await;
    assert!(client.closed_at < gone + 2 * SECOND && client.last_sent.is_some_and(|sent| sent < gone), "{client:?}");
}

#[tokio::test]
async fn a_stream_ends_when_somebody_ends_the_remote_session() {
    let mut world = World::new(Engine::Sqlite).await;
    let stream = world.streaming("terminal").await;
    let (session, grant) = (stream.client.session(), stream.client.grant().to_string());
    let path = format!("/v1/remote-sessions/{session}");
    let running = vec![Running::of(stream).await];
    assert_eq!(world.owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    assert_cut(&mut world, running, 4002).await;
    let reply = world.owner.client.post(&format!("{path}/tickets"), json!({ "grant": grant })).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "remote_session_ended"), "no way back");
    assert_eq!(world.audit("remote_session.ended").await.len(), 1);
    assert_eq!(world.owner.client.get(&format!("/v1/remote-sessions/{session}")).await.json()["end_reason"], "ended");
}

#[tokio::test]
async fn streams_of_every_kind_end_at_their_longest_life() {
    let mut world = World::new(Engine::Sqlite).await;
    let running = world.running().await;
    world.change("UPDATE remote_sessions SET expires = 0", values![]).await;
    assert_cut(&mut world, running, 4004).await;
}

#[tokio::test]
async fn a_session_that_nobody_types_into_ends_whatever_it_shows() {
    let mut world = World::new(Engine::Sqlite).await;
    let (client, device) = world.open("terminal").await;
    world.change("UPDATE remote_sessions SET idle_secs = 2", values![]).await;
    let mut stream = world.dial(client, device).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(800)).await;
        stream.echo("somebody types").await;
    }
    let (session, Stream { device_end, client_end, .. }) = (stream.client.session(), &mut stream);
    let output = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            device_end.send_data(0, b"output").await;
        }
    };
    let closed = tokio::select! {
        closed = client_end.as_mut().expect("connected").closed() => closed,
        () = output => unreachable!("it goes on for ever"),
    };
    assert_eq!(closed.0, Closed::By(4004));
    assert!(closed.1 > SECOND && closed.1 < 4 * SECOND, "{:?}", closed.1);
    let shown = world.owner.client.get(&format!("/v1/remote-sessions/{session}")).await.json();
    assert_eq!((&shown["state"], &shown["end_reason"]), (&json!("ended"), &json!("limit")), "{shown}");
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
