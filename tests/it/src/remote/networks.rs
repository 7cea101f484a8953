//! Streams and the tenant's rules about networks: who leaves them, or is left out by them, is cut off like whoever lost a right (NET-05).

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::World;
use super::rights::assert_cut;

on_both!(
    net_05_streams_end_once_their_session_is_used_from_outside_of_its_ranges,
    net_05_streams_end_once_the_rules_leave_their_address_out,
);

/// An installation whose loopback is a proxy; what comes without its header comes from loopback.
async fn behind_a_proxy(engine: Engine) -> World {
    World::on(TestServer::configured(engine, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await).await
}

impl World {
    /// The owner wants networks for some capabilities, from an address.
    async fn require(&mut self, from: &str, required: &[(&str, &str)]) {
        let version = self.owner.client.send(Call::new("GET", "/v1/policy/networks").header("x-forwarded-for", from)).await.json();
        let required: Vec<_> = required.iter().map(|(what, range)| json!({ "capability": what, "ranges": [range] })).collect();
        let body = json!({ "version": version["version"], "trusted": [], "required": required, "address_verification": "off" });
        let asked = self.owner.client.send(Call::new("PUT", "/v1/policy/networks").body(body).header("x-forwarded-for", from)).await;
        let waits = asked.header("location").expect("it waits for a proof").to_owned();
        self.server.clock.advance(30);
        let proof = json!({ "totp": self.owner.code(&self.server) });
        let done = self.owner.client.send(Call::new("POST", &format!("{waits}/proofs")).body(proof).header("x-forwarded-for", from)).await;
        assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "{}", done.json());
    }
}

async fn net_05_streams_end_once_their_session_is_used_from_outside_of_its_ranges(engine: Engine) {
    let mut world = behind_a_proxy(engine).await;
    world.require("127.0.0.1", &[("sign_in", "127.0.0.0/8")]).await;
    let running = world.running().await;
    let (opened, offered) = world.open("terminal").await;
    let left = world.owner.client.send(Call::new("GET", "/v1/devices").header("x-forwarded-for", "198.51.100.7")).await;
    assert_eq!(left.code(), "address_left");
    assert_cut(&mut world, running, 4001).await;
    let device_end = offered.dial(&world.server).await.err().map(|refused| refused.code);
    let client_end = opened.dial(&world.server).await.err().map(|refused| refused.code);
    assert_eq!((device_end.as_deref(), client_end.as_deref()), (Some("ticket_refused"), Some("ticket_refused")), "nothing new begins");
}

async fn net_05_streams_end_once_the_rules_leave_their_address_out(engine: Engine) {
    for capability in ["sign_in", "guarded"] {
        let mut world = behind_a_proxy(engine).await;
        let running = world.running().await;
        let (opened, offered) = world.open("terminal").await;
        let _device_end = offered.dial(&world.server).await.expect("the device is where it was");
        world.require("192.0.2.7", &[(capability, "192.0.2.0/24")]).await;
        assert_cut(&mut world, running, 4001).await;
        let refused = opened.dial(&world.server).await.err().map(|refused| refused.code);
        assert_eq!(refused.as_deref(), Some("ticket_refused"), "{capability}: nobody comes from outside");
    }
}
