//! `api`: what a tool waits for: a token, a signed request, a revocation that holds, and a list of 10,000 devices. Each is measured against
//! a handler of the same web framework that answers as many bytes and does nothing, over the same kind of connections, in the same process.
//!
//! The clients' own work (signing) is done before the clock starts, on both sides.

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use sallyport_model::{CustomerId, DeviceId, SiteId, TenantId};
use sallyport_store::values;
use sallyport_testkit::client::{Call, exchange};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rows::{PutDevice, Rows};
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;

use crate::measure::millis;
use crate::report::Row;

const TOKENS: usize = 200;
const REQUESTS: usize = 500;
const REVOCATIONS: usize = 100;
const LISTS: usize = 10;
const DEVICES: u32 = 10_000;
const PAGE: usize = 1_000;
/// Longer than a token that nobody uses lives: the client may have only so many.
const TOKEN_SECS: i64 = 61;
const BARE: &str = "bare axum handler";

/// A handler that answers with so many bytes.
struct Bare {
    address: SocketAddr,
}

impl Bare {
    async fn answering(body: Vec<u8>) -> Self {
        let body = Bytes::from(body);
        let answer = move || std::future::ready(body.clone());
        let router = Router::new().route("/", get(answer.clone()).post(move |_: Bytes| answer()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    /// How long so many requests take, each as the product's are: with a head of the same headers, over a connection of its own.
    async fn measure(&self, count: usize, method: &str, body: &str) -> Vec<f64> {
        let filler = "x".repeat(1_000);
        let head = format!(
            "{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {filler}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body.as_bytes()].concat();
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            assert_eq!(exchange(self.address, &request).await.status, 200);
            took.push(millis(begun));
        }
        took
    }
}

fn p50(values: &[f64]) -> f64 {
    Row::of("api", "", "ms", values).p50
}

pub(crate) async fn measure() -> Vec<Row> {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut tool = Tool::made(&server, &mut owner, 21, &["devices.read"]).await;
    fill(&server, &mut owner).await;
    vec![
        issues(&server, &mut tool).await,
        requests(&server, &mut tool).await,
        revocations(&server, &mut tool).await,
        lists(&server, &mut tool).await,
    ]
}

/// A token for an assertion: verified, used up, stored, durable.
async fn issues(server: &TestServer, tool: &mut Tool) -> Row {
    let mut took = Vec::with_capacity(TOKENS);
    let mut answer = renew(server, tool).await;
    for at in 0..TOKENS {
        server.clock.advance(if at % 50 == 0 { TOKEN_SECS } else { 1 });
        tool.wire.get("/v1/nonce").await.header("dpop-nonce").expect("a nonce").clone_into(&mut tool.nonce);
        let call = Tool::token_call(&tool.assertion());
        tool.token.clear();
        let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&call));
        let begun = Instant::now();
        let reply = tool.sends_with(&call, &proof).await;
        took.push(millis(begun));
        assert_eq!(reply.status, 200, "{}", reply.json());
        answer = reply.body;
    }
    let bare = Bare::answering(answer).await.measure(TOKENS, "POST", &"x".repeat(800)).await;
    Row::of("api", "token-issue", "ms", &took).against(BARE, p50(&bare))
}

/// A request with a token and a proof, for one device: both looked up and verified, the rights of its owner read.
async fn requests(server: &TestServer, tool: &mut Tool) -> Row {
    let mut took = Vec::with_capacity(REQUESTS);
    let mut answer = Vec::new();
    renew(server, tool).await;
    let first = tool.get("/v1/devices?limit=1").await.json();
    let device = format!("/v1/devices/{}", first["items"][0]["id"].as_str().expect("an id"));
    for at in 0..REQUESTS {
        if at % 20 == 0 {
            renew(server, tool).await;
        }
        let reply = timed(tool, &Call::new("GET", &device), &mut took).await;
        assert_eq!(reply.0, 200);
        answer = reply.1;
        server.clock.advance(1);
    }
    let bare = Bare::answering(answer).await.measure(REQUESTS, "GET", "").await;
    Row::of("api", "signed-request", "ms", &took).against(BARE, p50(&bare))
}

/// From asking for a token's end to the first request that is refused for it, which is the next one: two requests, so two bare ones.
async fn revocations(server: &TestServer, tool: &mut Tool) -> Row {
    let mut took = Vec::with_capacity(REVOCATIONS);
    for _ in 0..REVOCATIONS {
        renew(server, tool).await;
        let call = Call::new("GET", "/v1/devices?limit=1");
        let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&call));
        let begun = Instant::now();
        assert_eq!(tool.revokes(&tool.token).await.status, 200);
        let refused = tool.sends_with(&call, &proof).await;
        took.push(millis(begun));
        assert_eq!((refused.status, refused.code().as_str()), (401, "token_refused"));
    }
    let bare = Bare::answering(b"{}".to_vec()).await.measure(REVOCATIONS * 2, "POST", "x").await;
    Row::of("api", "revocation", "ms", &took).against("two requests of a bare axum handler", 2.0 * p50(&bare))
}

/// All devices, page by page, as large as pages get.
async fn lists(server: &TestServer, tool: &mut Tool) -> Row {
    let (mut took, mut pages) = (Vec::with_capacity(LISTS), Vec::new());
    for _ in 0..LISTS {
        renew(server, tool).await;
        pages.clear();
        let (mut each, mut path) = (Vec::new(), format!("/v1/devices?limit={PAGE}"));
        loop {
            let (status, body) = timed(tool, &Call::new("GET", &path), &mut each).await;
            assert_eq!(status, 200);
            let page: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            pages.push(body);
            match page["next"].as_str() {
                Some(next) => path = format!("/v1/devices?limit={PAGE}&cursor={next}"),
                None => break,
            }
        }
        took.push(each.iter().sum());
    }
    assert_eq!(pages.len(), DEVICES as usize / PAGE, "all of them");
    let mut bare = 0.0;
    for page in pages {
        bare += p50(&Bare::answering(page).await.measure(LISTS, "GET", "").await);
    }
    Row::of("api", "list-10000-devices", "ms", &took).against("the same pages from a bare axum handler", bare)
}

/// A fresh token, outside of what is measured.
async fn renew(server: &TestServer, tool: &mut Tool) -> Vec<u8> {
    server.clock.advance(TOKEN_SECS);
    let reply = tool.gets_token().await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    // A read that brings the newest nonce.
    tool.get("/v1/devices?limit=1").await;
    reply.body
}

async fn timed(tool: &mut Tool, call: &Call, took: &mut Vec<f64>) -> (u16, Vec<u8>) {
    let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(call));
    let begun = Instant::now();
    let reply = tool.sends_with(call, &proof).await;
    took.push(millis(begun));
    (reply.status, reply.body)
}

async fn fill(server: &TestServer, owner: &mut Owner) {
    let tenant: TenantId = owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
    let (customer, site) = (CustomerId::from_bytes([1; 16]), SiteId::from_bytes([1; 16]));
    let customers = values![customer, tenant, "Hafen", 0i64].to_vec();
    let sites = values![site, tenant, customer, "Kiel", 0i64].to_vec();
    let device = |n: u32| {
        let id = DeviceId::from_bytes([n.to_be_bytes(); 4].concat().try_into().unwrap_or_default());
        PutDevice::numbered(n, id, tenant, site)
    };
    for rows in [
        Rows { table: "customers", columns: &["id", "tenant", "name", "created"], rows: vec![customers] },
        Rows { table: "sites", columns: &["id", "tenant", "customer", "name", "created"], rows: vec![sites] },
        PutDevice::rows((0..DEVICES).map(device)),
    ] {
        server.app.store.commit(rows).await.expect("the store takes them");
    }
}
