//! The log of the process: whoever is refused is named, nothing that comes from outside forges a line, and times are those of UTC.

use std::time::Duration;

use sallyport_model::Timestamp;
use sallyport_server::clock::{Clock as _, SystemClock};
use sallyport_testkit::client::{Call, exchange};
use sallyport_testkit::host::Host as _;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, PASSWORD, sign_in};
use sallyport_testkit::postgres;
use serde_json::json;

/// What a server logs that nobody told otherwise.
const DEFAULT: &str = "info,sallyport::http=warn";
/// Ends a line, begins one that looks like ours, moves a terminal's cursor, and turns the reading direction.
const HOSTILE: &str = "x\r\n2026-01-01T00:00:00.000000Z  INFO sallyport: forged\u{1b}[2J\u{9b}31m\u{202e}\u{2028}<b>";

#[tokio::test]
async fn log_02_log_03_what_is_not_allowed_is_told_with_who_where_and_why() {
    let installation = Installation::configured(&[("SALLYPORT_LOG", DEFAULT)]);
    let mut operator = Operator::set_up(&installation).await;
    let user = operator.owner.client.get("/v1/me").await.json()["user"].as_str().expect("an id").to_owned();
    let mut restricted = installation.browser(5);
    assert_eq!(sign_in(&mut restricted, EMAIL, PASSWORD, &operator.owner.recovery_codes[0]).await.status, 200);
    assert_eq!(restricted.get("/v1/devices").await.code(), "session_restricted");
    // A cookie without the key of its browser, and another site's page.
    let mut thief = installation.browser(6);
    thief.cookie.clone_from(&operator.owner.client.cookie);
    assert_eq!(thief.get("/v1/customers").await.code(), "proof_refused");
    let foreign = Call::new("POST", "/v1/scripts").body(json!({})).header("origin", "https://evil.example");
    assert_eq!(operator.owner.client.send(foreign).await.code(), "origin_refused");
    assert_eq!(operator.owner.client.get("/v1/installers").await.status, 200);

    let log = installation.log();
    let line = |code: &str| log.lines().find(|line| line.contains(code)).unwrap_or_else(|| panic!("{code} is not in {log}")).to_owned();
    let refused = line("session_restricted");
    for part in ["refused", "GET", "/v1/devices", "127.0.0.1", &user] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    assert!(line("proof_refused").contains("/v1/customers") && line("origin_refused").contains("/v1/scripts"), "{log}");
    assert!(!log.contains("/v1/installers"), "what is allowed has no line");
}

#[tokio::test]
async fn log_04_what_was_changed_in_the_database_and_a_log_that_takes_nothing_are_told() {
    let database = postgres::fresh_database();
    let installation = Installation::configured(&[("SALLYPORT_LOG", DEFAULT), ("SALLYPORT_DATABASE", &database)]);
    let mut operator = Operator::set_up(&installation).await;
    assert!(!installation.log().contains("ERROR"), "the control: {}", installation.log());
    let client = &mut operator.owner.client;
    let asked = client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    let waits = asked.header("location").expect("where it waits").to_owned();
    postgres::run(&database, "UPDATE requests SET digest = decode(repeat('07', 32), 'hex')");
    assert_eq!(client.get(&waits).await.status, 500);
    postgres::run(&database, "UPDATE log_entries SET actor = 'system' WHERE idx = 1");
    assert_eq!(client.get("/v1/audit?limit=1000").await.status, 200);
    postgres::run(&database, "ALTER TABLE log_entries RENAME TO log_entries_gone");
    assert!(client.post("/v1/customers", json!({ "name": "Nobody" })).await.status >= 500);

    let log = installation.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    for part in ["the store failed", "was changed after it was logged entry=1", "log_entries"] {
        assert!(errors.iter().any(|line| line.contains(part)), "{part}: {log}");
    }
    assert!(errors.iter().any(|line| line.contains("action")), "which row is not what was frozen: {log}");
}

#[tokio::test]
async fn log_06_log_09_nothing_from_outside_forges_a_line_and_times_are_utc() {
    let begun = SystemClock.now();
    let installation = Installation::configured(&[("SALLYPORT_LOG", "trace"), ("TZ", "Pacific/Auckland")]);
    let mut operator = Operator::set_up(&installation).await;
    let client = &mut operator.owner.client;
    for (path, body) in [
        ("/v1/sign-in", json!({ "email": HOSTILE, "password": HOSTILE, "code": HOSTILE })),
        ("/v1/scripts", json!({ "name": HOSTILE, "interpreter": "sh", "text": HOSTILE })),
        ("/v1/customers", json!({ "name": HOSTILE, HOSTILE: HOSTILE })),
    ] {
        assert!(client.post(path, body).await.status >= 400, "{path}");
    }
    let text = json!({ "name": "plain", "interpreter": "sh", "text": HOSTILE });
    assert_eq!(client.post("/v1/scripts", text).await.status, 201);
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let bytes: String = HOSTILE.chars().filter(|c| !c.is_ascii()).collect();
    for request in [
        format!("GET /v1/{encoded} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        format!("GET /v1/scripts/{encoded}?{encoded} HTTP/1.1\r\nhost: localhost\r\nuser-agent: {bytes}\r\nconnection: close\r\n\r\n"),
        format!("GET /{bytes}<b> HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {bytes}\r\ndpop: {bytes}\r\ncookie: __Host-sallyport={bytes}\r\nconnection: close\r\n\r\n"),
    ] {
        exchange(installation.address(), request.as_bytes()).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (log, ended) = (installation.log(), SystemClock.now());
    assert!(log.lines().count() > 20, "{log}");
    for line in log.lines() {
        let at = line.split(' ').next().unwrap_or_default();
        let at: Timestamp = at.parse().unwrap_or_else(|_| panic!("it begins with no time in UTC: {line:?}"));
        assert!(at >= begun.plus_secs(-1) && at <= ended.plus_secs(1), "{line}");
        assert!(!line.contains("sallyport: forged") || line.contains("\\n"), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}')), "{line:?}");
    }
    let entry = operator.owner.client.get("/v1/audit?limit=1").await.json()["items"][0]["at"].clone();
    let at: Timestamp = entry.as_str().filter(|at| at.ends_with('Z')).expect("UTC").parse().expect("a time");
    assert!(at >= begun.plus_secs(-1) && at <= ended.plus_secs(1), "{entry}");
}
