//! The other side fails: wrong answers, none at all, too much, elsewhere, a wrong name for it, a wrong certificate. Nobody else waits for it.

use sallyport_model::limits;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::receiver::Receiver;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::simulated::Certificate;
use serde_json::json;

use super::{World, assert_refused, states};

on_both!(
    a_failing_endpoint_is_tried_for_a_day_and_then_paused_and_its_owner_is_told,
    a_slow_endpoint_delays_nobody_else,
    answers_are_bounded_and_redirects_are_not_followed,
);

async fn a_failing_endpoint_is_tried_for_a_day_and_then_paused_and_its_owner_is_told(engine: Engine) {
    let mut world = World::new(engine).await;
    let (hook, _) = world.hook("/later", &["request.denied"]).await;
    world.something_happens().await;
    for made in 1..limits::WEBHOOK_ATTEMPTS {
        let tried = move |all: &[serde_json::Value]| all[0]["attempts"] == made && all[0]["last_status"] == 503;
        let waits = world.once(&hook, tried).await;
        assert_eq!((&waits[0]["state"], waits[0]["next_attempt"].is_string()), (&json!("waiting"), true), "{waits:?}");
        world.later(8 * 3_600).await;
    }
    let failed = world.once(&hook, |all| states(all) == ["failed"]).await;
    assert_eq!(failed[0]["attempts"], limits::WEBHOOK_ATTEMPTS);
    let got = world.receiver.got("/later");
    assert_eq!(got.len(), limits::WEBHOOK_ATTEMPTS as usize);
    assert!(got.iter().all(|one| one.id() == got[0].id() && one.body == got[0].body), "the same id and bytes each time");
    let shown = world.get(&format!("/v1/webhooks/{hook}")).await;
    assert_eq!((&shown["state"], &shown["paused_why"]), (&json!("paused"), &json!("failing")));
    let log = world.get("/v1/audit?kind=webhook.paused").await;
    let entry = &log["items"][0];
    assert_eq!((&entry["details"]["reason"], &entry["details"]["user"]), (&json!("failing"), &shown["owner"]), "{entry}");
    // What happens meanwhile waits; once it is mended and goes on, it arrives, and what was given up is sent by a click.
    world.something_happens().await;
    world.receiver.open();
    assert_eq!(world.owner.client.post(&format!("/v1/webhooks/{hook}/resume"), json!({})).await.status, 204);
    world.once(&hook, |all| states(all) == ["delivered", "failed"]).await;
    let path = format!("/v1/webhooks/{hook}/deliveries/{}/redeliver", got[0].id());
    assert_eq!(world.owner.client.post(&path, json!({})).await.status, 204);
    world.once(&hook, |all| states(all) == ["delivered", "delivered"]).await;
}

async fn a_slow_endpoint_delays_nobody_else(engine: Engine) {
    let mut world = World::new(engine).await;
    let (slow, _) = world.hook("/hangs", &["request.denied"]).await;
    let (quick, _) = world.hook("/ok", &["request.denied"]).await;
    for _ in 0..12 {
        world.something_happens().await;
    }
    world.receiver.wait("/ok", 12).await;
    world.once(&quick, |all| states(all).iter().all(|state| *state == "delivered")).await;
    // Whatever the slow one has by now, it has no more at once than its own places.
    assert!(world.receiver.got("/hangs").len() <= 2 * limits::WEBHOOK_AT_ONCE, "{}", world.receiver.got("/hangs").len());
    let waiting = world.once(&slow, |all| all.iter().any(|one| one["last_error"] == "late")).await;
    assert!(states(&waiting).iter().all(|state| *state == "waiting"), "it is tried again: {waiting:#?}");
}

async fn answers_are_bounded_and_redirects_are_not_followed(engine: Engine) {
    let mut world = World::new(engine).await;
    let inside = Receiver::start().await;
    world.receiver.moved_to(&inside.url("/ok"));
    let (long, _) = world.hook("/long", &["request.denied"]).await;
    let (huge, _) = world.hook("/huge", &["request.denied"]).await;
    let (moved, _) = world.hook("/moved", &["request.denied"]).await;
    let (fails, _) = world.hook("/fails", &["request.denied"]).await;
    let (gone, _) = world.hook("/gone", &["request.denied"]).await;
    world.something_happens().await;
    let taken = world.once(&long, |all| states(all) == ["delivered"]).await;
    let details = world.get(&format!("/v1/webhooks/{long}/deliveries/{}", taken[0]["event"].as_str().expect("an id"))).await;
    assert_eq!(details["tries"][0]["answer"].as_str().map(str::len), Some(limits::WEBHOOK_ANSWER_BYTES));
    world.once(&huge, |all| all[0]["last_error"] == "answer_too_large" && all[0]["state"] == "waiting").await;
    world.once(&moved, |all| all[0]["last_status"] == 302 && all[0]["state"] == "waiting").await;
    assert_eq!(inside.got("/ok").len(), 0, "nobody was sent to the inside");
    let refused = world.once(&fails, |all| all[0]["last_status"] == 500).await;
    let details = world.get(&format!("/v1/webhooks/{fails}/deliveries/{}", refused[0]["event"].as_str().expect("an id"))).await;
    assert_eq!(details["tries"][0]["answer"], "no [31mroom", "without control characters");
    world.once(&gone, |all| states(all) == ["failed"]).await;
    assert_eq!(world.get(&format!("/v1/webhooks/{gone}")).await["paused_why"], "gone");
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_when_written_and_when_a_name_means_them() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let receiver = Receiver::over_tls(&Certificate::new()).await;
    let ask = |url: &str| json!({ "name": "inside", "url": url, "events": ["request.denied"] });
    for url in [
        "http://psa.example/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://10.0.0.7/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://user:word@psa.example/hook",
        "https://psa.example/hook#part",
        "ftp://psa.example/hook",
        "psa.example",
        "",
    ] {
        let refused = owner.client.post("/v1/webhooks", ask(url)).await;
        assert_refused(&refused, 422, "invalid_field");
        assert_eq!(refused.json()["field"], "url", "{url}");
    }
    // A name that means the loopback is judged when it is used, and nothing is sent.
    let call = sallyport_testkit::client::Call::new("POST", "/v1/webhooks").body(ask(&receiver.url("/ok")));
    let made = owner.does(&server, call).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let hook = made.json()["result"]["webhook"].as_str().expect("an id").to_owned();
    let mut world = World { server, owner, receiver, seed: 60 };
    assert_eq!(world.owner.client.post(&format!("/v1/webhooks/{hook}/test"), json!({})).await.status, 201);
    world.once(&hook, |all| all[0]["last_error"] == "private_network" && all[0]["state"] == "waiting").await;
    assert_eq!(world.receiver.got("/ok").len(), 0);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused_and_one_of_a_listed_authority_is_taken() {
    let certificate = Certificate::new();
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, &certificate.certificate).expect("a file");
    for (ca, expected) in [(None, json!("tls")), (Some(trusted), json!(null))] {
        let server = TestServer::configured(Engine::Sqlite, |raw| {
            raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned(), "::1".to_owned()]);
            raw.outbound_ca = ca;
        })
        .await;
        let owner = Owner::set_up(&server).await;
        let mut world = World { server, owner, receiver: Receiver::over_tls(&certificate).await, seed: 60 };
        let (hook, _) = world.hook("/ok", &["request.denied"]).await;
        assert_eq!(world.owner.client.post(&format!("/v1/webhooks/{hook}/test"), json!({})).await.status, 201);
        let tried = world.once(&hook, |all| all[0]["last_error"].is_string() || all[0]["state"] == "delivered").await;
        assert_eq!(tried[0]["last_error"], expected, "{tried:?}");
        assert_eq!(world.receiver.got("/ok").len(), usize::from(expected.is_null()));
    }
}
