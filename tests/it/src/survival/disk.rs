//! A disk that is full: guarded actions are refused, nothing reaches a device, and once there is room all is as before.

use std::time::Duration;

use sallyport_store::{Audit, Change, StoreError, Tx};
use sallyport_testkit::server::Engine;
use sallyport_testkit::{on_both, postgres};
use serde_json::json;
use tokio::time::timeout;

use super::agents::World;

on_both!(log_10_on_a_full_disk_guarded_actions_are_refused_and_nothing_is_delivered);

/// Tells SQLite how far its file may grow.
struct Room(&'static str);

impl Change for Room {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.fetch_all(self.0, &[]).await.map(|_| ())
    }
}

const REFUSE: &str = "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN RAISE EXCEPTION ''no space left on device'' USING ERRCODE = ''disk_full''; END'; \
    CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT ON log_entries EXECUTE FUNCTION full_disk()";

impl World {
    /// To be done before each refusal on SQLite, whose connection is thrown away after one.
    async fn fill(&self, engine: Engine) {
        match engine {
            Engine::Sqlite => self.server.app.store.commit(Room("PRAGMA max_page_count = 1")).await.expect("a pragma"),
            Engine::Postgres => postgres::run(&self.server.app.config.database, REFUSE),
        }
    }

    async fn free(&self, engine: Engine) {
        match engine {
            Engine::Sqlite => self.server.app.store.commit(Room("PRAGMA max_page_count = 1000000")).await.expect("a pragma"),
            Engine::Postgres => postgres::run(&self.server.app.config.database, "DROP TRIGGER full_disk ON log_entries"),
        }
    }
}

async fn log_10_on_a_full_disk_guarded_actions_are_refused_and_nothing_is_delivered(engine: Engine) {
    let mut world = World::new(engine).await;
    // More than the room that is left in pages of the file.
    let arguments = vec!["long ".repeat(1600); 8];
    let machine = sallyport_testkit::rogue::Rogue::new(1);
    let (mut other, device) = world.device(&machine).await;
    // Two devices at once need a code: this request is frozen and waits for one.
    let body = json!({ "script": world.script, "version": 1, "devices": [device, world.honest_id], "arguments": arguments });
    let frozen = world.owner.client.post("/v1/jobs", body.clone()).await;
    assert_eq!(frozen.status, 202, "{}", frozen.json());
    let proofs = format!("/v1/authorization-requests/{}/proofs", frozen.json()["id"].as_str().expect("an id"));
    let (jobs, head) = (world.owner.client.get("/v1/jobs").await.json(), world.owner.client.get("/v1/audit/checkpoint").await.json());

    let one = json!({ "script": world.script, "version": 1, "devices": [device], "arguments": arguments });
    for (path, body) in [("/v1/jobs", one), ("/v1/jobs", body)] {
        world.fill(engine).await;
        let reply = world.owner.client.post(path, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "log_unavailable"), "{path}");
    }
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    world.fill(engine).await;
    let reply = world.owner.client.post(&proofs, json!({ "totp": code })).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "log_unavailable"), "a fresh code helps nobody");
    let wait = Duration::from_millis(500);
    assert!(timeout(wait, other.offer()).await.is_err() && timeout(wait, world.honest_link.offer()).await.is_err(), "nothing is delivered");
    assert_eq!(world.owner.client.get("/v1/jobs").await.json(), jobs, "no job came to be");
    assert_eq!(world.owner.client.get("/v1/audit/checkpoint").await.json(), head, "the log did not grow");
    assert_eq!(world.owner.client.get("/readyz").await.status, 200);

    world.free(engine).await;
    let mut owner = world.owner.client.clone();
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    let reply = owner.post(&proofs, json!({ "totp": code })).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("executed")), "what was frozen can be proved now: {}", reply.json());
    timeout(wait * 10, other.offer()).await.expect("soon").expect("an offer");
    timeout(wait * 10, world.honest_link.offer()).await.expect("soon").expect("an offer");
    world.is_well().await;
}
