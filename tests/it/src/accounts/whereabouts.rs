//! One session in two networks at once, behind a listed proxy that says where each request comes from; and places by a database.

use std::path::{Path, PathBuf};

use sallyport_model::limits;
use sallyport_server::config::{Raw, RawMail};
use sallyport_server::outside::Outside;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::notices_begin;

on_both!(a09_a_session_in_two_networks_at_once_is_told_logged_and_marked_once);

const HOME: &str = "192.0.2.7";
const AWAY: &str = "198.51.100.7";
const FAR: &str = "203.0.113.9";

async fn behind_a_proxy(engine: Engine, change: impl FnOnce(&mut Raw)) -> TestServer {
    TestServer::configured(engine, |raw| {
        raw.trusted_proxies = Some(vec!["127.0.0.1".into()]);
        change(raw);
    })
    .await
}

async fn get(client: &mut Client, address: &str, path: &str) -> Reply {
    client.send(Call::new("GET", path).header("x-forwarded-for", address)).await
}

async fn signed_in(server: &TestServer, owner: &Owner, address: &str) -> Client {
    let mut client = Client::new(server, 2);
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": owner.code(server) });
    let reply = client.send(Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", address)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    client
}

/// Uses the session from each of these, one after the other, ten seconds apart.
async fn used_from(server: &TestServer, client: &mut Client, addresses: &[&str]) {
    for address in addresses {
        assert_eq!(get(client, address, "/v1/me").await.status, 200);
        server.clock.advance(10);
    }
}

/// The entries of the log, and what the sessions list says of this session.
async fn noticed(client: &mut Client, from: &str) -> (usize, Value) {
    let logged = get(client, from, "/v1/audit?kind=session.two_networks").await.json();
    let sessions = get(client, from, "/v1/me/sessions").await.json();
    let own = sessions["items"].as_array().into_iter().flatten().find(|one| one["current"] == true).cloned();
    (logged["items"].as_array().map_or(0, Vec::len), own.unwrap_or_default()["two_networks"].clone())
}

async fn a09_a_session_in_two_networks_at_once_is_told_logged_and_marked_once(engine: Engine) {
    let mails = MailServer::start();
    let server = behind_a_proxy(engine, |raw| {
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    let mut client = signed_in(&server, &owner, HOME).await;
    used_from(&server, &mut client, &[HOME, HOME, AWAY, AWAY, AWAY]).await;
    assert_eq!(noticed(&mut client, AWAY).await, (0, Value::Null), "who moves is in one place after the other");
    used_from(&server, &mut client, &[HOME]).await;
    let (logged, mark) = noticed(&mut client, HOME).await;
    assert_eq!((logged, &mark["networks"]), (1, &json!(["192.0.2.0/24", "198.51.100.0/24"])), "{mark}");
    let notice = mails.wait_for(EMAIL, "two networks at once").await;
    for part in [HOME, AWAY, "Not me", "/not-me#"] {
        assert!(notice.plain.contains(part), "{part}: {}", notice.plain);
    }
    used_from(&server, &mut client, &[AWAY, HOME, "198.51.100.200", "192.0.2.44", AWAY, HOME]).await;
    assert_eq!(noticed(&mut client, HOME).await.0, 1, "once for this pair");
    used_from(&server, &mut client, &[FAR, HOME, FAR]).await;
    assert_eq!(noticed(&mut client, FAR).await.0, 2, "another pair");
    let restarted = server.restart().await;
    let mut client = client.at(&restarted);
    used_from(&restarted, &mut client, &[HOME, AWAY, HOME, AWAY]).await;
    assert_eq!(noticed(&mut client, AWAY).await.0, 2, "also after a restart");
}

#[tokio::test]
async fn a09_who_changes_networks_all_the_time_floods_nobody() {
    let server = behind_a_proxy(Engine::Sqlite, |_| {}).await;
    let owner = Owner::set_up(&server).await;
    let mut client = signed_in(&server, &owner, HOME).await;
    for n in 0..20 {
        let address = format!("198.18.{n}.1");
        used_from(&server, &mut client, &[HOME, &address, HOME]).await;
    }
    assert_eq!(noticed(&mut client, HOME).await.0 as i64, limits::SESSION_PAIRS);
}

#[tokio::test]
async fn a09_two_lines_of_one_house_and_a_return_in_the_evening_are_nothing() {
    let server = behind_a_proxy(Engine::Sqlite, |_| {}).await;
    let owner = Owner::set_up(&server).await;
    let mut client = signed_in(&server, &owner, HOME).await;
    used_from(&server, &mut client, &[HOME, "2001:db8:1::1", HOME, "2001:db8:1:2::1", HOME, "192.0.2.200", HOME]).await;
    used_from(&server, &mut client, &[AWAY]).await;
    server.clock.advance(limits::TWO_NETWORKS_SECS);
    used_from(&server, &mut client, &[HOME]).await;
    assert_eq!(noticed(&mut client, HOME).await, (0, Value::Null));
}

/// Databases that PyPI's `mmdb-writer` made: see `make.py` beside them.
pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/places").join(name)
}

#[tokio::test]
async fn a09_a_database_of_operators_tells_whose_network_it_is() {
    let server = behind_a_proxy(Engine::Sqlite, |raw| raw.network_database = Some(fixture("operators.mmdb"))).await;
    let owner = Owner::set_up(&server).await;
    let mut client = signed_in(&server, &owner, HOME).await;
    // Both of AS64500, whatever their bits and protocols say.
    used_from(&server, &mut client, &[HOME, AWAY, HOME, "2001:db8:1::1", HOME]).await;
    assert_eq!(noticed(&mut client, HOME).await, (0, Value::Null), "one operator");
    used_from(&server, &mut client, &[FAR, HOME]).await;
    let (logged, mark) = noticed(&mut client, HOME).await;
    assert_eq!((logged, &mark["networks"]), (1, &json!(["AS64500", "AS64501"])), "{mark}");
}

#[tokio::test]
async fn places_of_a_real_database_stand_beside_sessions_and_addresses() {
    let server = behind_a_proxy(Engine::Sqlite, |raw| raw.place_database = Some(fixture("towns.mmdb"))).await;
    let owner = Owner::set_up(&server).await;
    for (address, place) in [
        (HOME, json!("Porto, Portugal")),
        ("2001:db8:1::1", json!("Porto, Portugal")),
        (AWAY, json!("Finland")),
        ("198.18.0.1", Value::Null),
    ] {
        let mut client = signed_in(&server, &owner, address).await;
        server.clock.advance(30);
        let sessions = get(&mut client, address, "/v1/me/sessions").await.json();
        let own = sessions["items"].as_array().into_iter().flatten().find(|one| one["current"] == true).cloned().unwrap_or_default();
        assert_eq!((&own["address"], &own["place"]), (&json!(address), &place), "{own}");
    }
}

/// What the server says to a setting that it cannot use.
async fn refusal(change: impl FnOnce(&mut Raw, &Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut raw = Raw { public_url: Some("http://localhost:8800".into()), data_dir: Some(folder.path().join("data")), ..Raw::default() };
    change(&mut raw, folder.path());
    match sallyport_server::open(raw.check().expect("good settings"), Outside::system()).await {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn databases_that_cannot_be_used_are_named_with_their_setting_and_a_fix() {
    let whole = std::fs::read(fixture("towns.mmdb")).expect("the fixture");
    let place = |name: &'static str, content: Vec<u8>| {
        move |raw: &mut Raw, folder: &Path| {
            std::fs::write(folder.join(name), content).expect("a file");
            raw.place_database = Some(folder.join(name));
        }
    };
    for (wrong, fix) in [
        (refusal(|raw, folder| raw.place_database = Some(folder.join("none.mmdb"))).await, "Correct the path"),
        (refusal(place("text.mmdb", b"not a database".to_vec())).await, "Download it again"),
        (refusal(place("empty.mmdb", Vec::new())).await, "Download it again"),
        (refusal(place("cut.mmdb", whole[whole.len() / 3..].to_vec())).await, "Download it again"),
        (refusal(|raw, _| raw.place_database = Some(fixture("operators.mmdb"))).await, "network_database"),
    ] {
        assert!(wrong.starts_with("place_database: ") && wrong.contains(fix), "{wrong}");
    }
    let huge = refusal(|raw, folder| {
        let file = std::fs::File::create(folder.join("huge.mmdb")).expect("a file");
        // Nothing but a length: no disk is filled, and nothing of it may be read.
        file.set_len(limits::PLACE_DATABASE_BYTES + 1).expect("a length");
        raw.network_database = Some(folder.join("huge.mmdb"));
    })
    .await;
    assert!(huge.starts_with("network_database: ") && huge.contains("Use the edition"), "{huge}");
    let other = refusal(|raw, _| raw.network_database = Some(fixture("towns.mmdb"))).await;
    assert!(other.contains("Test-City") && other.contains("place_database"), "{other}");
}
