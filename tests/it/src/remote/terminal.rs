//! A terminal on a real agent, as a person uses it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sallyport_testkit::owner::Owner;
use sallyport_testkit::process::resident_kib;
use sallyport_testkit::remote::{Closed, RemoteClient};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_wire::stream::terminal::{FromClient, FromDevice};
use serde_json::json;

use super::PATIENCE;

#[tokio::test]
async fn a_shell_answers_is_resized_and_survives_a_lost_link() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    let client = RemoteClient::open(&mut owner, &server, json!({ "device": devices[0], "columns": 80, "rows": 24 })).await;
    let mut end = client.dial(&server).await.expect("let in");
    while !end.end.is_up() {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(50), end.next()).await;
    }
    end.send_data(0, b"stty size; echo mar''ker\n").await;
    assert!(end.until("marker").await.contains("24 80"));
    end.send_control(&FromClient::Resize { columns: 132, rows: 50 }).await;
    end.send_data(0, b"stty size; echo siz''ed\n").await;
    assert!(end.until("sized").await.contains("50 132"));
    end.send_data(0, b"kept=42\n").await;
    let kept = end.cut();
    let mut end = client.dial_again(&mut owner, &server, kept).await;
    while !end.end.is_up() {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(50), end.next()).await;
    }
    end.send_data(0, b"echo va''lue-$kept\n").await;
    end.until("value-42").await;
    end.send_data(0, b"exit 3\n").await;
    let exit = end.control(|message: &FromDevice| matches!(message, FromDevice::Exit { .. })).await;
    assert_eq!(exit, FromDevice::Exit { code: Some(3), signal: None });
    let (closed, _) = end.closed().await;
    assert!(matches!(closed, Closed::By(4002 | 0)), "{closed:?}");
}

/// The player is somebody else's, and wants a terminal of its own.
fn played(recording: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("session.cast");
    std::fs::write(&file, recording).expect("a file");
    let player = format!("asciinema cat '{}'", file.display());
    let command = Command::new("script").args(["-qec", &player, "/dev/null"]).env("HOME", folder.path()).stdin(Stdio::null()).output();
    let output = command.expect("script and asciinema must be installed: apt-get install bsdutils asciinema");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_recording_plays_in_a_player_that_is_not_ours() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    let client = RemoteClient::open(&mut owner, &server, json!({ "device": devices[0], "columns": 80, "rows": 24 })).await;
    let mut end = client.dial(&server).await.expect("let in");
    end.up().await;
    end.send_data(0, "printf 'wide \\344\\275\\240 %s\\n' li''ne; exit\n".as_bytes()).await;
    end.until("wide 你 line").await;
    end.closed().await;
    let path = format!("/v1/remote-sessions/{}/recording", client.session());
    let begun = Instant::now();
    let recording = loop {
        let reply = owner.client.get(&path).await;
        if reply.status == 200 && reply.header("sallyport-sha256").is_some() {
            break reply.body;
        }
        assert!(begun.elapsed() < PATIENCE, "no recording: {}", String::from_utf8_lossy(&reply.body));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(played(&recording).contains("wide 你 line"));
}

#[tokio::test]
async fn a_watcher_sees_and_the_device_refuses_what_they_type() {
    let server = TestServer::live().await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    let first = RemoteClient::open(&mut owner, &server, json!({ "device": devices[0] })).await;
    let mut typing = first.dial(&server).await.expect("let in");
    while !typing.end.is_up() {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(50), typing.next()).await;
    }
    typing.send_data(0, b"echo be''fore\n").await;
    typing.until("before").await;
    let wanted = json!({ "device": devices[0], "access": "view", "joins": first.session().to_string() });
    let second = RemoteClient::open(&mut owner, &server, wanted).await;
    let mut watching = second.dial(&server).await.expect("let in");
    watching.until("before").await;
    watching.send_data(0, b"echo never''typed\n").await;
    let refused = watching.control(|message: &FromDevice| matches!(message, FromDevice::Error { .. })).await;
    assert!(matches!(refused, FromDevice::Error { code, .. } if code == "view_only"));
    watching.closed().await;
    typing.send_data(0, b"echo af''ter\n").await;
    assert!(!typing.until("after").await.contains("nevertyped"));
}

#[tokio::test]
async fn output_that_nobody_reads_fills_no_memory_and_is_stopped_at_once() {
    let mut world = super::crash::World::new(Engine::Sqlite).await;
    let (_client, mut end) = world.terminal().await;
    end.send_data(0, b"PS1=; yes\n").await;
    end.until("y\r\ny\r\n").await;
    let both = [world.server.pid().expect("it runs"), world.machines[0].pid().expect("it runs")];
    let before = both.map(resident_kib);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = [0, 1].map(|one| resident_kib(both[one]).saturating_sub(before[one]));
    assert!(grown.iter().all(|kib| *kib < 16 * 1024), "server and agent grew by {grown:?} KiB");
    let begun = Instant::now();
    end.send_data(0, b"\x03").await;
    end.send_data(0, b"echo st''opped\n").await;
    end.until("stopped").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}
