//! The seeded world that tests and benches share: what was asked of one can be asked of another, and comes to the same, to the byte.

use sallyport_testkit::owner::Owner;
use sallyport_testkit::simulated::Fleet;
use sallyport_testkit::world::{Engine, World};
use serde_json::{Value, json};

/// From the set-up over people, scripts and policy to the first device; gives what the log says and its signed head.
///
/// It ends there: how often a device says something depends on how busy the machine is.
async fn history(seed: u64, engine: Engine) -> (Value, String) {
    let server = World::seeded(seed).on(engine).serve().await;
    let mut owner = Owner::set_up(&server).await;
    let everywhere = json!([{ "role": "technician", "scope": "tenant" }]);
    let mut ada = owner.colleague(&server, 22, "ada@nordwind.example", everywhere).await;
    for version in ["echo one", "echo two"] {
        owner.script(version, version).await;
    }
    let file = owner.installer(&server, 1).await;
    assert_eq!(owner.client.post("/v1/customers", json!({ "name": "Harbour" })).await.status, 201);
    let fleet = Fleet::start(&server.devices(1), Some(file.as_bytes())).expect("the device starts");
    owner.devices("state=pending", 1).await;
    fleet.stop().await;
    assert_eq!(ada.client.get("/v1/devices").await.json()["items"].as_array().map(Vec::len), Some(1));
    let log = owner.client.get("/v1/audit?limit=1000").await.json();
    let head = owner.client.get("/v1/audit/checkpoint").await.json()["note"].as_str().expect("a signed head").to_owned();
    (log["items"].clone(), head)
}

#[tokio::test]
async fn equal_seeds_give_equal_histories_and_others_share_nothing() {
    let (log, head) = history(7, Engine::Sqlite).await;
    assert!(log.as_array().is_some_and(|entries| entries.len() > 10), "{log}");
    assert_eq!(history(7, Engine::Sqlite).await, (log.clone(), head.clone()), "ids, salts, hashes and signatures are the same");
    assert_eq!(history(7, Engine::Postgres).await, (log, head.clone()), "whatever the database");
    let (_, other) = history(8, Engine::Sqlite).await;
    assert_ne!(other.lines().next(), head.lines().next(), "another tenant");
}
