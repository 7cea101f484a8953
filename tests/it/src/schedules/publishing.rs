//! Publishing, looking, pausing and stopping over the API.

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Call;
use sallyport_testkit::host::Host as _;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::{FIVE_MINUTES, World};

on_both!(
    step_09_publishing_takes_a_fresh_code_and_shows_what_was_signed,
    paused_schedules_begin_nothing_and_go_on_as_they_were,
    step_09_what_runs_unattended_goes_on_by_a_factor_that_was_proved_lately,
    stopped_schedules_stay_so,
    oa_25_tools_stop_schedules_and_publish_none,
);

async fn step_09_publishing_takes_a_fresh_code_and_shows_what_was_signed(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    // A step-up window that is open is not enough, on however few devices.
    let more = json!({ "arguments": ["--all"], "run_as": "backup", "timing": { "cron": "30  2 * * mon-fri",
        "window": { "from": "01:00", "to": "04:00" }, "jitter_secs": 60, "gap_secs": 3600, "at_once": 2, "late_secs": 900 } });
    let id = world.publish(more).await;
    let schedule = world.schedule(&id).await;
    let expected = json!({ "state": "active", "script_name": "nightly", "arguments": ["--all"], "run_as": "backup", "targets": 1,
        "words": "at 02:30 on Monday to Friday", "devices": world.devices, "missed": 0 });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&schedule[key], value, "{key}");
    }
    assert_eq!(schedule["timing"]["cron"], json!("30 2 * * mon-fri"));
    assert_eq!(schedule["timing"]["window"], json!({ "from": "01:00", "to": "04:00", "days": [] }));
    let next = schedule["next"].as_array().expect("occurrences");
    assert!(next.len() == 5 && next.iter().all(|one| one["local"].as_str().is_some_and(|local| local.ends_with(" 02:30"))), "{next:?}");
    let entries = world.audit("schedule.published").await;
    assert_eq!((entries.len(), &entries[0]["index"]), (1, &schedule["log_index"]), "{entries:?}");
}

async fn paused_schedules_begin_nothing_and_go_on_as_they_were(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.order(&id, "pause").await.status, 204);
    assert_eq!(world.order(&id, "pause").await.code(), "conflict");
    world.server.clock().advance(3 * FIVE_MINUTES);
    let other = world.publish(json!({ "name": "Other" })).await;
    world.to_the_next_occurrence();
    world.ended(&other, 1).await;
    assert!(world.occurrences(&id).await.is_empty());
    assert_eq!(world.order(&id, "resume").await.status, 204);
    world.to_the_next_occurrence();
    let jobs = world.ended(&id, 1).await;
    assert_eq!(
        (&jobs[0]["counts"]["succeeded"], world.schedule(&id).await["missed"].clone()),
        (&json!(1), json!(0)),
        "the pause is not caught up with"
    );
}

async fn step_09_what_runs_unattended_goes_on_by_a_factor_that_was_proved_lately(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.order(&id, "pause").await.status, 204);
    world.server.clock().advance(600);
    let refused = world.order_at_once(&id, "resume").await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "insufficient_user_authentication"), "{}", refused.json());
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains(r#"max_age="300""#) && challenge.contains("urn:sallyport:acr:mfa"), "{challenge}");
    assert_eq!(world.schedule(&id).await["state"], json!("paused"));
    assert_eq!(world.owner.client.get("/v1/me").await.status, 200, "the session goes on");
    world.prove().await;
    assert_eq!(world.order_at_once(&id, "resume").await.status, 204);
    assert_eq!(world.schedule(&id).await["state"], json!("active"));
    world.server.clock().advance(600);
    assert_eq!(world.order_at_once(&id, "pause").await.status, 204, "stopping is never made hard");
}

async fn stopped_schedules_stay_so(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.order(&id, "stop").await.status, 204);
    for verb in ["stop", "pause", "resume"] {
        assert_eq!(world.order(&id, verb).await.code(), "conflict", "{verb}");
    }
    assert_eq!(world.schedule(&id).await["next"], json!([]));
    assert_eq!(world.order("sch_00000000000000000000000000", "stop").await.status, 404);
}

async fn oa_25_tools_stop_schedules_and_publish_none(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    let mut tool = Tool::made(&world.server, &mut world.owner, 31, &["jobs.read", "jobs.run", "schedules.stop"]).await;
    assert_eq!(tool.gets_token().await.status, 200);
    let publish = Call::new("POST", "/v1/schedules").body(world.wanted(json!({})));
    assert_eq!(tool.sends(publish).await.status, 403);
    let resume = Call::new("POST", &format!("/v1/schedules/{id}/resume")).body(json!({}));
    assert_eq!(tool.sends(resume).await.status, 403);
    let pause = Call::new("POST", &format!("/v1/schedules/{id}/pause")).body(json!({}));
    assert_eq!(tool.sends(pause).await.status, 204);
    assert_eq!(world.schedule(&id).await["state"], json!("paused"));
}

#[tokio::test]
async fn what_cannot_run_is_not_published() {
    let mut world = World::new(Engine::Sqlite, 1).await;
    let far = world.server.clock.now().plus_secs(401 * 86_400);
    let cases: [(Value, &str); 9] = [
        (json!({ "timing": { "cron": "every day" } }), "timing.cron"),
        (json!({ "timing": { "cron": "0 0 31 2 *" } }), "timing.cron"),
        (json!({ "timing": { "zone": "Europe/Atlantis" } }), "timing.zone"),
        (json!({ "timing": { "expires": far } }), "timing.expires"),
        (json!({ "timing": { "late_secs": 10 } }), "timing.late_secs"),
        (json!({ "timing": { "window": { "from": "25:00", "to": "04:00" } } }), "timing.window.from"),
        (json!({ "version": 2 }), "script"),
        (json!({ "group": {} }), "devices"),
        (json!({ "replaces": "sch_00000000000000000000000000" }), "replaces"),
    ];
    for (more, field) in cases {
        let body = world.wanted(more);
        let reply = world.owner.client.post("/v1/schedules", body).await;
        assert_eq!((reply.code().as_str(), &reply.json()["field"]), ("invalid_field", &json!(field)), "{}", reply.json());
    }
    let secret = world.wanted(json!({ "secrets": [{ "name": "A", "value": "b" }] }));
    assert_eq!(world.owner.client.post("/v1/schedules", secret).await.status, 400, "secrets are sealed for one run");
}
