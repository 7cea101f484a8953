//! A webhook sends what its owner may see when it is sent: a demoted owner's sends less, a disabled owner's nothing.

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use serde_json::{Value, json};

use super::{World, assert_refused, states};
use crate::fleet::devices::{device, with_devices};

on_both!(az_02_a_demoted_owners_webhook_sends_less_and_a_disabled_owners_nothing, nobody_asks_for_what_they_may_not_read);

fn role(word: &str) -> Value {
    json!([{ "role": word, "scope": "tenant" }])
}

/// The owner asks to run a script on two devices: it waits, and whoever reaches them is told.
async fn asked_for(world: &mut World, script: &str) -> String {
    world.server.clock.advance(30);
    let body = json!({ "script": script, "version": 1, "devices": [device(0), device(1)] });
    let asked = world.owner.client.post("/v1/jobs", body).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    asked.json()["id"].as_str().expect("an id").to_owned()
}

async fn az_02_a_demoted_owners_webhook_sends_less_and_a_disabled_owners_nothing(engine: Engine) {
    let mut world = World::new(engine).await;
    with_devices(&world.server, &mut world.owner, 2).await;
    let script = world.owner.script("uptime", "uptime").await;
    let mut admin = world.owner.colleague(&world.server, 31, "bea@nordwind.example", role("admin")).await;
    let elsewhere = world.owner.client.post("/v1/customers", json!({ "name": "Adler" })).await.json();
    let body = json!({ "name": "Bea's", "url": world.receiver.url("/ok"), "events": ["request.waiting", "client.key_due", "user.not_me"] });
    let made = admin.does(&world.server, Call::new("POST", "/v1/webhooks").body(body)).await;
    let result = made.json()["result"].clone();
    let hook = result["webhook"].as_str().unwrap_or_else(|| panic!("{}", made.json())).to_owned();

    let first = asked_for(&mut world, &script).await;
    let got = world.receiver.wait("/ok", 1).await;
    assert_eq!(got[0].json()["data"]["request"], json!(first));

    // From now on a technician of another customer: the device of the first one is not theirs any more.
    let scope = json!({ "assignments": [{ "role": "technician", "scope": "customer", "id": elsewhere["id"] }] });
    let demoted = world.owner.does(&world.server, Call::new("POST", &format!("/v1/users/{}/assignments", admin.id)).body(scope)).await;
    assert_eq!(demoted.status, 200, "{}", demoted.json());
    asked_for(&mut world, &script).await;
    let log = world.once(&hook, |all| states(all).contains(&"withheld") && !states(all).contains(&"waiting")).await;
    let newest = log.iter().find(|one| one["type"] == "request.waiting").expect("it is in the log");
    assert_eq!((&newest["state"], newest["attempts"].as_u64()), (&json!("withheld"), Some(0)));
    let arrived = world.receiver.got("/ok").len();

    // Back again: what is told then is sent, what was withheld stays withheld.
    let back = json!({ "assignments": role("admin") });
    let promoted = world.owner.does(&world.server, Call::new("POST", &format!("/v1/users/{}/assignments", admin.id)).body(back)).await;
    assert_eq!(promoted.status, 200, "{}", promoted.json());
    let seen = asked_for(&mut world, &script).await;
    // The request that brought them back may come before it.
    world.once(&hook, |all| !states(all).contains(&"waiting")).await;
    let got = world.receiver.got("/ok");
    assert!(got[arrived..].iter().any(|one| one.json()["data"]["request"] == json!(seen)), "{got:#?}");

    // Disabled: nothing at all.
    let arrived = world.receiver.got("/ok").len();
    let disabled = world.owner.does(&world.server, Call::new("POST", "/v1/users/disable").body(json!({ "users": [admin.id] }))).await;
    assert_eq!(disabled.status, 200, "{}", disabled.json());
    world.once(&hook, |all| !states(all).contains(&"waiting")).await;
    let before = world.receiver.got("/ok").len();
    asked_for(&mut world, &script).await;
    let log = world.once(&hook, |all| !states(all).contains(&"waiting")).await;
    assert_eq!(log[0]["state"], "withheld", "{log:#?}");
    assert_eq!(world.receiver.got("/ok").len(), before);
    assert!(before <= arrived + 1, "the request to disable them was the last that they could see");
    assert_eq!(world.get(&format!("/v1/webhooks/{hook}")).await["state"], "owner_over");
}

async fn nobody_asks_for_what_they_may_not_read(engine: Engine) {
    let mut world = World::new(engine).await;
    let custom = json!({ "name": "Hooks", "capabilities": ["webhooks.read", "webhooks.write", "devices.read"] });
    let saved = world.owner.does(&world.server, Call::new("POST", "/v1/roles").body(custom)).await;
    assert_eq!(saved.status, 200, "{}", saved.json());
    let roles = world.get("/v1/roles").await;
    let custom = roles["roles"].as_array().into_iter().flatten().find(|one| one["name"] == "Hooks").cloned();
    let id = custom.unwrap_or_else(|| panic!("{roles}"))["id"].clone();
    let mut hooks = world.owner.colleague(&world.server, 32, "hugo@nordwind.example", json!([{ "role": id, "scope": "tenant" }])).await;
    let body = |event: &str| json!({ "name": "mine", "url": world.receiver.url("/ok"), "events": ["device.enrolled", event] });
    let refused = hooks.client.post("/v1/webhooks", body("sign_in.failed")).await;
    assert_refused(&refused, 403, "role_refused");
    assert_eq!(refused.json()["field"], "events");
    assert_refused(&hooks.client.post("/v1/webhooks", body("webhook.test")).await, 422, "invalid_field");
    assert_eq!(hooks.client.post("/v1/webhooks", body("device.online")).await.status, 202);
    let offered = hooks.client.get("/v1/webhooks").await.json();
    let offered: Vec<&str> = offered["events"].as_array().expect("events").iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(offered.contains(&"device.online") && !offered.contains(&"sign_in.failed"), "{offered:?}");
}
