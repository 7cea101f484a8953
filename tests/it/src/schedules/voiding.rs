//! What was published is no longer so: then nothing runs any more, and it is said why.

use sallyport_decide::schedules::MembershipRule;
use sallyport_model::Digest;
use sallyport_store::ops::schedules::schedule;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::host::Host as _;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use sallyport_testkit::simulated::{Fleet, Plan};
use serde_json::{Value, json};

use super::World;

on_both!(
    an_edit_voids_a_publication_at_once,
    a_deleted_script_voids_a_publication_at_once,
    a_group_that_grew_voids_a_publication_and_one_that_shrank_does_not,
    what_was_void_is_published_anew_in_its_place,
    not_me_pauses_what_was_published,
);

impl World {
    async fn save_script(&mut self, text: &str) {
        let body = json!({ "name": "nightly", "interpreter": "sh", "text": text, "based_on": 1 });
        let reply = self.owner.client.send(Call::new("PUT", &format!("/v1/scripts/{}", self.script)).body(body)).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
    }

    /// The digest of the rule in what was signed.
    async fn published_rule(&mut self, id: &str) -> Option<Digest> {
        let tenant = self.owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
        let mut reader = self.server.app.store.read().await.expect("the store answers");
        schedule(&mut reader, tenant, id.parse().expect("an id")).await.expect("a schedule").published_as.rule
    }

    async fn nothing_runs_any_more(&mut self, id: &str) {
        let (begun, known) = (self.begun(), self.occurrences(id).await.len());
        // Another schedule that still stands shows that time went on.
        let body = json!({ "name": "Other", "script": self.owner.script("other", "true").await });
        let other = self.publish(body).await;
        self.to_the_next_occurrence();
        let jobs = self.ended(&other, 1).await;
        assert_eq!(self.occurrences(id).await.len(), known);
        assert_eq!(self.begun() - begun, jobs[0]["counts"]["total"].as_u64().expect("a number"));
    }
}

async fn an_edit_voids_a_publication_at_once(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.published_rule(&id).await, None, "its devices were named one by one");
    world.save_script("echo another").await;
    let schedule = world.schedule(&id).await;
    assert_eq!((&schedule["state"], &schedule["why"]), (&json!("voided"), &json!("script_changed")), "{schedule}");
    assert_eq!(world.audit("schedule.voided").await.len(), 1);
    assert_eq!(world.order(&id, "resume").await.code(), "conflict");
    world.nothing_runs_any_more(&id).await;
}

async fn a_deleted_script_voids_a_publication_at_once(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.order(&id, "pause").await.status, 204);
    let path = format!("/v1/scripts/{}", world.script);
    assert_eq!(world.owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    assert_eq!(world.schedule(&id).await["why"], json!("script_deleted"));
}

async fn a_group_that_grew_voids_a_publication_and_one_that_shrank_does_not(engine: Engine) {
    let mut world = World::new(engine, 2).await;
    let id = world.publish(json!({ "devices": [], "group": {} })).await;
    assert_eq!(world.schedule(&id).await["group_words"], json!("All devices"));
    let frozen = world.published_rule(&id).await;
    assert_eq!(frozen, Some(MembershipRule::default().digest()), "what the devices check commits to the rule");
    let gone = world.devices[0].clone();
    world.owner.ask(&world.server, "/v1/devices/remove", json!({ "devices": [gone] })).await;
    world.to_the_next_occurrence();
    let jobs = world.ended(&id, 1).await;
    assert_eq!(jobs[0]["counts"]["succeeded"], json!(1), "the one that is left: {jobs:?}");
    let file = world.owner.installer(&world.server, 1).await;
    let plan = Plan { seed: world.plan.seed + 1, ..world.server.devices(1) };
    let more = Fleet::start(&plan, Some(file.as_bytes())).expect("one more device");
    world.approve(1).await;
    assert_eq!(world.standing(&id, "voided").await["why"], json!("group_grew"));
    more.stop().await;
}

async fn what_was_void_is_published_anew_in_its_place(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let old = world.publish(json!({})).await;
    world.save_script("echo another").await;
    let body = world.wanted(json!({ "replaces": old }));
    assert_eq!(world.owner.client.post("/v1/schedules", body).await.code(), "invalid_field", "not with the version that is gone");
    let new = world.publish(json!({ "replaces": old, "version": 2 })).await;
    let states: Vec<Value> = vec![world.schedule(&old).await["why"].clone(), world.schedule(&new).await["state"].clone()];
    assert_eq!(states, [json!("replaced"), json!("active")]);
    world.to_the_next_occurrence();
    assert_eq!(world.ended(&new, 1).await[0]["version"], json!(2));
}

async fn not_me_pauses_what_was_published(engine: Engine) {
    let mut world = World::new(engine, 1).await;
    let id = world.publish(json!({})).await;
    assert_eq!(world.owner.client.post("/v1/me/not-me", json!({})).await.status, 200);
    let mut browser = Client::new(&world.server, 78);
    world.server.clock().advance(30);
    let code = world.owner.code(&world.server);
    assert_eq!(world.owner.sign_in(&mut browser, &code).await.status, 200);
    world.owner.client = browser;
    let schedule = world.schedule(&id).await;
    assert_eq!((&schedule["state"], &schedule["why"]), (&json!("paused"), &json!("not_me")), "{schedule}");
    assert_eq!(world.order(&id, "resume").await.status, 204);
    world.to_the_next_occurrence();
    world.ended(&id, 1).await;
}
