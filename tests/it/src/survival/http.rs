//! Hostile HTTP: every route of the table, with everything that a client could do wrong on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sallyport_api::Code;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::TestServer;
use serde_json::{Value, json};

use super::routes::{Route, routes, sample};

/// Ids that name nothing, and some that are none.
const IDS: &[&str] = &[
    "x1",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%2f..%2fme",
    "%00",
    "%ff%fe",
    "'%20OR%201=1%20--",
    "%F0%9F%90%9F",
    "-9223372036854775809",
    "99999999999999999999999999",
    "null",
];

/// A server with an owner who is signed in, and a clone of whose browser anybody may break.
struct Target {
    server: TestServer,
    owner: Owner,
}

impl Target {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let owner = Owner::set_up(&server).await;
        Self { server, owner }
    }

    /// Sends what an attack makes of a route, in a live session.
    async fn attack(&mut self, route: &Route, call: Call) -> Reply {
        if route.path == "/v1/sign-out" {
            // Its session may end, and another one is there for the next attack.
            self.server.clock.advance(30);
            let mut other = Client::new(&self.server, 3);
            let code = self.owner.code(&self.server);
            assert_eq!(self.owner.sign_in(&mut other, &code).await.status, 200);
            return other.send(call).await;
        }
        let reply = self.owner.client.send(call).await;
        if route.path == "/v1/me/not-me" && reply.status < 300 {
            // It ended every session of the owner.
            self.server.clock.advance(30);
            let mut again = Client::new(&self.server, 4);
            let code = self.owner.code(&self.server);
            assert_eq!(self.owner.sign_in(&mut again, &code).await.status, 200);
            self.owner.client = again;
        }
        reply
    }

    async fn is_well(&mut self) {
        assert_eq!(self.owner.client.get("/v1/me").await.status, 200);
        assert_eq!(self.owner.client.get("/readyz").await.status, 200);
    }
}

/// Nothing that a client sends is the server's failure, and each refusal is a problem with a known code and its status.
#[track_caller]
fn assert_decent(reply: &Reply, what: &str) {
    let text = || format!("{what}: {} {}", reply.status, String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]));
    assert!(reply.status < 500, "{}", text());
    if reply.status < 400 {
        return;
    }
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", text());
    let problem = reply.json();
    let code = Code::ALL.iter().find(|code| Some(code.as_str()) == problem["code"].as_str());
    assert_eq!(code.map(|code| code.status()), Some(reply.status), "{}", text());
    assert_eq!(problem["status"], reply.status, "{}", text());
    assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{}", text());
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{}", text());
}

#[track_caller]
fn assert_refused(reply: &Reply, code: &str, what: &str) {
    assert_decent(reply, what);
    assert_eq!(reply.code(), code, "{what}: {}", String::from_utf8_lossy(&reply.body));
}

#[tokio::test]
async fn ses_08_no_route_answers_without_a_session_unless_it_says_so() {
    let target = Target::new().await;
    for route in routes() {
        let call = route.call();
        let nobody = Client::new(&target.server, 9).send(call.clone()).await;
        assert_decent(&nobody, &format!("{route} without a session"));
        if route.is_public() {
            continue;
        }
        assert_refused(&nobody, "not_signed_in", &format!("{route} without a session"));
        let too_long = "A".repeat(8000);
        for cookie in ["", "garbage", "\"", "%00", &"A".repeat(43), too_long.as_str()] {
            let mut client = Client::new(&target.server, 9);
            client.cookie = Some(cookie.to_owned());
            assert_refused(&client.send(call.clone()).await, "not_signed_in", &format!("{route} with the cookie {cookie:.50}"));
        }
        let unsigned = target.owner.client.send_with(&call, None).await;
        assert_eq!(unsigned.status, 401, "{route} with the cookie alone");
        assert_decent(&unsigned, &format!("{route} with the cookie alone"));
        let mut thief = Client::new(&target.server, 9);
        thief.cookie.clone_from(&target.owner.client.cookie);
        assert_refused(&thief.send(call).await, "proof_refused", &format!("{route} with a stolen cookie"));
    }
}

#[tokio::test]
async fn ses_08_no_route_answers_another_site() {
    let mut target = Target::new().await;
    for route in routes() {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:8801"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let reply = target.attack(&route, route.call().header(name, value)).await;
            assert_refused(&reply, "origin_refused", &format!("{route} with {name}: {value}"));
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused() {
    let mut target = Target::new().await;
    let mut by_path: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in routes() {
        by_path.entry(route.concrete()).or_default().insert(route.method.clone());
    }
    for (path, known) in by_path {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            if known.contains(method) {
                continue;
            }
            let reply = target.owner.client.send(Call::new(method, &path)).await;
            assert_refused(&reply, "method_not_allowed", &format!("{method} {path}"));
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_on_every_route() {
    let mut target = Target::new().await;
    let deep = "[".repeat(200_000);
    let deep_object = "{\"a\":".repeat(50_000);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no JSON", b"hello".to_vec()),
        ("half of it", b"{\"name\":".to_vec()),
        ("another type", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999".to_vec()),
        ("deep", deep.into_bytes()),
        ("deep objects", deep_object.into_bytes()),
        ("no UTF-8", b"{\"name\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate", br#"{"name":"\ud800"}"#.to_vec()),
        ("trailing", b"{} {}".to_vec()),
        ("NUL", vec![0; 1000]),
    ];
    for route in routes().into_iter().filter(|route| !route.streams()) {
        for (what, body) in &bodies {
            let reply = target.attack(&route, route.bare().raw(body.clone())).await;
            assert_decent(&reply, &format!("{route} with {what}"));
            if sample(&route).is_some() {
                assert_eq!(reply.code(), "malformed", "{route} with {what}: {}", String::from_utf8_lossy(&reply.body));
            }
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_on_every_route() {
    let mut target = Target::new().await;
    for route in routes() {
        let big = json!({ "name": "a".repeat(3 * 1024 * 1024) });
        let reply = target.attack(&route, route.bare().body(big)).await;
        assert_refused(&reply, "body_too_large", &format!("{route} with 3 MB"));
    }
    target.is_well().await;
}

#[tokio::test]
async fn other_types_than_json_are_refused() {
    let mut target = Target::new().await;
    for route in routes() {
        let Some(body) = sample(&route) else { continue };
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "application/jsonp",
            "\"application/json",
        ] {
            let call = route.bare().raw(body.to_string()).header("content-type", kind);
            assert_refused(&target.attack(&route, call).await, "unsupported_media_type", &format!("{route} as {kind}"));
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn fields_that_nobody_knows_and_fields_that_come_twice_are_refused() {
    let mut target = Target::new().await;
    for route in routes() {
        let Some(body) = sample(&route) else { continue };
        let text = body.to_string();
        let unknown = text.replacen('{', "{\"is_admin\":true,", 1);
        assert_refused(&target.attack(&route, route.bare().raw(unknown)).await, "malformed", &format!("{route} with one field more"));
        for (name, value) in body.as_object().expect("an object") {
            let twice = text.replacen('{', &format!("{{\"{name}\":{value},"), 1);
            let reply = target.attack(&route, route.bare().raw(twice)).await;
            assert_refused(&reply, "malformed", &format!("{route} with {name} twice"));
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn fields_of_another_kind_are_refused_or_harmless() {
    let mut target = Target::new().await;
    let strange = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!("\u{0}"),
        json!("\u{202e}<script>alert(1)</script>"),
        json!("'; DROP TABLE users; --"),
        json!("../../etc/passwd"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([[]]),
        json!(["x".repeat(70_000)]),
        json!({}),
        json!({ "$ne": null }),
    ];
    for route in routes() {
        let Some(body) = sample(&route) else { continue };
        for name in body.as_object().expect("an object").keys() {
            for value in &strange {
                let mut changed = body.clone();
                changed[name] = value.clone();
                let reply = target.attack(&route, route.bare().body(changed)).await;
                // A wrong code or password counts against the account, which locks: also a typed refusal.
                assert_decent(&reply, &format!("{route} with {name} = {value:.60}"));
            }
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn ids_that_name_nothing_are_not_found() {
    let mut target = Target::new().await;
    let huge = "9".repeat(3000);
    for route in routes().into_iter().filter(|route| route.path.contains('{')) {
        for id in IDS.iter().copied().chain([huge.as_str()]) {
            let mut call = route.call();
            call.path = route.with_id(id);
            let reply = target.attack(&route, call).await;
            assert_decent(&reply, &format!("{route} with {id:.40}"));
            assert!(matches!(reply.status, 400 | 404), "{route} with {id:.40}: {}", reply.status);
        }
        let reply = target.attack(&route, route.call()).await;
        assert_decent(&reply, &format!("{route} with a well-formed id of nothing"));
        assert!((400..500).contains(&reply.status), "{route}: {}", reply.status);
    }
    target.is_well().await;
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let mut target = Target::new().await;
    let long = format!("q={}", "a".repeat(3000));
    for route in routes().into_iter().filter(|route| route.method == "GET" && !route.streams()) {
        for query in [
            "cursor=%00",
            "cursor=../../x",
            "cursor=AAAA",
            "limit=0",
            "limit=-1",
            "limit=99999999999999999999",
            "limit=1&limit=2",
            "after=18446744073709551616",
            "before=-1",
            "sort=;drop",
            "state=%ff",
            "q=%25%5F%27",
            "unknown=1",
            "=&&==&",
            "version=0",
            long.as_str(),
        ] {
            let reply = target.owner.client.get(&format!("{}?{query}", route.concrete())).await;
            assert_decent(&reply, &format!("{route}?{query:.60}"));
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn odd_paths_reach_no_route() {
    let mut target = Target::new().await;
    for path in [
        "//v1/me",
        "/v1//me",
        "/v1/me/",
        "/v1/./me",
        "/v1/../v1/me",
        "/v1/%6de",
        "/%76%31/me",
        "/V1/me",
        "/v1%2fme",
        "/v1/me%00",
        "/v1/me;x=1",
        "/v1/me.json",
        "/v1/customers/../me",
        "/v1",
        "/v1/",
        "/agent/",
        "/agent/link/x",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = target.owner.client.send(Call::new(method, path)).await;
            // Outside of the API the console answers, whose pages are no problems.
            assert!(reply.status < 500, "{method} {path}: {}", reply.status);
            assert!(reply.json()["email"].is_null(), "{method} {path} answers as /v1/me");
        }
    }
    target.is_well().await;
}

#[tokio::test]
async fn a21_no_page_dials_the_agent_link() {
    let mut target = Target::new().await;
    let tenant = target.owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("a tenant").to_owned();
    let path = format!("/agent/link?tenant={tenant}");
    let upgrade = || {
        let call = Call::new("GET", &path).header("upgrade", "websocket").header("sec-websocket-version", "13");
        call.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let nobody = Client::new(&target.server, 9);
    for origin in ["https://evil.example", "null", target.server.app.config.origin()] {
        let reply = nobody.send_with(&upgrade().header("origin", origin), None).await;
        assert_refused(&reply, "origin_refused", &format!("a page of {origin}"));
    }
    let reply = nobody.send_with(&upgrade().header("sec-fetch-site", "none"), None).await;
    assert_refused(&reply, "origin_refused", "any browser");
    for path in ["/agent/link", "/agent/link?tenant=", "/agent/link?tenant=ten_00000000000000000000000000", "/agent/link?tenant=x&more=1"] {
        let reply = nobody.send_with(&Call::new("GET", path), None).await;
        assert_decent(&reply, path);
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
    }
}

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_and_hold_nobody_up() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut target = Target::new().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(target.server.address).await.expect("a connection");
        stream.write_all(b"POST /v1/sign-in HTTP/1.1\r\nhost: x\r\nx-slow: ").await.expect("a few bytes");
        slow.push(stream);
    }
    let begun = std::time::Instant::now();
    target.is_well().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "others are served meanwhile");
    let mut rest = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(25), slow[0].read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "a head that does not come is not waited for");
}

#[tokio::test]
async fn every_route_with_a_body_has_a_sample() {
    let document = serde_json::from_str::<Value>(&sallyport_server::print_openapi().expect("JSON")).expect("JSON");
    for route in routes() {
        let row = &document["paths"][&route.path][route.method.to_lowercase()];
        assert_eq!(sample(&route).is_some(), !row["requestBody"].is_null(), "{route}");
    }
    assert!(sample(&Route::of("POST", "/v1/sign-in")).is_some_and(|body| body["email"] == EMAIL && body["password"] == PASSWORD));
}

/// Capabilities whose routes change something without asking for a fresh proof, reviewed one by one: what is one's own and proved in the
/// request itself, labels and places, the library (what runs is frozen with its digest), what only ever ends something, and questions that
/// keep nothing (`devices.read`, `jobs.read`, `posture.read`).
const CHANGES_FREELY: [&str; 30] = [
    "self.sign_out",
    "self.confirm_recovery_codes",
    "self.sessions",
    "self.programs",
    "self.enrol",
    "self.password",
    "self.elevate",
    "self.check_up",
    "self.addresses",
    "self.not_me",
    "self.activate",
    "self.stop_reset",
    "devices.read",
    "devices.tag",
    "customers.write",
    "installers.write",
    "clients.write",
    // Allowed by terms that somebody proved; nobody sees the credential, and replacing or forgetting it gives nobody anything.
    "connections.use",
    "connections.manage",
    "scripts.write",
    "jobs.read",
    "jobs.cancel",
    "schedules.stop",
    "requests.prove",
    "posture.read",
    "posture.accept",
    "people.write",
    "remote.open",
    "remote.end",
    // Pausing, trying and removing a webhook: none of it opens a way out.
    "webhooks.write",
];

#[test]
fn step_11_what_changes_without_a_class_is_on_the_reviewed_list() {
    let table = sallyport_server::routes::print();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| words[1].starts_with("/v1/"));
    let changes = rows.filter(|words| words[0] != "GET" && words[2] != "public");
    let mut seen = 0;
    for words in changes {
        let guarded = words[3].starts_with(|first: char| first.is_ascii_digit());
        seen += 1;
        assert!(guarded || CHANGES_FREELY.contains(&words[2]), "{words:?} has no class: give it one, or review why it needs none");
    }
    assert!(seen > 40, "the table is read");
}
