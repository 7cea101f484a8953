//! `sallyport webhooks`, as a program.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::receiver::Receiver;
use sallyport_testkit::server::{TestClock, TestServer};
use serde_json::Value;

fn run(folder: &std::path::Path, line: &[&str], input: &str) -> Output {
    let mut command = Command::new(program("sallyport"));
    command
        .args(line)
        .env("SALLYPORT_SESSION", folder.join("session.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it listens");
    child.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_tried_paused_and_removed_from_a_terminal() {
    let clock = TestClock::system();
    clock.advance(-80);
    let server = TestServer::live_configured(clock, |raw| {
        raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
        raw.outbound_http = Some("listed".to_owned());
    })
    .await;
    let owner = Owner::set_up(&server).await;
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let origin = server.app.config.origin().to_owned();
    let code = || {
        server.clock.advance(30);
        format!("{}\n", owner.code(&server))
    };
    let login =
        run(folder.path(), &["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"], &format!("{PASSWORD}\n{}", code()));
    assert!(login.status.success(), "{}", said(&login));
    let url = receiver.url("/ok");
    let create = ["webhooks", "create", "--name", "Tickets", "--url", &url, "--event", "job.finished", "--code-stdin", "--json"];
    let made = run(folder.path(), &create, &code());
    assert!(made.status.success(), "{}", said(&made));
    let made: Value = serde_json::from_slice(&made.stdout).expect("one document");
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
    let test = run(folder.path(), &["webhooks", "test", "Tickets", "--json"], "");
    assert!(test.status.success(), "{}", said(&test));
    let test: Value = serde_json::from_slice(&test.stdout).expect("one document");
    assert_eq!((test["state"].as_str(), receiver.got("/ok").len()), (Some("delivered"), 1));
    for (line, words) in [
        (vec!["webhooks", "list"], vec!["Tickets", "active", "/ok"]),
        (vec!["webhooks", "events"], vec!["job.finished", "sign_in.failed"]),
        (vec!["webhooks", "deliveries", "Tickets"], vec!["webhook.test", "delivered", "200"]),
        (vec!["webhooks", "delivery", "Tickets", test["event"].as_str().expect("an id")], vec!["taken", "\"type\": \"webhook.test\""]),
        (vec!["webhooks", "redeliver", "Tickets", test["event"].as_str().expect("an id")], vec!["once more"]),
        (vec!["webhooks", "pause", "Tickets"], vec!["Paused Tickets"]),
        (vec!["webhooks", "show", "Tickets"], vec!["paused", "job.finished"]),
        (vec!["webhooks", "resume", "Tickets"], vec!["Resumed Tickets"]),
        (vec!["webhooks", "remove", "Tickets"], vec!["Removed Tickets"]),
    ] {
        let output = run(folder.path(), &line, "");
        let said = said(&output);
        assert!(output.status.success() && words.iter().all(|word| said.contains(word)), "{line:?}: {said}");
    }
}
