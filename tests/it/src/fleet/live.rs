use std::time::{Duration, Instant};

use sallyport_model::TenantId;
use sallyport_server::events::Event;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;
use serde_json::json;
use tokio::task::JoinHandle;

/// Opens a stream that is read until the server ends it.
async fn follow(client: &Client) -> JoinHandle<Reply> {
    let mut client = client.clone();
    let stream = tokio::spawn(async move { client.send(Call::new("GET", "/v1/events").header("accept", "text/event-stream")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream
}

async fn tenant(owner: &mut Owner) -> TenantId {
    owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id")
}

fn job(n: u32) -> Event {
    Event::Job { job: n.to_string() }
}

#[tokio::test]
async fn ses_05_a_stream_ends_with_its_session() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let tenant = tenant(&mut owner).await;
    let stream = follow(&owner.client).await;
    server.app.events.tell(tenant, job(1));
    server.app.events.tell(TenantId::from_bytes([9; 16]), job(2));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    assert_eq!(owner.client.post("/v1/sign-out", json!({})).await.status, 204);
    let reply = stream.await.expect("the stream is read");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let text = String::from_utf8(reply.body.clone()).expect("text");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/event-stream")));
    assert!(text.starts_with(": hello\n\n"), "{text}");
    let jobs: Vec<&str> = text.split("\n\n").filter(|event| event.starts_with("event: job")).collect();
    assert_eq!(jobs, ["event: job\ndata: {\"kind\":\"job\",\"job\":\"1\"}"], "one's own tenant alone");
}

#[tokio::test]
async fn a_growing_log_is_told_to_who_may_read_it() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let stream = follow(&owner.client).await;
    let reply = owner.client.post("/v1/customers", json!({ "name": "Contoso" })).await;
    assert_eq!(reply.status, 201);
    let size = owner.client.get("/v1/audit/checkpoint").await.json()["size"].as_u64().expect("a size");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    owner.client.post("/v1/sign-out", json!({})).await;
    let text = String::from_utf8(stream.await.expect("the stream is read").body).expect("text");
    assert!(text.contains(&format!("event: audit\ndata: {{\"kind\":\"audit\",\"size\":{size}}}\n\n")), "{size}: {text}");
}

#[tokio::test]
async fn ses_05_a_stream_ends_when_its_session_runs_out() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let stream = follow(&owner.client).await;
    let begun = Instant::now();
    server.clock.advance(3600);
    stream.await.expect("the stream is read");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn ses_05_a_stream_ends_when_another_browser_ends_its_session() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let stream = follow(&owner.client).await;
    let mut other = Client::new(&server, 2);
    assert_eq!(owner.sign_in(&mut other, &owner.code(&server)).await.status, 200);
    let begun = Instant::now();
    assert_eq!(other.send(Call::new("DELETE", "/v1/me/sessions")).await.status, 204);
    stream.await.expect("the stream is read");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_slow_reader_is_told_that_it_missed_some_and_goes_on() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let tenant = tenant(&mut owner).await;
    let stream = follow(&owner.client).await;
    // Without a pause in between nobody reads: more than what waits for a slow reader.
    (0..10_000).for_each(|n| server.app.events.tell(tenant, job(n)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.app.events.tell(tenant, Event::Device { device: "last".into(), online: true });
    tokio::time::sleep(Duration::from_millis(300)).await;
    owner.client.post("/v1/sign-out", json!({})).await;
    let text = String::from_utf8(stream.await.expect("the stream is read").body).expect("text");
    assert!(text.contains("event: missed\ndata: {\"kind\":\"missed\"}\n\n"));
    assert!(text.contains("event: device\ndata: {\"kind\":\"device\",\"device\":\"last\",\"online\":true}\n\n"));
}

#[tokio::test]
async fn a_session_has_a_few_streams_only() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut streams = Vec::new();
    for _ in 0..sallyport_model::limits::EVENT_STREAMS_PER_SESSION {
        let mut client = owner.client.clone();
        streams.push(tokio::spawn(async move { client.send(Call::new("GET", "/v1/events")).await }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let refused = owner.client.clone().get("/v1/events").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    owner.client.clone().post("/v1/sign-out", json!({})).await;
    for stream in streams {
        assert_eq!(stream.await.expect("the stream is read").status, 200);
    }
}
