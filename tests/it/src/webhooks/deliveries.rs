//! What is told: beside the change that causes it, with a stable id, and never a secret or a script.

use std::collections::BTreeSet;

use sallyport_decide::webhooks::EventKind;
use sallyport_server::clock::Clock as _;
use sallyport_store::ops::webhooks::ForgetDeliveries;
use sallyport_store::{Actor, Change, Entry, StoreError, Tx};
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::{World, assert_refused, states};
use crate::fleet::devices::{device, with_devices};

on_both!(
    what_happens_is_told_without_secrets_and_without_the_script,
    what_is_rolled_back_is_never_told,
    an_event_that_was_delivered_is_sent_once_more_by_a_click,
    making_changing_and_replacing_secrets_are_guarded_and_pausing_is_a_click,
    the_log_of_deliveries_has_pages_filters_and_an_end,
);

const WORK: &[&str] = &["request.waiting", "request.executed", "request.denied", "job.created", "job.finished", "run.finished"];

async fn what_happens_is_told_without_secrets_and_without_the_script(engine: Engine) {
    let mut world = World::new(engine).await;
    with_devices(&world.server, &mut world.owner, 3).await;
    let (hook, secret) = world.hook("/ok", WORK).await;
    let script = world.owner.script("Backup", "echo the-text-of-the-script").await;
    let body = json!({ "script": script, "version": 1, "devices": [device(1), device(2)], "arguments": ["an-argument"],
        "secrets": [{ "name": "TOKEN", "value": "a-secret-value" }] });
    let ran = world.owner.does(&world.server, Call::new("POST", "/v1/jobs").body(body)).await;
    assert_eq!(ran.status, 200, "{}", ran.json());
    let job = ran.json()["result"]["job"].as_str().expect("a job").to_owned();
    let cancelled = world.owner.client.post(&format!("/v1/jobs/{job}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, 204, "{}", cancelled.json());

    // The webhook's own creation was done; the job is asked for, done, begun; two runs and the job are over.
    let got = world.receiver.wait("/ok", 7).await;
    let mut kinds: Vec<String> = got.iter().map(sallyport_testkit::receiver::Got::kind).collect();
    kinds.sort();
    assert_eq!(
        kinds,
        ["job.created", "job.finished", "request.executed", "request.executed", "request.waiting", "run.finished", "run.finished"]
    );
    let tenant = world.get("/v1/me").await["tenant"].clone();
    for one in &got {
        let event = one.json();
        let keys: BTreeSet<_> = event.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["id", "type", "timestamp", "tenant", "data"]), "the schema is stable");
        assert_eq!((event["id"].as_str(), &event["tenant"]), (Some(one.id()), &tenant));
        for hidden in ["the-text-of-the-script", "an-argument", "a-secret-value", secret.as_str()] {
            assert!(!one.body.contains(hidden), "{hidden} in {}", one.body);
        }
    }
    let finished = got.iter().find(|one| one.kind() == "job.finished").expect("it is there").json();
    assert_eq!(finished["data"], json!({ "job": job, "runs": { "cancelled": 2 } }));
    let ids: BTreeSet<&str> = got.iter().map(sallyport_testkit::receiver::Got::id).collect();
    assert_eq!(ids.len(), 7, "an id for each");
    let log = world.once(&hook, |all| states(all).iter().all(|state| *state == "delivered")).await;
    assert_eq!(log.len(), 7);
    assert!(!world.server.bytes_at_rest().windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "the secret is sealed");
}

/// Writes an entry that is told, and then fails.
struct Fails(sallyport_model::TenantId);

impl Change for Fails {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let at = sallyport_model::Timestamp::from_secs(1_790_000_000);
        tx.append(self.0, Entry::new("factor.locked", Actor::System, at, [1; 32], json!({ "user": "usr_never" }))).await?;
        Err(StoreError::Conflict)
    }
}

async fn what_is_rolled_back_is_never_told(engine: Engine) {
    let mut world = World::new(engine).await;
    let (hook, _) = world.hook("/ok", &["factor.locked", "request.denied", "request.waiting"]).await;
    let tenant = world.get("/v1/me").await["tenant"].as_str().expect("an id").parse().expect("an id");
    // Side by side, so that they share transactions with what succeeds.
    for _ in 0..3 {
        let store = world.server.app.store.clone();
        let failing = tokio::spawn(async move { store.commit(Fails(tenant)).await });
        world.something_happens().await;
        assert!(matches!(failing.await, Ok(Err(StoreError::Conflict))));
    }
    world.receiver.wait("/ok", 6).await;
    let log = world.once(&hook, |all| all.len() == 6).await;
    assert!(log.iter().all(|one| one["type"] != "factor.locked"), "{log:#?}");
}

async fn an_event_that_was_delivered_is_sent_once_more_by_a_click(engine: Engine) {
    let mut world = World::new(engine).await;
    let (hook, _) = world.hook("/ok", &["request.denied"]).await;
    world.something_happens().await;
    let first = world.receiver.wait("/ok", 1).await;
    let path = format!("/v1/webhooks/{hook}/deliveries/{}", first[0].id());
    world.once(&hook, |all| states(all) == ["delivered"]).await;
    assert_eq!(world.owner.client.post(&format!("{path}/redeliver"), json!({})).await.status, 204);
    let again = world.receiver.wait("/ok", 2).await;
    assert_eq!((again[1].id(), &again[1].body), (first[0].id(), &first[0].body), "the same event, the same bytes");
    world.once(&hook, |all| states(all) == ["delivered"]).await;
    let details = world.get(&path).await;
    assert_eq!(details["payload"], first[0].json());
    let numbers: Vec<_> =
        details["tries"].as_array().expect("tries").iter().map(|one| (one["number"].clone(), one["status"].clone())).collect();
    assert_eq!(numbers, [(json!(2), json!(200)), (json!(1), json!(200))]);
    assert_eq!(details["tries"][0]["answer"], "taken");
    // A test is sent whatever the webhook is told otherwise.
    let test = world.owner.client.post(&format!("/v1/webhooks/{hook}/test"), json!({})).await;
    assert_eq!((test.status, &test.json()["type"]), (201, &json!("webhook.test")));
    let got = world.receiver.wait("/ok", 3).await;
    assert_eq!(got[2].json()["data"]["webhook"], json!(hook));
}

async fn making_changing_and_replacing_secrets_are_guarded_and_pausing_is_a_click(engine: Engine) {
    let mut world = World::new(engine).await;
    let url = world.receiver.url("/ok");
    let body = json!({ "name": "Tickets", "url": url, "events": ["request.denied"] });
    let asked = world.owner.client.post("/v1/webhooks", body.clone()).await;
    assert_eq!((asked.status, asked.json()["class"].as_u64()), (202, Some(2)), "{}", asked.json());
    assert_eq!(asked.json()["action"], json!({ "kind": "create_webhook", "webhook": asked.json()["action"]["webhook"], "after": body }));
    assert_eq!(world.get("/v1/webhooks").await["items"], json!([]), "nothing before it is proved");

    let (hook, secret) = world.hook("/ok", &["request.denied"]).await;
    let path = format!("/v1/webhooks/{hook}");
    let shown = world.owner.client.get(&path).await;
    assert!(!String::from_utf8_lossy(&shown.body).contains(&secret), "it is shown once");
    let other = json!({ "name": "Tickets", "url": world.receiver.url("/long"), "events": ["request.denied"] });
    let change = Call::new("PUT", &path).body(other.clone());
    assert_eq!(world.owner.client.send(change.clone()).await.status, 202);
    assert_eq!(world.owner.client.post(&format!("{path}/secret"), json!({})).await.status, 202);
    assert_eq!(world.get(&path).await["url"], json!(world.receiver.url("/ok")), "nothing before it is proved");
    let changed = world.owner.does(&world.server, change).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_eq!(world.get(&path).await["url"], other["url"]);

    // A click stops it, and what happens waits.
    assert_eq!(world.owner.client.post(&format!("{path}/pause"), json!({})).await.status, 204);
    assert_refused(&world.owner.client.post(&format!("{path}/pause"), json!({})).await, 409, "conflict");
    world.something_happens().await;
    assert_eq!(states(&world.deliveries(&hook).await), ["waiting"]);
    assert_eq!(world.get(&path).await["paused_why"], "by_person");
    assert_eq!(world.owner.client.post(&format!("{path}/resume"), json!({})).await.status, 204);
    let got = world.receiver.wait("/long", 1).await;
    assert_eq!(got[0].kind(), "request.denied");
    assert_eq!(world.receiver.got("/ok").len(), 0);

    // Tools cannot do any of it.
    let mut tool = Tool::made(&world.server, &mut world.owner, 21, &["devices.read"]).await;
    assert_eq!(tool.gets_token().await.status, 200);
    for call in [
        Call::new("GET", "/v1/webhooks"),
        Call::new("POST", "/v1/webhooks").body(body),
        Call::new("PUT", &path).body(other),
        Call::new("POST", &format!("{path}/secret")),
        Call::new("POST", &format!("{path}/test")),
        Call::new("DELETE", &path),
    ] {
        assert_refused(&tool.sends(call).await, 403, "client_refused");
    }
    assert_eq!(world.owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    assert_refused(&world.owner.client.get(&path).await, 404, "not_found");
    world.something_happens().await;
    let kinds = world.get("/v1/audit?limit=50").await;
    let kinds: Vec<&str> = kinds["items"].as_array().expect("entries").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    for kind in ["webhook.created", "webhook.changed", "webhook.paused", "webhook.resumed", "webhook.removed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

async fn the_log_of_deliveries_has_pages_filters_and_an_end(engine: Engine) {
    let mut world = World::new(engine).await;
    let (hook, _) = world.hook("/ok", &["request.denied", "request.waiting"]).await;
    for _ in 0..3 {
        world.something_happens().await;
    }
    world.once(&hook, |all| all.len() == 6 && states(all).iter().all(|state| *state == "delivered")).await;
    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = world.get(&format!("/v1/webhooks/{hook}/deliveries?limit=4&cursor={cursor}")).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(|one| one["event"].as_str().expect("an id").to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (6, 6));
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "the newest first");
    let of = |page: &Value| page["items"].as_array().map(Vec::len);
    assert_eq!(of(&world.get(&format!("/v1/webhooks/{hook}/deliveries?type=request.denied")).await), Some(3));
    assert_eq!(of(&world.get(&format!("/v1/webhooks/{hook}/deliveries?state=failed")).await), Some(0));
    for wrong in ["state=lost", "type=device.exploded", "limit=0", "cursor=x"] {
        let reply = world.owner.client.get(&format!("/v1/webhooks/{hook}/deliveries?{wrong}")).await;
        assert_refused(&reply, 422, "invalid_field");
    }
    // A month later they are forgotten, with their attempts.
    world.later(sallyport_model::limits::WEBHOOK_LOG_SECS - 3_600).await;
    let forget = |server: &TestServer| ForgetDeliveries { at: server.clock.now() };
    world.server.app.store.commit(forget(&world.server)).await.expect("it is done");
    assert_eq!(world.deliveries(&hook).await.len(), 6, "not before their time");
    world.later(7_200).await;
    world.server.app.store.commit(forget(&world.server)).await.expect("it is done");
    assert_eq!(world.deliveries(&hook).await.len(), 0);
    let mut reader = world.server.app.store.read().await.expect("the store answers");
    let left = reader.fetch_one("SELECT COUNT(*) AS n FROM webhook_attempts", &[]).await.expect("a row");
    assert_eq!(left.int("n").expect("a number"), 0);
}

/// How often the clock is moved while something is awaited, and how long it stands between.
const ROUNDS: usize = 120;
const ROUND: Duration = Duration::from_millis(500);

#[tokio::test]
async fn what_was_not_sent_when_the_server_died_is_sent_by_the_next() {
    let mut world = World::new(Engine::Sqlite).await;
    let (hook, _) = world.hook("/later", &["request.denied"]).await;
    for _ in 0..5 {
        world.something_happens().await;
    }
    // Each was tried at most once, and nothing arrived. Now the power goes.
    let before: BTreeSet<String> =
        world.deliveries(&hook).await.iter().map(|one| one["event"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(before.len(), 5);
    let next = world.server.after_a_crash().await;
    world.server.stop().await;
    let tried = world.receiver.got("/later").len();
    world.receiver.open();
    // The next server may have an attempt under way, which fails and is due once more after the time that it reads then.
    let mut after = BTreeSet::new();
    for _ in 0..ROUNDS {
        next.clock.advance(3_600);
        sleep(ROUND).await;
        after = world.receiver.got("/later")[tried..].iter().map(|one| one.id().to_owned()).collect();
        if after == before {
            break;
        }
    }
    assert_eq!(after, before, "all of them, with the ids that they had");
}

#[test]
fn every_event_that_is_promised_stands_in_the_guide() {
    let guide = include_str!("../../../../docs/guide/webhooks.md");
    for kind in EventKind::ALL {
        assert!(guide.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
