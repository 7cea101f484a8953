//! What stands before the eyes of who approves is all of what will happen, and the very bytes that are signed.

use sallyport_model::{Timestamp, limits};
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use crate::fleet::devices::{device, with_devices};
use crate::people::resets::with_admin;

on_both!(tx_01_who_approves_is_shown_everything_that_will_happen);

const BEFORE: &str = "df -h\n";
const TEXT: &str = "#!/bin/sh\nrm -rf \"$1\"\n";
/// What `sha256sum` says of [`TEXT`].
const SHA256: &str = "933cdb417a176e0e402a93a95f94617dcc16f7a30d5de592ca06fd71fbf0fb59";
const DEVICES: u32 = 26;

fn moment(value: &Value) -> Timestamp {
    value.as_str().expect("a time").parse().expect("a time")
}

/// The request as somebody sees it who asks for it alone and in the list.
async fn seen(client: &mut Client, waits: &str) -> Value {
    let one = client.get(waits).await;
    assert_eq!(one.status, 200, "{}", one.json());
    let listed = client.get("/v1/authorization-requests").await.json();
    assert!(listed["items"].as_array().is_some_and(|items| items.contains(&one.json())), "the list shows the same: {listed}");
    one.json()
}

async fn tx_01_who_approves_is_shown_everything_that_will_happen(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada"]).await;
    with_devices(&server, &mut owner, DEVICES + 1).await;
    let script = owner.script("tidy", BEFORE).await;
    let targets: Vec<_> = (1..=DEVICES).map(device).collect();
    let saved = Call::new("PUT", &format!("/v1/scripts/{script}"));
    let saved = saved.body(json!({ "name": "tidy", "interpreter": "sh", "text": TEXT, "based_on": 1 }));
    assert_eq!(owner.client.send(saved).await.status, 200);
    let ran_before = json!({ "script": script, "version": 1, "devices": [device(1), device(2)] });
    assert_eq!(owner.does(&server, Call::new("POST", "/v1/jobs").body(ran_before)).await.status, 200);

    let body = json!({ "script": script, "version": 2, "devices": targets, "arguments": ["/srv/old", "two words"], "run_as": "backup",
        "environment": [{ "name": "LEVEL", "value": "3" }], "secrets": [{ "name": "TOKEN", "value": "a-secret-value" }],
        "time_limit_secs": 77, "output_limit_bytes": 4096 });
    let asked = owner.client.post("/v1/jobs", body).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let waits = asked.header("location").expect("where it waits").to_owned();
    // The one who asked, and the second person, before either has proved anything.
    for client in [&mut owner.client, &mut admins[0].client] {
        let request = seen(client, &waits).await;
        let action = &request["action"];
        let expected = json!({ "kind": "run_script", "name": "tidy", "version": 2, "text": TEXT, "sha256": SHA256, "bytes": TEXT.len(),
            "interpreter": "sh", "run_as": "backup", "arguments": ["/srv/old", "two words"], "time_limit_secs": 77,
            "output_limit_bytes": 4096, "environment": [{ "name": "LEVEL", "value": "3" }], "secrets": ["TOKEN"],
            "previous": { "version": 1, "text": BEFORE } });
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&action[key], value, "{key}");
        }
        assert!(!request.to_string().contains("a-secret-value"));
        assert_eq!((&action["targets"]["count"], &action["targets"]["first_time"]), (&json!(DEVICES), &json!(DEVICES - 2)));
        let devices = action["targets"]["devices"].as_array().expect("a list");
        let named = |n: u32| devices.iter().any(|one| one["id"] == json!(device(n)) && one["name"] == format!("web-{n:05}"));
        assert!(devices.len() == DEVICES as usize && (1..=DEVICES).all(named), "{devices:?}");
        assert!(devices.iter().all(|one| one["place"].as_str().is_some_and(|place| place.contains("Hafen"))), "{devices:?}");
        assert_eq!((&request["class"], request["requirement"].as_array().map(Vec::len)), (&json!(3), Some(3)), "{request}");
        assert!(request["class_reason"].as_str().is_some_and(|why| !why.is_empty()));
        assert_eq!(moment(&request["expires"]), moment(&request["created"]).plus_secs(limits::REQUEST_LIFETIME_SECS));
        assert_eq!(request["digest"].as_str().map(str::len), Some(64));
        assert!(request["summary"].as_str().is_some_and(|text| text.contains("tidy v2 as backup")), "{request}");
    }
}
