//! What every answer tells a browser: routes, refusals, pages, files and nonsense alike.

use sallyport_testkit::client::{Call, Client, Reply, exchange};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};

use super::routes::routes;

const PAGE: &str = "<!doctype html><title>Sallyport</title><script type=\"module\" src=\"/assets/a.js\"></script>";

/// A server at an `https` address, with a console of two files.
async fn behind_tls() -> (TestServer, tempfile::TempDir) {
    let console = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(console.path().join("assets")).expect("a folder");
    std::fs::write(console.path().join("index.html"), PAGE).expect("a page");
    std::fs::write(console.path().join("assets/a.js"), "export {};").expect("a script");
    let folder = console.path().to_owned();
    let server = TestServer::configured(Engine::Sqlite, |raw| {
        raw.public_url = Some("https://rmm.example.test".into());
        raw.console_dir = Some(folder);
    })
    .await;
    (server, console)
}

#[track_caller]
fn assert_guarded(reply: &Reply, what: &str) {
    let says = |name: &str| reply.header(name).unwrap_or_else(|| panic!("{what}: {name} is missing: {:?}", reply.headers)).to_owned();
    let hsts = says("strict-transport-security");
    let age = hsts.split(';').find_map(|part| part.trim().strip_prefix("max-age=")).and_then(|age| age.parse::<u64>().ok());
    assert!(age >= Some(365 * 86_400) && hsts.contains("includeSubDomains"), "{what}: {hsts}");
    for (name, wanted) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(says(name), wanted, "{what}: {name}");
    }
    let policy = says("content-security-policy");
    for wanted in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(wanted), "{what}: {policy}");
    }
    assert!(!["unsafe", "http:", "*"].iter().any(|loose| policy.contains(loose)), "{what}: {policy}");
    // One address is one site: no other origin's page reads anything, not even where it asks politely.
    let shared = reply.headers.iter().find(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(shared, None, "{what}");
}

#[tokio::test]
async fn web_01_every_answer_of_every_route_has_the_headers() {
    let (server, _console) = behind_tls().await;
    let mut owner = Owner::set_up(&server).await;
    for route in routes() {
        let refused = Client::new(&server, 9).send(route.call()).await;
        assert_guarded(&refused, &format!("{route} for nobody"));
        if route.method == "GET" && !route.streams() {
            let read = owner.client.send(route.call().header("origin", "https://rmm.example.test")).await;
            assert_guarded(&read, &format!("{route} for the owner"));
        }
        let preflight = Call::new("OPTIONS", &route.concrete());
        let preflight = preflight.header("origin", "https://evil.example").header("access-control-request-method", &route.method);
        let asked = Client::new(&server, 9).send(preflight).await;
        assert_guarded(&asked, &format!("{route} asked for by another site"));
        assert!(asked.status >= 400, "{route}: {}", asked.status);
    }
}

#[tokio::test]
async fn web_01_pages_files_and_nonsense_have_them_too() {
    let (server, _console) = behind_tls().await;
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: rmm.example.test\r\nconnection: close\r\n\r\n");
        exchange(server.address, request.as_bytes()).await
    };
    for (path, status) in [
        ("/", 200),
        ("/devices", 200),
        ("/assets/a.js", 200),
        ("/assets/none.js", 404),
        ("/v1/nowhere", 404),
        ("/healthz", 200),
        ("/docs/errors", 200),
        ("/.well-known/none", 404),
        ("/setup/..%2f..%2fetc/passwd", 200),
    ] {
        let reply = ask(path).await;
        assert_eq!(reply.status, status, "{path}");
        assert_guarded(&reply, path);
    }
    let policy = ask("/").await.header("content-security-policy").expect("a policy").to_owned();
    for wanted in ["object-src 'none'", "base-uri 'none'", "form-action 'none'", "script-src 'self'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(wanted), "{policy}");
    }
}

#[tokio::test]
async fn web_01_without_tls_nobody_is_told_to_insist_on_it() {
    let server = TestServer::start().await;
    let reply = Client::new(&server, 1).get("/v1/setup").await;
    assert_eq!((reply.status, reply.header("strict-transport-security")), (200, None));
}
