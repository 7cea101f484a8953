//! The server as operators run it: its metrics, its log, its end.

use std::net::SocketAddr;
use std::time::Duration;

use sallyport_testkit::client::{Call, exchange};
use sallyport_testkit::host::Host as _;
use sallyport_testkit::installation::{Installation, free_port};
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, PASSWORD, sign_in};
use sallyport_testkit::postgres;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Beyond what open requests get, with room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn metrics_are_served_where_the_operator_says_and_nowhere_else() {
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let installation = Installation::configured(&[("SALLYPORT_METRICS_LISTEN", &metrics.to_string())]);
    let ask = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    installation.browser(1).get("/v1/nowhere").await;
    let told = String::from_utf8(exchange(metrics, ask).await.body).expect("text");
    assert!(told.contains("sallyport_http_requests_total{status=\"404\"}") && told.contains("sallyport_http_seconds"), "{told}");
    let outside = String::from_utf8_lossy(&exchange(installation.address(), ask).await.body).into_owned();
    assert!(!outside.contains("sallyport_http_requests_total"), "{outside}");
}

/// The database goes away under a server that runs, and comes back.
#[tokio::test]
async fn it_is_ready_while_its_store_answers_and_alive_in_any_case() {
    let server = TestServer::start_on(Engine::Postgres).await;
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        exchange(server.address, request.as_bytes()).await.status
    };
    let at_once = async || tokio::join!(ask("/readyz"), ask("/readyz"), ask("/readyz"), ask("/readyz"));
    const READY: (u16, u16, u16, u16) = (200, 200, 200, 200);
    // More than one connection has been used a moment ago.
    assert_eq!(at_once().await, READY);
    assert_eq!(ask("/healthz").await, 200);
    let address = server.app.config.database.clone();
    let name = address.split_once("localhost/").and_then(|(_, rest)| rest.split('?').next()).expect("a name").to_owned();
    let beside = address.replace(&name, "postgres");
    postgres::run(&beside, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    postgres::run(&beside, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    assert_eq!((ask("/readyz").await, ask("/healthz").await), (503, 200));
    postgres::run(&beside, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    assert_eq!(ask("/readyz").await, 200, "it needs no other start");
    // Its server ends under it and is there again at once, as when another one takes over: whoever asks does not learn of it.
    for _ in 0..3 {
        assert_eq!(at_once().await, READY);
        postgres::run(&beside, &format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"));
        assert_eq!(at_once().await, READY);
    }
}

#[tokio::test]
async fn log_05_neither_log_nor_audit_holds_a_secret_however_much_it_tells() {
    let installation = Installation::configured(&[("SALLYPORT_LOG", "trace"), ("SALLYPORT_LOG_FORMAT", "json")]);
    let token = installation.setup_token();
    let mut operator = Operator::set_up(&installation).await;
    let file: Value = serde_json::from_str(&operator.installer(1).await).expect("an enrolment file");
    let mut stranger = installation.browser(9);
    let wrong = "eleven wrong horses at night";
    assert_eq!(sign_in(&mut stranger, EMAIL, wrong, "135790").await.status, 401);
    let code = operator.codes.fresh().await;
    assert_eq!(sign_in(&mut stranger, EMAIL, PASSWORD, &code).await.status, 200);
    let signed_in = stranger.cookie.clone().expect("a cookie");
    let first = operator.owner.client.cookie.clone().expect("a cookie");
    let audit = stranger.get("/v1/audit?limit=1000").await;
    assert!(audit.json()["items"].as_array().is_some_and(|items| items.len() > 5), "{}", audit.json());
    assert_eq!(operator.owner.client.post("/v1/sign-out", json!({})).await.status, 204);

    let log = installation.log();
    let audit = String::from_utf8(audit.body).expect("text");
    let (mut lines, mut requests) = (0, 0);
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        lines += 1;
        requests += usize::from(entry["target"] == "sallyport::http");
    }
    assert!(lines > requests && requests > 5, "{lines} lines tell of {requests} requests");
    let owner = &operator.owner;
    let secrets = [PASSWORD, wrong, "135790", &code, &token, &owner.secret, &signed_in, &first];
    for secret in secrets.into_iter().chain(owner.recovery_codes.iter().map(String::as_str)).chain(long_texts(&file["token"])) {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!audit.contains(secret), "{secret} is in the audit log");
    }
}

/// The texts of an enrolment token, beside its id.
fn long_texts(token: &Value) -> Vec<&str> {
    token.as_object().into_iter().flatten().filter(|(name, _)| *name != "id").filter_map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn told_to_end_it_answers_what_is_under_way_takes_on_nothing_and_ends_well() {
    let mut installation = Installation::plain();
    let mut operator = Operator::set_up(&installation).await;
    let client = &mut operator.owner.client;
    let mut events = client.follow("/v1/events").await;
    let mut head = [0; 64];
    assert!(events.read(&mut head).await.expect("a stream") > 0);
    client.get("/v1/nonce").await;
    let call = Call::new("POST", "/v1/customers").body(json!({ "name": "Under way" }));
    let proof = client.proof(&call);
    let (mut under_way, rest) = client.begin(&call, &proof).await;

    installation.terminate();
    tokio::time::sleep(Duration::from_millis(200)).await;
    under_way.write_all(&rest).await.expect("it still reads");
    let mut answer = String::new();
    timeout(PATIENCE, under_way.read_to_string(&mut answer)).await.expect("in time").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    timeout(PATIENCE, events.read_to_end(&mut Vec::new())).await.expect("in time").expect("the stream ends");
    assert!(installation.ended().success(), "{}", installation.log());
    assert!(tokio::net::TcpStream::connect(installation.address()).await.is_err());

    installation.start();
    let listed = operator.owner.client.get("/v1/customers").await.json();
    assert!(
        listed["items"].as_array().expect("a list").iter().any(|one| one["name"] == "Under way"),
        "what was answered is kept: {listed}"
    );
}
