//! A credential goes in once, and comes out in one place: the request to the vendor.

use sallyport_store::values;
use sallyport_testkit::agent::program;
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::vendor::{SECRET, Vendor};
use super::{World, assert_refused, made, wanted};

on_both!(
    a_credential_is_nowhere_in_the_clear,
    a_credential_is_entrusted_for_one_place_alone,
    a_credential_whose_request_is_denied_is_forgotten,
    what_is_shown_before_the_proof_is_what_is_done,
);

/// How many sealed credentials there are.
pub(super) async fn kept(world: &World) -> u64 {
    let mut reader = world.server.app.store.read().await.expect("a reader");
    let row = reader.fetch_one("SELECT COUNT(*) AS n FROM connection_secrets", values![]).await.expect("a count");
    row.uint("n").expect("a number")
}

#[track_caller]
fn assert_absent(place: &str, bytes: &[u8], secret: &str) {
    let forms = [secret.to_owned(), data_encoding::BASE64.encode(secret.as_bytes()), data_encoding::HEXLOWER.encode(secret.as_bytes())];
    for form in forms {
        let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
        assert!(!found, "{form} is in {place}");
    }
}

async fn a_credential_is_nowhere_in_the_clear(engine: Engine) {
    let mut world = World::new(engine, made()).await;
    for path in ["tickets", "echo", "unsure"] {
        world.calls("GET", path).await;
    }
    let rotate = world.path("/rotate");
    assert_eq!(world.owner.client.post(&rotate, json!({})).await.status, 202);
    world.told("connection.rotated", 1).await;
    let new = world.vendor.takes();
    assert_ne!(new, SECRET);
    world.server.clock.advance(61);
    world.told("connection.used", 1).await;
    let (one, calls) = (world.path(""), world.path("/calls"));
    for path in ["/v1/connections", &one, &calls, "/v1/audit?limit=200", "/v1/authorization-requests", "/v1/openapi.json"] {
        let reply = world.owner.client.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        for secret in [SECRET, &new] {
            assert_absent(path, &reply.body, secret);
        }
    }
    let at_rest = world.server.bytes_at_rest();
    assert!(at_rest.len() > 10_000, "there is something to look through");
    for secret in [SECRET, &new] {
        assert_absent("the server's files", &at_rest, secret);
    }
}

/// A copy is carried elsewhere, and kept by others.
#[tokio::test]
async fn a_credential_is_not_in_the_clear_in_a_backup() {
    let world = World::new(Engine::Sqlite, json!({})).await;
    let copies = tempfile::tempdir().expect("a folder");
    let copy = copies.path().join("copy");
    let mut backup = std::process::Command::new(program("sallyport"));
    backup.args(["backup", "--data-dir"]).arg(world.server.folder()).arg(&copy);
    let done = backup.env_remove("SALLYPORT_CONFIG").env_remove("SALLYPORT_DATABASE").output().expect("the program runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut looked_through = 0;
    for file in std::fs::read_dir(&copy).expect("the copy") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("its bytes");
        looked_through += bytes.len();
        assert_absent(&path.display().to_string(), &bytes, SECRET);
        assert_eq!(
            bytes.windows(13).any(|window| window == b"Ticket system"),
            path.ends_with("sallyport.db"),
            "what is no secret is found"
        );
    }
    assert!(looked_through > 100_000, "there is something to look through");
}

async fn a_credential_is_entrusted_for_one_place_alone(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let elsewhere = Vendor::start().await;
    let path = world.path("");
    for change in [
        json!({ "base_url": elsewhere.url, "secret": null }),
        json!({ "base_url": format!("{}/public", world.vendor.url), "secret": null }),
        json!({ "credential": { "in": "header", "name": "x-echo" }, "secret": null }),
        json!({ "base_url": elsewhere.url, "secret": "" }),
        json!({ "rotation": made()["rotation"], "secret": null }),
    ] {
        let body = wanted(&world.server, &world.vendor, change);
        let reply = world.owner.client.send(Call::new("PUT", &path).body(body)).await;
        assert_refused(&reply, 422, "invalid_field");
        assert_eq!(reply.json()["field"], "secret");
    }
    let body = wanted(&world.server, &world.vendor, json!({ "base_url": elsewhere.url, "secret": "another-credential" }));
    let changed = world.owner.does(&world.server, Call::new("PUT", &path).body(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_refused(&world.calls("GET", "tickets").await, 502, "vendor_refused");
    assert!(world.vendor.got().is_empty());
    assert_eq!(elsewhere.got()[0].header("authorization"), Some("Bearer another-credential"));
    assert_eq!(kept(&world).await, 1, "the former one is forgotten");
}

async fn a_credential_whose_request_is_denied_is_forgotten(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let asked = world.owner.client.post("/v1/connections", wanted(&world.server, &world.vendor, json!({ "name": "Second" }))).await;
    assert_eq!((asked.status, &asked.json()["class"]), (202, &json!(2)), "{}", asked.json());
    assert_eq!(kept(&world).await, 2);
    let path = format!("/v1/authorization-requests/{}/deny", asked.json()["id"].as_str().expect("an id"));
    assert_eq!(world.owner.client.post(&path, json!({})).await.status, 204);
    let deadline = tokio::time::Instant::now() + super::PATIENCE;
    while kept(&world).await != 1 {
        assert!(tokio::time::Instant::now() < deadline, "it is still kept");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.calls("GET", "tickets").await.status, 200, "the other one stays");
}

async fn what_is_shown_before_the_proof_is_what_is_done(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let path = world.path("");
    let expires = world.connection().await["expires"].clone();
    let body = wanted(&world.server, &world.vendor, json!({ "per_minute": 7, "secret": null, "expires": expires }));
    let asked = world.owner.client.send(Call::new("PUT", &path).body(body.clone())).await;
    let action = asked.json()["action"].clone();
    assert_eq!(
        (&action["kind"], &action["after"]["per_minute"], &action["before"]["per_minute"]),
        (&json!("change_connection"), &json!(7), &json!(60))
    );
    assert_eq!(action["new_credential"], false);
    let same = wanted(&world.server, &world.vendor, json!({ "secret": null, "expires": expires }));
    assert_refused(&world.owner.client.send(Call::new("PUT", &path).body(same)).await, 422, "nothing_to_do");
    // Meanwhile something else was proved: what was frozen is no longer so.
    let other = wanted(&world.server, &world.vendor, json!({ "per_minute": 9, "secret": null }));
    assert_eq!(world.owner.does(&world.server, Call::new("PUT", &path).body(other)).await.status, 200);
    let proofs = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    assert_refused(&world.owner.client.post(&proofs, json!({ "totp": code })).await, 409, "conflict");
    assert_eq!(world.connection().await["per_minute"], 9);
}

#[tokio::test]
async fn terms_that_mean_nothing_are_refused_by_field() {
    let mut world = World::new(Engine::Sqlite, json!({})).await;
    for (field, change) in [
        ("secret", json!({ "secret": null })),
        ("secret", json!({ "secret": "short" })),
        ("secret", json!({ "secret": "with a blank in it" })),
        ("base_url", json!({ "base_url": "https://user:word@vendor.example" })),
        ("base_url", json!({ "base_url": "https://vendor.example/?api_key=1" })),
        ("base_url", json!({ "base_url": "https://10.0.0.1/" })),
        ("base_url", json!({ "base_url": "https://169.254.169.254/latest" })),
        ("allows", json!({ "allows": [] })),
        ("allows", json!({ "allows": [{ "methods": ["GET"], "path": "/a/../b" }] })),
        ("headers", json!({ "headers": { "cookie": "a=b" } })),
        ("per_minute", json!({ "per_minute": 0 })),
        ("expires", json!({ "expires": "2020-01-01T00:00:00Z" })),
        ("rotation", json!({ "allows": [{ "methods": ["POST"], "path": "/**" }], "rotation": made()["rotation"] })),
        ("check", json!({ "check": null, "rotation": made()["rotation"] })),
    ] {
        let reply = world.owner.client.post("/v1/connections", wanted(&world.server, &world.vendor, change)).await;
        assert_refused(&reply, 422, "invalid_field");
        assert_eq!(reply.json()["field"], field, "{}", reply.json());
        assert_absent("a refusal", &reply.body, SECRET);
    }
    // A credential in the address is none that a form could even say.
    let query = wanted(&world.server, &world.vendor, json!({ "credential": { "in": "query", "name": "key" } }));
    assert_refused(&world.owner.client.post("/v1/connections", query).await, 400, "malformed");
}

#[tokio::test]
async fn an_address_of_the_servers_own_network_is_not_reached_unless_it_is_listed() {
    let server = TestServer::start().await;
    let (mut owner, vendor) = (Owner::set_up(&server).await, Vendor::start().await);
    let address = vendor.url.trim_start_matches("http://").trim_end_matches("/api").to_owned();
    let named = address.replace("127.0.0.1", "localhost");
    for url in [vendor.url.clone(), format!("https://{address}"), format!("http://{named}")] {
        let reply = owner.client.post("/v1/connections", wanted(&server, &vendor, json!({ "base_url": url }))).await;
        assert_refused(&reply, 422, "invalid_field");
        assert_eq!(reply.json()["field"], "base_url");
    }
    // A name is judged by what it means when it is used.
    let body = wanted(&server, &vendor, json!({ "base_url": format!("https://{named}") }));
    let made: Value = owner.does(&server, Call::new("POST", "/v1/connections").body(body)).await.json();
    let id = made["action"]["connection"].as_str().unwrap_or_else(|| panic!("an id: {made}"));
    let reply = owner.client.get(&format!("/v1/connections/{id}/proxy/tickets")).await;
    assert_refused(&reply, 502, "vendor_unreachable");
    assert!(vendor.got().is_empty());
}
