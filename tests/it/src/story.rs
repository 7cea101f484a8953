//! From an empty folder to a script that a real device agreed to run.

use std::time::Duration;

use sallyport_server::clock::Clock as _;
use sallyport_store::ops::runs::ExpireRuns;
use sallyport_testkit::agent::Machine;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rogue::{File, Rogue};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::json;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

on_both!(
    a_script_runs_on_two_real_devices,
    a_pending_device_sends_its_inventory_and_receives_nothing,
    a_secret_reaches_the_script_and_nothing_else,
    a_running_script_is_cancelled_with_all_that_it_started,
    a_run_whose_device_never_comes_back_ends_too,
);

async fn a_script_runs_on_two_real_devices(engine: Engine) {
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let (machines, devices) = owner.machines(&server, 2).await;
    let script = owner.script("greet", "echo \"hello $1 from $GREETER\"; echo oops >&2; exit 3").await;
    let more = json!({ "arguments": ["world"], "environment": [{ "name": "GREETER", "value": "sally" }] });
    let job = owner.run(&server, &script, &devices, more).await;
    let runs = owner.ended_runs(&job).await;
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!((&run["state"], &run["exit_code"]), (&json!("failed"), &json!(3)), "{run} {}", machines[0].log());
        let output = owner.output(run).await;
        assert!(output.contains("hello world from sally") && output.contains("oops"), "{output}");
        assert_eq!(run["receipt"], json!(true));
    }
    let status = machines[0].status();
    assert!(status.to_string().contains("greet"), "{status}");

    let told = owner.client.get(&format!("/v1/audit?device={}", devices[1])).await.json();
    let kinds: Vec<&str> = told["items"].as_array().expect("entries").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!(kinds, ["job.created", "devices.approved", "device.enrolled"], "{told}");
    let only = owner.client.get(&format!("/v1/audit?device={}&kind=job.created&fields=kind", devices[1])).await.json();
    assert_eq!(only["items"], json!([{ "kind": "job.created" }]));
    let reply = owner.client.get("/v1/audit?device=web-01").await;
    assert_eq!((reply.status, reply.code(), &reply.json()["field"]), (422, "invalid_field".to_owned(), &json!("device")));
}

async fn a_pending_device_sends_its_inventory_and_receives_nothing(engine: Engine) {
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, approved) = owner.machines(&server, 1).await;
    let file = owner.installer(&server, 2).await;
    let mut machine = Machine::new();
    machine.start();
    machine.enrol(&file);
    let pending = owner.devices("state=pending", 1).await[0]["id"].as_str().expect("an id").to_owned();
    let rogue = Rogue::new(200);
    let mut link = rogue.enrol(&server, &File::read(&file)).await.expect("a link");
    let inventory = async {
        while owner.client.get(&format!("/v1/devices/{pending}/inventory")).await.json()["hostname"] == "" {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, inventory).await.expect("the inventory of a pending device is there");

    let script = owner.script("nothing", "true").await;
    let body = json!({ "script": script, "version": 1, "devices": [pending] });
    let reply = owner.client.post("/v1/jobs", body).await;
    assert_eq!((reply.status, reply.code()), (422, "invalid_field".to_owned()));
    let job = owner.run(&server, &script, &approved, json!({})).await;
    owner.ended_runs(&job).await;
    let offer = timeout(Duration::from_millis(500), link.offer()).await;
    assert!(offer.is_err(), "what others run is not offered to it");
}

async fn a_secret_reaches_the_script_and_nothing_else(engine: Engine) {
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let (machines, devices) = owner.machines(&server, 1).await;
    let script = owner.script("secretive", "printf '%s' \"$TOKEN\" | wc -c; echo \"it is $TOKEN\"").await;
    let secret = "tr4velling-lantern-92";
    let job = owner.run(&server, &script, &devices, json!({ "secrets": [{ "name": "TOKEN", "value": secret }] })).await;
    let runs = owner.ended_runs(&job).await;
    let output = owner.output(&runs[0]).await;
    assert!(output.contains(&secret.len().to_string()), "the script had it: {output}");
    assert!(!output.contains(secret), "and its output does not: {output}");
    let at_rest = server.bytes_at_rest();
    assert!(!at_rest.windows(secret.len()).any(|window| window == secret.as_bytes()), "not in the database");
    assert!(!machines[0].log().contains(secret), "not in the agent's log");
}

async fn a_running_script_is_cancelled_with_all_that_it_started(engine: Engine) {
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    let script = owner.script("slow", "sleep 300 & echo $!; wait").await;
    let job = owner.run(&server, &script, &devices, json!({})).await;
    let run = loop {
        let runs = owner.client.get(&format!("/v1/jobs/{job}/runs")).await.json();
        if runs["items"][0]["output_bytes"].as_u64() > Some(0) {
            break runs["items"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let path = format!("/v1/runs/{}/cancel", run["id"].as_str().expect("an id"));
    assert_eq!(owner.client.post(&path, json!({})).await.status, 204);
    let runs = owner.ended_runs(&job).await;
    assert_eq!(runs[0]["state"], "cancelled", "{}", runs[0]);
    let late = owner.client.post(&path, json!({})).await;
    assert_eq!((late.status, &late.json()["detail"]), (409, &json!("It has ended: nothing is left to cancel.")));
    let begun: u32 = owner.output(&runs[0]).await.trim().parse().expect("the number of what it began");
    let stat = format!("/proc/{begun}/stat");
    let gone = async {
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("what the script began is gone too");
}

#[tokio::test]
async fn cancelling_on_one_device_leaves_its_neighbour_on_the_same_machine_alone() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 2).await;
    let script = owner.script("patient", "echo begun; sleep 3; echo done").await;
    let job = owner.run(&server, &script, &devices, json!({})).await;
    let first = loop {
        let runs = owner.client.get(&format!("/v1/jobs/{job}/runs")).await.json();
        if runs["items"].as_array().is_some_and(|runs| runs.iter().all(|run| run["state"] == "running")) {
            break runs["items"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let path = format!("/v1/runs/{}/cancel", first["id"].as_str().expect("an id"));
    assert_eq!(owner.client.post(&path, json!({})).await.status, 204);
    let runs = owner.ended_runs(&job).await;
    let state = |id: &serde_json::Value| runs.iter().find(|run| run["id"] == *id).map(|run| run["state"].clone());
    assert_eq!(state(&first["id"]), Some(json!("cancelled")));
    assert_eq!(runs.iter().filter(|run| run["state"] == "succeeded").count(), 1, "{runs:?}");
}

async fn a_run_whose_device_never_comes_back_ends_too(engine: Engine) {
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let (mut machines, devices) = owner.machines(&server, 1).await;
    let script = owner.script("endless", "echo begun; sleep 300").await;
    let job = owner.run(&server, &script, &devices, json!({})).await;
    let path = format!("/v1/jobs/{job}/runs");
    while owner.client.get(&path).await.json()["items"][0]["state"] != "running" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    machines[0].kill();
    let later = |secs: i64| ExpireRuns { at: server.clock.now().plus_secs(secs), salt: [7; 32] };
    assert!(server.app.store.commit(later(3600)).await.expect("the store answers").is_empty(), "a script may run for a day");
    assert_eq!(server.app.store.commit(later(25 * 3600)).await.expect("the store answers").len(), 1);
    let run = owner.ended_runs(&job).await.remove(0);
    assert_eq!((&run["state"], &run["reason"]), (&json!("interrupted"), &json!("device_silent")));
    machines[0].start();
    let receipted = loop {
        let run = owner.client.get(&path).await.json()["items"][0].clone();
        if run["receipt"] == true {
            break run;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(
        (&receipted["state"], &receipted["reason"]),
        (&json!("interrupted"), &json!("agent_restarted")),
        "the device has the last word"
    );
}
