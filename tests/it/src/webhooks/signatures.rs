//! Signatures, as the reference library of Standard Webhooks verifies them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sallyport_model::limits;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::receiver::Got;
use sallyport_testkit::receiver::Receiver;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Value, json};

use super::World;

/// A python3 with the reference library, beside the build.
pub(super) fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/webhooks-python");
    let own = folder.join("bin/python");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = std::fs::File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("the lock");
    let has_it = Command::new(&own).args(["-c", "import standardwebhooks"]).stderr(Stdio::null()).status();
    if !has_it.is_ok_and(|status| status.success()) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet", "standardwebhooks==1.0.0"]));
    }
    own
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the library says of each: true, or why not.
fn verified(asked: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/webhooks/signatures.py");
    let mut child = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    child.stdin.take().expect("a pipe").write_all(json!(asked).to_string().as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
}

fn ask(secret: &str, got: &Got) -> Value {
    json!({ "secret": secret, "headers": got.headers, "body": got.body })
}

/// The library wants the time of now, so this server follows the system's clock; a little behind, so that there are codes enough.
#[tokio::test(flavor = "multi_thread")]
async fn an_off_the_shelf_library_verifies_what_is_sent_and_refuses_what_was_changed() {
    let clock = TestClock::system();
    clock.advance(-150);
    let server = TestServer::configured_on(Engine::Sqlite, clock, |raw| {
        raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
        raw.outbound_http = Some("listed".to_owned());
    })
    .await;
    let owner = Owner::set_up(&server).await;
    let mut world = World { server, owner, receiver: Receiver::start().await, seed: 60 };
    let (hook, secret) = world.hook("/ok", &["request.denied"]).await;
    world.something_happens().await;
    let first = world.receiver.wait("/ok", 1).await[0].clone();
    let mut changed = first.clone();
    changed.body = changed.body.replace("request.denied", "request.waiting");
    let mut renamed = first.clone();
    renamed.headers.insert("webhook-id".to_owned(), "evt_00000000000000000000000000".to_owned());
    let said = verified(&[ask(&secret, &first), ask(&secret, &changed), ask(&secret, &renamed)]);
    assert_eq!(said[0], json!(true), "{said:?}");
    assert!(said[1].is_string() && said[2].is_string(), "{said:?}");

    // After a rotation both secrets verify, until the overlap is over.
    let rotated = world.owner.does(&world.server, Call::new("POST", &format!("/v1/webhooks/{hook}/secret"))).await;
    assert_eq!(rotated.status, 200, "{}", rotated.json());
    let next = rotated.json()["result"]["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(next, secret);
    assert_eq!(world.owner.client.post(&format!("/v1/webhooks/{hook}/test"), json!({})).await.status, 201);
    let both = world.receiver.wait("/ok", 2).await[1].clone();
    assert_eq!(both.headers["webhook-signature"].split(' ').count(), 2);
    assert_eq!(verified(&[ask(&secret, &both), ask(&next, &both)]), [json!(true), json!(true)]);
    let mut stored = world.get(&format!("/v1/webhooks/{hook}")).await;
    assert!(stored["former_secret_until"].take().is_string());
    world.later(limits::WEBHOOK_OVERLAP_SECS + 60).await;
    assert_eq!(world.owner.client.post(&format!("/v1/webhooks/{hook}/test"), json!({})).await.status, 201);
    let after = world.receiver.wait("/ok", 3).await[2].clone();
    assert_eq!(after.headers["webhook-signature"].split(' ').count(), 1, "the former secret signs no more");
    assert_eq!(world.get(&format!("/v1/webhooks/{hook}")).await["former_secret_until"], Value::Null);
}
