//! One script on many devices. The devices are simulated; their agents are the real code.

use std::sync::Arc;
use std::time::Duration;

use sallyport_agent_core::dial::TcpDialer;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;
use sallyport_testkit::simulated::{Disks, Fleet, Keys, PREFIX, Pace, Plan};
use serde_json::json;

const DEVICES: usize = 50;

#[tokio::test]
async fn fifty_simulated_devices_lose_nothing_and_double_nothing() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let file = owner.installer(&server, DEVICES as u32).await;
    let mut plan = server.devices(DEVICES);
    plan.timing.heartbeat = Duration::from_millis(200);
    let fleet = Fleet::start(&plan, Some(file.as_bytes())).expect("the fleet starts");
    let pending = owner.devices("state=pending", DEVICES).await;
    assert!(pending.iter().all(|device| device["name"].as_str().is_some_and(|name| name.starts_with(PREFIX))), "{pending:?}");
    let ids: Vec<String> = pending.iter().map(|device| device["id"].as_str().expect("an id").to_owned()).collect();
    owner.ask(&server, "/v1/devices/approve", json!({ "devices": ids })).await;
    owner.devices("state=online", DEVICES).await;

    let script = owner.script("everywhere", "true").await;
    for round in 1..=2u64 {
        let job = owner.run(&server, &script, &ids, json!({})).await;
        let runs = owner.ended_runs(&job).await;
        let succeeded = runs.iter().filter(|run| run["state"] == "succeeded" && run["receipt"] == json!(true)).count();
        assert_eq!((runs.len(), succeeded), (DEVICES, DEVICES), "{:?}", runs.first());
        assert_eq!((fleet.tally().begun(), fleet.tally().doubled()), (round * DEVICES as u64, 0));
    }
    fleet.stop().await;
    owner.devices("state=offline", DEVICES).await;
}

#[tokio::test]
async fn a_demonstration_fleet_comes_back_as_the_same_devices() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let file = owner.installer(&server, 3).await;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan {
        keys: Keys::Random,
        disks: Disks::Below(folder.path().join("fleet")),
        pace: Pace::Lively,
        clock: Arc::new(server.clock.clone()),
        ..Plan::new(3, 1, Arc::new(TcpDialer::default()))
    };
    let fleet = Fleet::start(&plan, Some(file.as_bytes())).expect("the fleet starts");
    let pending = owner.devices("state=pending", 3).await;
    let ids: Vec<String> = pending.iter().map(|device| device["id"].as_str().expect("an id").to_owned()).collect();
    owner.ask(&server, "/v1/devices/approve", json!({ "devices": ids })).await;
    owner.devices("state=online", 3).await;
    fleet.stop().await;
    owner.devices("state=offline", 3).await;

    let fleet = Fleet::start(&plan, None).expect("the fleet starts again");
    owner.devices("state=online", 3).await;
    let script = owner.script("look", "true").await;
    let job = owner.run(&server, &script, &ids[..1], json!({})).await;
    let runs = owner.ended_runs(&job).await;
    assert!(owner.output(&runs[0]).await.starts_with("[simulated] look"), "{runs:?}");
    fleet.stop().await;
}
