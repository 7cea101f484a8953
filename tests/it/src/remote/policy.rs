//! The tenant's rules for remote sessions: changed by a guarded action, frozen into grants, kept by the device.

use sallyport_grant::body::{Body as _, Clipboard, Consent, GrantBody, OpenRemoteSession, Record, RemoteKind, Unanswered, VirtualDisplay};
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::remote::{RemoteClient, RemoteDevice, body};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use sallyport_wire::stream::{ByeReason, StreamSecret};
use serde_json::{Value, json};

use super::World;

on_both!(
    the_rules_are_changed_by_a_guarded_action_and_stand_in_the_next_grant,
    a29_a_grant_is_made_under_the_rules_of_its_own_moment,
    whoever_joins_has_the_clipboard_of_their_own_moment_not_of_the_opener_s,
);

async fn rules(owner: &mut Owner) -> Value {
    owner.client.get("/v1/policy/remote").await.json()
}

/// Changes some of the rules, each named by a pointer.
pub(super) async fn change(owner: &mut Owner, server: &TestServer, changes: &[(&str, Value)]) {
    let mut wanted = rules(owner).await;
    for (pointer, value) in changes {
        *wanted["rules"].pointer_mut(pointer).expect("a rule") = value.clone();
    }
    let done = owner.does(server, Call::new("PUT", "/v1/policy/remote").body(wanted)).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
}

fn granted(client: &RemoteClient) -> OpenRemoteSession {
    let envelope = sallyport_grant::Envelope::parse(client.envelope(), sallyport_grant::PayloadType::Grant).expect("an envelope");
    GrantBody::parse(envelope.payload()).expect("a grant").action.remote_session().expect("a remote session").clone()
}

async fn opened(world: &mut World, wanted: Value) -> OpenRemoteSession {
    let client = RemoteClient::open(&mut world.owner, &world.server, wanted).await;
    RemoteDevice::offered(&world.machine, &mut world.link).await;
    granted(&client)
}

async fn the_rules_are_changed_by_a_guarded_action_and_stand_in_the_next_grant(engine: Engine) {
    let mut world = World::new(engine).await;
    let device = world.device.clone();
    let before = rules(&mut world.owner).await;
    assert_eq!((&before["version"], &before["rules"]["terminal"]["record"]), (&json!(0), &json!("always")));
    let first = opened(&mut world, json!({ "device": device, "kind": "viewer" })).await;
    assert_eq!((first.consent, first.record, first.clipboard), (Consent::Banner, Record::Session, Clipboard::Both));
    let asked = json!({ "record": "never", "consent": "ask", "ask_secs": 25, "unanswered": "allow" });
    let changes = [("/viewer", asked), ("/clipboard", json!("off")), ("/virtual_display", json!("off"))];
    change(&mut world.owner, &world.server, &changes).await;
    let after = opened(&mut world, json!({ "device": device, "kind": "viewer" })).await;
    assert_eq!((after.consent, after.ask_secs, after.unanswered), (Consent::Ask, 25, Unanswered::Allow));
    assert_eq!((after.record, after.clipboard, after.virtual_display), (Record::None, Clipboard::Off, VirtualDisplay::Never));
    change(&mut world.owner, &world.server, &[("/clipboard", json!("on"))]).await;
    assert_eq!(rules(&mut world.owner).await["version"], json!(2));
    let logged = world.audit("policy.remote_changed").await;
    assert_eq!(logged.len(), 2, "{logged:?}");
    let entries = logged.iter().map(ToString::to_string).collect::<String>();
    assert!(entries.contains("before") && entries.contains("after") && entries.contains("\"ask_secs\":25"), "{entries}");
}

async fn a29_a_grant_is_made_under_the_rules_of_its_own_moment(engine: Engine) {
    let mut world = World::new(engine).await;
    world.server.clock.advance(600);
    let wanted = body(&StreamSecret::from_bytes([1; 32]), json!({ "device": world.device }));
    let asked = world.owner.client.post("/v1/remote-sessions", wanted).await;
    assert_eq!(asked.status, 202);
    change(&mut world.owner, &world.server, &[("/terminal/consent", json!("ask"))]).await;
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let proved = world.owner.client.post(&path, json!({ "totp": code })).await;
    assert_eq!(proved.status, 409, "{}", String::from_utf8_lossy(&proved.body));
    assert!(world.audit("remote_session.opened").await.is_empty());
}

async fn whoever_joins_has_the_clipboard_of_their_own_moment_not_of_the_opener_s(engine: Engine) {
    let mut world = World::new(engine).await;
    let wanted = json!({ "device": world.device, "kind": "viewer" });
    let opener = RemoteClient::open(&mut world.owner, &world.server, wanted.clone()).await;
    RemoteDevice::offered(&world.machine, &mut world.link).await;
    assert_eq!(granted(&opener).clipboard, Clipboard::Both);
    let mut joins = wanted;
    joins["joins"] = json!(opener.session().to_string());
    let before = opened(&mut world, joins.clone()).await;
    change(&mut world.owner, &world.server, &[("/clipboard", json!("off"))]).await;
    let after = opened(&mut world, joins).await;
    assert_eq!((before.clipboard, after.clipboard), (Clipboard::Both, Clipboard::Off));
    assert_eq!((after.session, after.record), (opener.session(), before.record), "the same session, recorded as it was");
}

#[tokio::test]
async fn whoever_opens_a_session_says_whether_it_is_recorded_where_the_rules_leave_it_open() {
    let mut world = World::new(Engine::Sqlite).await;
    let key = StreamSecret::from_bytes([1; 32]);
    for (kind, record) in [("terminal", "no"), ("files", "yes")] {
        let wanted = body(&key, json!({ "device": world.device, "kind": kind, "record": record }));
        let refused = world.owner.client.post("/v1/remote-sessions", wanted).await;
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("record")), "{kind}");
    }
    change(&mut world.owner, &world.server, &[("/files/record", json!("optional"))]).await;
    for (record, kept) in [(json!(null), Record::Session), (json!("yes"), Record::Session), (json!("no"), Record::None)] {
        let wanted = json!({ "device": world.device, "kind": "files", "record": record });
        let client = RemoteClient::open(&mut world.owner, &world.server, wanted).await;
        RemoteDevice::offered(&world.machine, &mut world.link).await;
        assert_eq!(granted(&client).record, kept, "{record}");
        // Whoever joins finds it settled, and reads the same in their own grant.
        let joins = json!({ "device": world.device, "kind": "files", "joins": client.session().to_string() });
        let joined = opened(&mut world, joins.clone()).await;
        assert_eq!((joined.kind, joined.record), (RemoteKind::Files, kept));
        let mut again = body(&key, joins);
        again["record"] = json!("yes");
        assert_eq!(world.owner.client.post("/v1/remote-sessions", again).await.status, 422);
    }
}

#[tokio::test]
async fn rules_have_limits_and_are_changed_by_who_may_from_what_they_read() {
    let mut world = World::new(Engine::Sqlite).await;
    let stored = rules(&mut world.owner).await;
    let put = |wanted: &Value| Call::new("PUT", "/v1/policy/remote").body(wanted.clone());
    let same = world.owner.client.send(put(&stored)).await;
    assert_eq!((same.status, same.code().as_str()), (422, "nothing_to_do"));
    let mut wanted = stored.clone();
    wanted["rules"]["files"]["ask_secs"] = json!(9);
    let short = world.owner.client.send(put(&wanted)).await;
    assert_eq!((short.status, &short.json()["field"]), (422, &json!("rules.files.ask_secs")));
    wanted["rules"]["files"]["ask_secs"] = json!(20);
    wanted["version"] = json!(3);
    let stale = world.owner.client.send(put(&wanted)).await;
    assert_eq!((stale.status, stale.code().as_str()), (409, "conflict"));
    wanted["version"] = json!(0);
    world.change("UPDATE assignments SET role = 'technician'", &[]).await;
    assert_eq!(world.owner.client.send(put(&wanted)).await.status, 403);
    assert_eq!(rules(&mut world.owner).await, stored, "they see what is recorded");
}

#[tokio::test]
async fn the_device_asks_at_its_machine_and_takes_silence_as_the_rules_say() {
    // A little in the past, for each code takes the clock on, and devices obey no grant of the future.
    let clock = TestClock::system();
    clock.advance(-150);
    let server = TestServer::live_on(Engine::Sqlite, clock).await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    // Nobody is signed in at a test's machine.
    for (unanswered, opens) in [("refuse", false), ("allow", true)] {
        let asked = json!({ "record": "never", "consent": "ask", "ask_secs": 10, "unanswered": unanswered });
        change(&mut owner, &server, &[("/terminal", asked)]).await;
        let client = RemoteClient::open(&mut owner, &server, json!({ "device": devices[0] })).await;
        let mut end = client.dial(&server).await.expect("let in");
        if opens {
            end.up().await;
            end.send_data(0, b"echo al''lowed\n").await;
            end.until("allowed").await;
        } else {
            let bye = end.control(|message: &Value| message["t"] == "bye").await;
            assert_eq!(bye["reason"], json!(ByeReason::ConsentRefused));
        }
    }
}
