use sallyport_server::clock::Clock;
use sallyport_testkit::client::{Call, Client, exchange};
use sallyport_testkit::owner::{Owner, begin, oathtool, start_body, token_of};
use sallyport_testkit::server::TestServer;
use serde_json::json;

use super::wrong_code;

#[tokio::test]
async fn pwd_16_the_set_up_is_open_once_and_then_dead_for_good() {
    let server = TestServer::start().await;
    let token = token_of(&server);
    assert_eq!(Client::new(&server, 9).get("/v1/setup").await.json(), json!({ "open": true }));
    Owner::set_up(&server).await;
    assert_eq!(Client::new(&server, 9).get("/v1/setup").await.json(), json!({ "open": false }));
    let again = Client::new(&server, 9).post("/v1/setup/start", start_body(&token)).await;
    assert_eq!((again.status, again.code().as_str()), (404, "setup_closed"));
    let restarted = server.restart().await;
    assert_eq!(restarted.setup_link, None, "no new link is offered");
    assert_eq!(Client::new(&restarted, 9).post("/v1/setup/start", start_body(&token)).await.code(), "setup_closed");
}

#[tokio::test]
async fn a34_pwd_16_odd_paths_and_methods_lead_nowhere() {
    let server = TestServer::start().await;
    let token = token_of(&server);
    Owner::set_up(&server).await;
    let paths = [
        "//v1/setup/start",
        "/v1//setup/start",
        "/v1/setup/start/",
        "/v1/setup%2fstart",
        "/v1/%73etup/start",
        "/v1/./setup/start",
        "/v1/x/../setup/start",
        "/V1/SETUP/START",
        "/v1/setup/start;x=1",
        "/v1/setup/start%00",
        "/v1/setup/start?token=1",
        "/setup",
        "//setup",
    ];
    for path in paths {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"] {
            let reply = Client::new(&server, 9).send(Call::new(method, path).body(start_body(&token))).await;
            assert!(reply.status >= 400, "{method} {path}: {}", reply.status);
            assert_eq!(reply.json().get("draft"), None, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn pwd_16_only_the_printed_token_opens_the_set_up() {
    let server = TestServer::start().await;
    let printed = token_of(&server);
    for token in [String::new(), "A".repeat(43), printed[..42].to_owned(), format!("{printed}A"), printed.to_lowercase()] {
        let reply = Client::new(&server, 9).post("/v1/setup/start", start_body(&token)).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "setup_closed"), "{token}");
    }
    let restarted = server.restart().await;
    assert_eq!(
        Client::new(&restarted, 9).post("/v1/setup/start", start_body(&printed)).await.code(),
        "setup_closed",
        "a start makes a new link"
    );
    assert_eq!(Client::new(&restarted, 9).post("/v1/setup/start", start_body(&token_of(&restarted))).await.status, 200, "control");
}

#[tokio::test]
async fn pwd_16_two_who_finish_at_once_make_one_tenant() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (Client::new(&server, 1), Client::new(&server, 2));
    let (first, second) = (begin(&server, &mut one).await, begin(&server, &mut two).await);
    let now = server.clock.now();
    let finish = |begun: &sallyport_testkit::owner::Begun| begun.finish(&oathtool(begun.secret(), now), &begun.root(now));
    let (a, b) = tokio::join!(one.post("/v1/setup/finish", finish(&first)), two.post("/v1/setup/finish", finish(&second)));
    let statuses = [a.status, b.status];
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 404 | 422)), "closed, or the draft is gone: {statuses:?}");
}

#[tokio::test]
async fn without_the_right_code_or_root_nothing_is_made() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let begun = begin(&server, &mut client).await;
    let now = server.clock.now();
    let code = oathtool(begun.secret(), now);
    let root = begun.root(now);
    assert_eq!(client.post("/v1/setup/finish", begun.finish(&wrong_code(&code), &root)).await.code(), "code_refused");
    for (member, value) in [
        ("version", json!(2)),
        ("link", json!("00".repeat(32))),
        ("threshold", json!(2)),
        ("expires", json!("2026-09-22T00:00:00Z")),
        ("extra", json!(1)),
    ] {
        let mut wrong = root.clone();
        wrong[member] = value;
        let reply = client.post("/v1/setup/finish", begun.finish(&code, &wrong)).await;
        assert_eq!((reply.status, reply.json()["field"].as_str()), (422, Some("root_body")), "{member}: {}", reply.json());
    }
    let mut unsigned = begun.finish(&code, &root);
    unsigned["root_signature"] = json!("AAAA");
    assert_eq!(client.post("/v1/setup/finish", unsigned).await.status, 422);
    assert_eq!(client.get("/v1/setup").await.json(), json!({ "open": true }));
    assert_eq!(client.post("/v1/setup/finish", begun.finish(&code, &root)).await.status, 201, "control: the code was not spent");
}

#[tokio::test]
async fn totp_14_a_draft_takes_ten_codes_and_an_hour() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let begun = begin(&server, &mut client).await;
    let (now, code) = (server.clock.now(), oathtool(begun.secret(), server.clock.now()));
    for _ in 0..10 {
        assert_eq!(client.post("/v1/setup/finish", begun.finish(&wrong_code(&code), &begun.root(now))).await.code(), "code_refused");
    }
    assert_eq!(client.post("/v1/setup/finish", begun.finish(&code, &begun.root(now))).await.json()["field"], "draft");
    let late = begin(&server, &mut client).await;
    server.clock.advance(3600);
    let code = oathtool(late.secret(), server.clock.now());
    assert_eq!(client.post("/v1/setup/finish", late.finish(&code, &late.root(server.clock.now()))).await.json()["field"], "draft");
}

#[tokio::test]
async fn bodies_that_are_not_as_described_are_refused_by_code() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    for (body, code) in [(json!({}), "malformed"), (json!([]), "malformed"), (json!({ "token": 1 }), "malformed")] {
        assert_eq!(client.post("/v1/setup/start", body).await.code(), code);
    }
    let huge = json!({ "token": "x".repeat(3 * 1024 * 1024) });
    assert_eq!(client.post("/v1/setup/start", huge).await.code(), "body_too_large");
    let text = "POST /v1/setup/start HTTP/1.1\r\nhost: localhost:8800\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    assert_eq!(exchange(server.address, text.as_bytes()).await.code(), "unsupported_media_type");
    let doubled = "POST /v1/setup/start HTTP/1.1\r\nhost: localhost:8800\r\ncontent-type: application/json\r\ncontent-length: 25\r\nconnection: close\r\n\r\n{\"token\":\"a\",\"token\":\"b\"}";
    assert_eq!(exchange(server.address, doubled.as_bytes()).await.code(), "malformed");
}
