//! A server's clock that jumps: codes go forward only, devices judge grants by their own clock.

use sallyport_testkit::client::Client;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::json;

use super::agents::World;

on_both!(a22_codes_go_forward_only_when_the_clock_jumps, a22_a_window_does_not_grow_when_the_clock_goes_back);

async fn a22_codes_go_forward_only_when_the_clock_jumps(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let owner = Owner::set_up(&server).await;
    let mut seed = 10;
    let mut sign_in = async || {
        seed += 1;
        owner.sign_in(&mut Client::new(&server, seed), &owner.code(&server)).await.status
    };
    assert_eq!(sign_in().await, 200);
    // An hour back: every code of that hour is older than the last one that counted.
    server.clock.advance(-3600);
    for _ in 0..3 {
        assert_eq!(sign_in().await, 401);
        server.clock.advance(30);
    }
    server.clock.advance(3600 - 90);
    assert_eq!(sign_in().await, 401, "the code that counted is spent for ever");
    server.clock.advance(30);
    assert_eq!(sign_in().await, 200);
    // Ten minutes forward and back again: whatever is shown until then is refused.
    server.clock.advance(600);
    assert_eq!(sign_in().await, 200);
    server.clock.advance(-600);
    for _ in 0..3 {
        server.clock.advance(30);
        assert_eq!(sign_in().await, 401);
    }
    server.clock.advance(600 - 90 + 30);
    assert_eq!(sign_in().await, 200);
}

async fn a22_a_window_does_not_grow_when_the_clock_goes_back(engine: Engine) {
    let mut world = World::new(engine).await;
    world.is_well().await;
    let body = json!({ "script": world.script, "version": 1, "devices": [world.honest_id] });
    for jump in [-3600, 3600 + 600] {
        world.server.clock.advance(jump);
        let reply = world.owner.client.post("/v1/jobs", body.clone()).await;
        assert_eq!(reply.status, 202, "after a jump of {jump} s a fresh code is asked for: {}", reply.json());
    }
}

#[tokio::test]
async fn a22_devices_obey_no_server_whose_clock_is_far_off() {
    let clock = TestClock::system();
    clock.advance(-20 * 60);
    let server = TestServer::live_on(Engine::Sqlite, clock).await;
    let mut owner = Owner::set_up(&server).await;
    let (machines, devices) = owner.machines(&server, 1).await;
    let script = owner.script("late", "true").await;
    let expected = [(0, "refused", json!("expired")), (19 * 60, "succeeded", json!(null)), (10 * 60, "refused", json!("not_yet_valid"))];
    for (jump, state, reason) in expected {
        server.clock.advance(jump);
        let job = owner.run(&server, &script, &devices, json!({})).await;
        let run = owner.ended_runs(&job).await[0].clone();
        assert_eq!((&run["state"], &run["reason"]), (&json!(state), &reason), "{run} {}", machines[0].log());
    }
}
