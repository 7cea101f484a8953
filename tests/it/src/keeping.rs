//! A server on TLS with a private CA, and an installation that comes back from its copy.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sallyport_testkit::agent::{Machine, program};
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::postgres;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

#[tokio::test]
async fn a_real_agent_comes_through_tls_with_a_private_ca() {
    let installation = Installation::over_tls();
    let mut operator = Operator::set_up(&installation).await;
    let file = operator.installer(1).await;
    let mut machine = Machine::new();
    machine.start();
    machine.enrol(&file);
    let pending = operator.owner.devices("state=pending", 1).await;
    operator.ask("/v1/devices/approve", json!({ "devices": [pending[0]["id"]] })).await;
    let online = operator.owner.devices("state=online", 1).await;
    assert_eq!(online[0]["state"], "approved");
    let hardened = operator.owner.client.get("/v1/me").await;
    assert!(hardened.header("strict-transport-security").is_some_and(|value| value.contains("max-age=63072000")));
}

#[tokio::test]
async fn a_copy_of_a_running_installation_is_restored_and_signed_in_to() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let script = owner.script("kept", "true").await;
    let copies = tempfile::tempdir().expect("a folder");
    let (copy, place) = (copies.path().join("copy"), copies.path().join("place"));
    keep(&["backup".as_ref(), copy.as_os_str()], server.folder());
    assert!(!restore(&copy, server.folder()).status.success(), "a living installation is never written over");
    keep(&["restore".as_ref(), copy.as_os_str()], &place);

    let restored = TestServer::reopened(&place, server.clock.clone()).await;
    assert!(restored.setup_link.is_none(), "the set-up stays closed");
    let mut browser = owner.client.at(&restored);
    assert_eq!(browser.get(&format!("/v1/scripts/{script}")).await.status, 200, "the old session still lives");
    let mut other = sallyport_testkit::client::Client::new(&restored, 9);
    let code = owner.code(&restored);
    assert_eq!(sign_in(&mut other, EMAIL, PASSWORD, &code).await.status, 200);
    let checkpoint = other.get("/v1/audit/checkpoint").await.json();
    assert!(checkpoint["size"].as_u64() > Some(3), "the log goes on: {checkpoint}");
}

/// By PostgreSQL's own programs, while the server runs.
#[tokio::test]
async fn a_copy_of_a_running_installation_on_postgresql_is_restored_and_signed_in_to() {
    let server = TestServer::start_on(Engine::Postgres).await;
    let mut owner = Owner::set_up(&server).await;
    let script = owner.script("kept", "true").await;
    let running = server.app.config.database.clone();
    let copies = tempfile::tempdir().expect("a folder");
    let (copy, place) = (copies.path().join("copy"), copies.path().join("place"));
    let done = on_postgres(&["backup".as_ref(), copy.as_os_str()], server.folder(), &running);
    assert!(done.status.success(), "{}", said(&done));
    assert!(server.folder().join("last-backup").exists(), "posture sees it");
    for file in std::fs::read_dir(&copy).expect("the copy").flatten() {
        let mode = file.metadata().expect("a file").permissions().mode() & 0o777;
        assert!(mode == 0o600, "{:?} has {mode:o}", file.file_name());
    }
    let later = owner.script("later", "true").await;

    let again = on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &running);
    assert!(!again.status.success() && said(&again).contains("has tables already"), "{}", said(&again));
    let empty = postgres::fresh_database();
    let done = on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &empty);
    assert!(done.status.success(), "{}", said(&done));
    let over = on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &postgres::fresh_database());
    assert!(!over.status.success() && said(&over).contains("exists already"), "the master key: {}", said(&over));

    let restored = TestServer::reopened_on(empty, &place, server.clock.clone()).await;
    assert!(restored.setup_link.is_none(), "the set-up stays closed");
    let mut browser = owner.client.at(&restored);
    assert_eq!(browser.get(&format!("/v1/scripts/{script}")).await.status, 200, "the old session still lives");
    assert_eq!(browser.get(&format!("/v1/scripts/{later}")).await.status, 404, "it is of one moment");
    assert_eq!(owner.client.get(&format!("/v1/scripts/{later}")).await.status, 200, "the running one goes on");
    let mut other = sallyport_testkit::client::Client::new(&restored, 9);
    let code = owner.code(&restored);
    assert_eq!(sign_in(&mut other, EMAIL, PASSWORD, &code).await.status, 200);
    let checkpoint = other.get("/v1/audit/checkpoint").await.json();
    assert!(checkpoint["size"].as_u64() > Some(3), "the log goes on: {checkpoint}");
    assert_eq!(
        sign_in(&mut sallyport_testkit::client::Client::new(&restored, 8), EMAIL, "another password, not theirs", &code).await.status,
        401
    );
}

#[tokio::test]
async fn a_damaged_copy_of_postgresql_is_not_restored() {
    let server = TestServer::start_on(Engine::Postgres).await;
    Owner::set_up(&server).await;
    let copies = tempfile::tempdir().expect("a folder");
    let (copy, place) = (copies.path().join("copy"), copies.path().join("place"));
    let done = on_postgres(&["backup".as_ref(), copy.as_os_str()], server.folder(), &server.app.config.database);
    assert!(done.status.success(), "{}", said(&done));
    let (dump, key) = (copy.join("sallyport.dump"), copy.join("master.key"));
    let (whole, own) = (std::fs::read(&dump).expect("a dump"), std::fs::read(&key).expect("a key"));
    let mut bent = whole.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    let empty = postgres::fresh_database();
    for (file, bytes, why) in [
        (&dump, bent, "what is stored is not what was written"),
        (&key, format!("{}\n", "ab".repeat(32)).into_bytes(), "keys in the copy do not open"),
    ] {
        std::fs::write(file, bytes).expect("a file");
        let refused = on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &empty);
        assert!(!refused.status.success() && said(&refused).contains(why), "{}", said(&refused));
        assert!(!place.join("master.key").exists());
        std::fs::write(&dump, &whole).expect("a file");
        std::fs::write(&key, &own).expect("a file");
    }
    std::fs::remove_file(&key).expect("the key goes");
    assert!(said(&on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &empty)).contains("the copy has no master.key"));
    std::fs::write(&key, &own).expect("a file");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    // The control, into the very database that the refusals left empty.
    let done = on_postgres(&["restore".as_ref(), copy.as_os_str()], &place, &empty);
    assert!(done.status.success(), "{}", said(&done));
}

#[tokio::test]
async fn a_damaged_copy_is_not_restored() {
    let server = TestServer::start().await;
    Owner::set_up(&server).await;
    let copies = tempfile::tempdir().expect("a folder");
    let (copy, place) = (copies.path().join("copy"), copies.path().join("place"));
    keep(&["backup".as_ref(), copy.as_os_str()], server.folder());
    std::fs::write(copy.join("master.key"), format!("{}\n", "ab".repeat(32))).expect("another key");
    let refused = restore(&copy, &place);
    assert!(!refused.status.success() && !place.join("sallyport.db").exists());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("keys in the copy do not open"),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
}

fn run(arguments: &[&std::ffi::OsStr], data: &std::path::Path) -> std::process::Output {
    let (verb, rest) = arguments.split_first().expect("a verb");
    let mut command = Command::new(program("sallyport"));
    command.arg(verb).arg("--data-dir").arg(data).args(rest).env_remove("SALLYPORT_CONFIG").env_remove("SALLYPORT_DATABASE");
    command.output().expect("the program runs")
}

fn on_postgres(arguments: &[&OsStr], data: &std::path::Path, database: &str) -> std::process::Output {
    let mut line = vec![arguments[0], OsStr::new("--database"), OsStr::new(database)];
    line.extend(&arguments[1..]);
    run(&line, data)
}

fn said(done: &std::process::Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn keep(arguments: &[&std::ffi::OsStr], data: &std::path::Path) {
    let done = run(arguments, data);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn restore(copy: &std::path::Path, data: &std::path::Path) -> std::process::Output {
    run(&["restore".as_ref(), copy.as_os_str()], data)
}
