//! The link of a mailed notice, pressed while somebody else is at work in the account.

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, PASSWORD};
use sallyport_testkit::server::Engine;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::rights::{Running, SECOND, assert_cut};
use super::{PATIENCE, World};
use crate::accounts::notices_begin;
use crate::people::mails::mailing;

on_both!(a20_ses_05_the_link_of_a_notice_cuts_a_terminal_and_a_stream_of_events_within_a_second,);

async fn a20_ses_05_the_link_of_a_notice_cuts_a_terminal_and_a_stream_of_events_within_a_second(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut world = World::on(server).await;
    notices_begin(&world.server).await;
    world.server.clock.advance(30);
    let mut thief = Client::new(&world.server, 2);
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": world.owner.code(&world.server) });
    let signed_in = thief.send(Call::new("POST", "/v1/sign-in").body(body).header("user-agent", "Elinks/0.16")).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.json());
    let token = mail.wait_for(EMAIL, "new device").await.token("not-me");
    // The thief has a terminal open, and what happens comes to them.
    let mut owner = std::mem::replace(&mut world.owner.client, thief);
    let stream = world.streaming("terminal").await;
    let mut events = world.owner.client.follow("/v1/events").await;
    let running = Running::of(stream).await;
    let mut head = [0; 64];
    let read = timeout(PATIENCE, events.read(&mut head)).await.expect("soon").expect("a stream");
    assert!(head[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    // Whoever looks at the page behind the link has pressed nothing.
    let mut phone = Client::new(&world.server, 40);
    assert_eq!(phone.get("/not-me").await.status, phone.get("/sign-in").await.status);
    assert_eq!(world.owner.client.get("/v1/me").await.status, 200, "the control: the thief is at work");
    let pressed = phone.post("/v1/not-me", json!({ "token": token })).await;
    let gone = Instant::now();
    assert_eq!(pressed.status, 200, "{}", pressed.json());
    assert_cut(&mut world, vec![running], 4001).await;
    let rest = timeout_at(gone + SECOND, events.read_to_end(&mut Vec::new())).await;
    assert!(rest.is_ok(), "what happens was told for longer than a second");
    for client in [&mut world.owner.client, &mut owner] {
        let dead = client.get("/v1/me").await;
        assert_eq!((dead.status, dead.code().as_str()), (401, "not_signed_in"), "{}", dead.json());
    }
    assert_eq!(pressed.json()["sessions"].as_array().map(Vec::len), Some(2));
    let again = phone.post("/v1/not-me", json!({ "token": token })).await;
    assert_eq!((again.status, again.code().as_str()), (404, "link_refused"), "once");
}
