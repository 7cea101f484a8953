//! A server on TLS with a private CA, and an installation that comes back from its copy.

use std::process::Command;

use sallyport_testkit::agent::{Machine, program};
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::server::TestServer;
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

fn keep(arguments: &[&std::ffi::OsStr], data: &std::path::Path) {
    let done = run(arguments, data);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn restore(copy: &std::path::Path, data: &std::path::Path) -> std::process::Output {
    run(&["restore".as_ref(), copy.as_os_str()], data)
}
