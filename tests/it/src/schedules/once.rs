//! Each occurrence runs once on each device, whatever happens to the server and its clock.

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::host::Host as _;
use sallyport_testkit::on_both;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::{FIVE_MINUTES, World};

on_both!(
    a27_each_occurrence_runs_once_on_each_device_over_a_restart,
    of_what_was_missed_the_last_occurrence_is_caught_up_with_once,
    what_came_too_long_ago_is_left_out_and_logged,
    a_device_that_was_off_gets_the_newest_occurrence_when_it_comes_back,
    as_many_devices_at_once_as_was_published,
    what_is_due_while_the_maintenance_window_is_shut_waits_until_it_opens,
);

async fn a27_each_occurrence_runs_once_on_each_device_over_a_restart(engine: Engine) {
    let mut world = World::new(engine, 2).await;
    let id = world.publish(json!({})).await;
    world.to_the_next_occurrence();
    let first = world.ended(&id, 1).await;
    assert_eq!((&first[0]["counts"]["succeeded"], &first[0]["occurrence"]["schedule"]), (&json!(2), &json!(id)), "{first:?}");
    world.server = world.server.restart().await;
    world.owner.client = world.owner.client.at(&world.server);
    world.owner.devices("state=online", 2).await;
    world.to_the_next_occurrence();
    let both = world.ended(&id, 2).await;
    assert_ne!(both[0]["grant"], both[1]["grant"]);
    assert_eq!(both[0]["counts"]["succeeded"], json!(2), "{both:?}");
    assert_eq!((world.begun(), world.doubled()), (4, 0));
    assert_eq!(world.audit("schedule.ran").await.len(), 2);
}

async fn of_what_was_missed_the_last_occurrence_is_caught_up_with_once(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    world.to_the_next_occurrence();
    world.ended(&id, 1).await;
    // As after half an hour without a server: six more are due at once.
    world.server.clock().advance(6 * FIVE_MINUTES);
    let jobs = world.ended(&id, 2).await;
    assert_eq!(jobs[0]["counts"]["succeeded"], json!(1));
    assert_eq!((world.schedule(&id).await["missed"].clone(), world.begun()), (json!(5), 2));
    // The clock goes back: what was decided stays decided.
    world.server.clock().advance(-4 * FIVE_MINUTES);
    world.server.clock().advance(5 * FIVE_MINUTES);
    let jobs = world.ended(&id, 3).await;
    assert_eq!((world.begun(), world.doubled()), (3, 0), "{jobs:?}");
}

async fn what_came_too_long_ago_is_left_out_and_logged(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    // At 04:00 in Berlin, with five minutes to come late.
    let id = world.publish(json!({ "timing": { "cron": "0 4 * * *", "late_secs": 300 } })).await;
    let next: sallyport_model::Timestamp = world.schedule(&id).await["next"][0]["at"].as_str().expect("a time").parse().expect("a time");
    let now = sallyport_server::clock::Clock::now(&world.server.clock);
    world.server.clock().advance(next.secs() - now.secs() + 301);
    let code = world.owner.code(&world.server);
    let mut browser = Client::new(&world.server, 77);
    assert_eq!(world.owner.sign_in(&mut browser, &code).await.status, 200, "the first session is too old by now");
    world.owner.client = browser;
    let deadline = tokio::time::Instant::now() + super::PATIENCE;
    while world.schedule(&id).await["missed"] == json!(0) {
        assert!(tokio::time::Instant::now() < deadline, "it is not left out");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(world.occurrences(&id).await.is_empty());
    assert_eq!((world.audit("schedule.missed").await.len(), world.begun()), (1, 0));
}

async fn a_device_that_was_off_gets_the_newest_occurrence_when_it_comes_back(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    world.fleet.take().expect("a fleet").stop().await;
    world.owner.devices("state=offline", 1).await;
    for count in 1..=3 {
        world.to_the_next_occurrence();
        let jobs = world.until(&id, |jobs| jobs.len() == count).await;
        assert_eq!(jobs[0]["counts"]["waiting"], json!(1), "{jobs:?}");
        assert!(jobs[1..].iter().all(|job| job["counts"]["other"] == json!(1)), "the older ones are off: {jobs:?}");
    }
    world.start_fleet(None);
    let jobs = world.ended(&id, 3).await;
    assert_eq!((&jobs[0]["counts"]["succeeded"], world.begun()), (&json!(1), 1), "{jobs:?}");
}

async fn as_many_devices_at_once_as_was_published(engine: Engine) {
    let mut world = World::new(engine, 3).await;
    let id = world.publish(json!({ "timing": { "at_once": 1 } })).await;
    world.to_the_next_occurrence();
    let job = world.ended(&id, 1).await.remove(0);
    let path = format!("/v1/jobs/{}/runs", job["id"].as_str().expect("an id"));
    let runs = world.owner.client.get(&path).await.json();
    let mut times: Vec<(String, String)> =
        runs["items"].as_array().expect("runs").iter().map(|run| (text(&run["started"]), text(&run["ended"]))).collect();
    times.sort();
    assert!(times.len() == 3 && times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other: {times:?}");
}

/// Due in some minutes, in a window that opens half an hour later.
async fn what_is_due_while_the_maintenance_window_is_shut_waits_until_it_opens(engine: Engine) {
    const OPENS_AFTER_SECS: i64 = 1800;
    let mut world = World::new(engine, 1).await;
    let now = |world: &World| sallyport_server::clock::Clock::now(&world.server.clock).secs();
    let due = now(&world) - now(&world) % FIVE_MINUTES + 3 * FIVE_MINUTES;
    let clock = |secs: i64| format!("{:02}:{:02}", secs / 3600 % 24, secs / 60 % 60);
    let cron = format!("{} {} * * *", due / 60 % 60, due / 3600 % 24);
    let window = json!({ "from": clock(due + OPENS_AFTER_SECS), "to": clock(due + 2 * OPENS_AFTER_SECS) });
    let id = world.publish(json!({ "timing": { "cron": cron, "zone": "UTC", "late_secs": 7200, "window": window } })).await;
    world.server.clock().advance(due - now(&world) + 1);
    world.until(&id, |jobs| jobs.len() == 1 && jobs[0]["counts"]["waiting"] == 1).await;
    // Another one without a window shows that the device is there and that time goes on.
    let other = world.publish(json!({ "name": "Other" })).await;
    world.to_the_next_occurrence();
    world.ended(&other, 1).await;
    assert_eq!((world.begun(), world.occurrences(&id).await[0]["counts"]["waiting"].clone()), (1, json!(1)));
    world.order(&other, "stop").await;
    world.server.clock().advance(due + OPENS_AFTER_SECS - now(&world) + 1);
    let jobs = world.ended(&id, 1).await;
    assert_eq!((&jobs[0]["counts"]["succeeded"], world.doubled()), (&json!(1), 0), "{jobs:?}");
    let began: sallyport_model::Timestamp = {
        let path = format!("/v1/jobs/{}/runs", jobs[0]["id"].as_str().expect("an id"));
        let runs = world.owner.client.get(&path).await.json();
        text(&runs["items"][0]["started"]).parse().expect("a time")
    };
    assert!(began.secs() >= due + OPENS_AFTER_SECS, "not before it opened: {began}");
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a time").to_owned()
}

#[tokio::test]
async fn a27_an_occurrence_that_was_claimed_is_not_claimed_again_after_a_crash() {
    let mut world = World::new(Engine::Sqlite, 1).await;
    let id = world.publish(json!({})).await;
    world.to_the_next_occurrence();
    world.ended(&id, 1).await;
    let after: TestServer = world.server.after_a_crash().await;
    world.server.clock().advance(30);
    let code = world.owner.code(&after);
    let mut browser = Client::new(&after, 79);
    assert_eq!(world.owner.sign_in(&mut browser, &code).await.status, 200);
    world.owner.client = browser;
    // A look at everything that is due has been made by the time that something later was noticed.
    let script = world.script.clone();
    let saved = json!({ "name": "nightly", "interpreter": "sh", "text": "false", "based_on": 1 });
    let save = Call::new("PUT", &format!("/v1/scripts/{script}")).body(saved);
    assert_eq!(world.owner.client.send(save).await.status, 200);
    world.standing(&id, "voided").await;
    assert_eq!(world.occurrences(&id).await.len(), 1);
}
