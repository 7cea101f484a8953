use std::process::{Child, Command};
use std::time::Duration;

use sallyport_grant::body::{Access, RemoteKind, RunAs};
use serde_json::{Value, json};

use super::background;
use crate::remote::kind::Ended;
use crate::remote::kind::rig::{Client, Got, Rig, Tape, session};

fn rig() -> (Rig, Client) {
    let mut rig = Rig::open(background, session(RemoteKind::Background));
    let client = rig.attach("ada@example.com", Access::Control);
    (rig, client)
}

/// All messages of a request up to its end.
async fn whole(client: &mut Client, request: Value) -> Vec<Value> {
    client.control(&request);
    let mut seen = Vec::new();
    loop {
        // A package manager on a busy machine takes its time.
        let Some(Got::Control(message)) = client.next_within(Duration::from_secs(60)).await else { panic!("no answer to {request}") };
        let ends = matches!(message["t"].as_str(), Some("ok" | "error")) && message["id"] == request["id"];
        seen.push(message);
        if ends {
            return seen;
        }
    }
}

async fn processes(client: &mut Client, id: u32) -> Vec<Value> {
    let messages = whole(client, json!({"t": "processes", "id": id})).await;
    messages.iter().filter_map(|message| message["processes"].as_array()).flatten().cloned().collect()
}

struct Victim(Child);

impl Victim {
    fn start(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().expect("sh"))
    }

    async fn ended(&mut self) -> Option<i32> {
        for _ in 0..200 {
            if let Some(status) = self.0.try_wait().expect("wait") {
                return std::os::unix::process::ExitStatusExt::signal(&status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it still runs");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn find(rows: &[Value], pid: u32) -> Option<&Value> {
    rows.iter().find(|row| row["pid"] == pid)
}

#[tokio::test]
async fn a_process_is_found_and_ended() {
    let mut victim = Victim::start("exec sleep 300");
    let (_rig, mut client) = rig();
    let rows = processes(&mut client, 1).await;
    let row = find(&rows, victim.0.id()).expect("listed");
    assert_eq!(row["command"], "sleep 300");
    let stale = json!({"t": "signal", "id": 2, "pid": row["pid"], "started": 1, "signal": "kill", "tree": "one"});
    assert_eq!(whole(&mut client, stale).await[0]["code"], "process_gone");
    let end = json!({"t": "signal", "id": 3, "pid": row["pid"], "started": row["started"], "signal": "term", "tree": "one"});
    assert_eq!(whole(&mut client, end).await[0]["signalled"], 1);
    assert_eq!(victim.ended().await, Some(15));
}

#[tokio::test]
async fn a_recorded_session_tells_what_was_asked_and_how_it_ended() {
    let mut victim = Victim::start("exec sleep 304");
    let (tape, session) = (Tape::begin(), session(RemoteKind::Background));
    let recorder = tape.recorder(&session);
    let mut rig = Rig::recorded(background, session, Some(recorder));
    let mut client = rig.attach("ada@example.com", Access::Control);
    let rows = processes(&mut client, 1).await;
    let row = find(&rows, victim.0.id()).expect("listed").clone();
    let end =
        |id: u32, started: &Value| json!({"t": "signal", "id": id, "pid": row["pid"], "started": started, "signal": "term", "tree": "one"});
    whole(&mut client, end(2, &json!(1))).await;
    whole(&mut client, end(3, &row["started"])).await;
    assert_eq!(victim.ended().await, Some(15));
    rig.end();
    rig.ended().await;
    let lines = tape.lines();
    let asked: Vec<_> =
        lines.iter().filter(|line| !line["asked"].is_null()).map(|line| (&line["asked"]["t"], &line["asked"]["pid"])).collect();
    let (list, signal) = (json!("processes"), json!("signal"));
    assert_eq!(asked, [(&list, &Value::Null), (&signal, &row["pid"]), (&signal, &row["pid"])]);
    let outcome = |id: u32| lines.iter().find(|line| line["id"] == id).map(|line| line["outcome"].clone());
    assert_eq!([1, 2, 3].map(outcome), ["ok", "process_gone", "ok"].map(|code| Some(json!(code))));
    assert!(lines.iter().all(|line| line["by"] == "ada@example.com" && line["at"].is_string()), "{lines:?}");
}

#[tokio::test]
async fn a_tree_is_ended_to_the_last_leaf() {
    let mut victim = Victim::start("trap '' TERM; (sleep 301 & sleep 302 & wait) & sleep 303 & wait");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_rig, mut client) = rig();
    let rows = processes(&mut client, 1).await;
    let row = find(&rows, victim.0.id()).expect("listed");
    let end = json!({"t": "signal", "id": 2, "pid": row["pid"], "started": row["started"], "signal": "kill", "tree": "tree"});
    assert_eq!(whole(&mut client, end).await[0]["signalled"], 5);
    assert_eq!(victim.ended().await, Some(9));
    let left = processes(&mut client, 3).await;
    let alive = left.iter().filter(|row| ["sleep 301", "sleep 302", "sleep 303"].contains(&row["command"].as_str().unwrap_or_default()));
    assert_eq!(alive.count(), 0);
}

#[tokio::test]
async fn the_agent_itself_and_the_first_process_stay() {
    let (_rig, mut client) = rig();
    let rows = processes(&mut client, 1).await;
    for (pid, code) in [(1, "first_process"), (std::process::id(), "own_agent")] {
        for tree in ["one", "tree"] {
            let row = find(&rows, pid).expect("listed");
            let end = json!({"t": "signal", "id": 2, "pid": pid, "started": row["started"], "signal": "kill", "tree": tree});
            let answer = whole(&mut client, end).await;
            assert!(answer[0]["code"] == code || answer[0]["code"] == "own_agent", "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_watch_tells_what_changes_until_it_is_stopped() {
    let (_rig, mut client) = rig();
    whole(&mut client, json!({"t": "watch_processes", "id": 7, "every_ms": 500})).await;
    let mut victim = Victim::start("exec sleep 304");
    let pid = victim.0.id();
    let appeared = loop {
        let push = client.next_control().await;
        if let Some(row) = push["changed"].as_array().and_then(|rows| find(rows, pid).cloned()) {
            break row;
        }
    };
    victim.0.kill().and_then(|()| victim.0.wait()).expect("end");
    loop {
        let push = client.next_control().await;
        if push["gone"].as_array().is_some_and(|gone| gone.contains(&json!({"pid": pid, "started": appeared["started"]}))) {
            break;
        }
    }
    whole(&mut client, json!({"t": "stop", "id": 7})).await;
    while let Some(message) = client.next_within(Duration::from_millis(1200)).await {
        assert!(!matches!(&message, Got::Control(push) if push["t"] == "processes"), "{message:?}");
    }
}

#[tokio::test]
async fn a_slow_watcher_delays_nobody() {
    let (mut rig, idle) = rig();
    idle.control(&json!({"t": "watch_processes", "id": 1, "every_ms": 500}));
    (2..8).for_each(|id| idle.control(&json!({"t": "processes", "id": id})));
    let mut other = rig.attach("grace@example.com", Access::Control);
    assert!(!processes(&mut other, 1).await.is_empty());
}

#[tokio::test]
async fn who_may_only_look_is_sent_away_for_changing_something() {
    let mut rig = Rig::open(background, session(RemoteKind::Background));
    let mut viewer = rig.attach("ada@example.com", Access::View);
    assert!(!processes(&mut viewer, 1).await.is_empty());
    viewer.control(&json!({"t": "priority", "id": 2, "pid": 77, "started": 1, "nice": 5}));
    assert_eq!(viewer.next_control().await["code"], "view_only");
    assert_eq!(viewer.next().await, Got::Bye("ended"));
}

#[tokio::test]
async fn nonsense_is_refused_and_too_much_too() {
    let (mut rig, mut client) = rig();
    (1..=9).for_each(|id| client.control(&json!({"t": "watch_processes", "id": id, "every_ms": 60_000})));
    client.control(&json!({"t": "watch_processes", "id": 1, "every_ms": 60_000}));
    let mut codes = Vec::new();
    while let Some(Got::Control(message)) = client.next_within(Duration::from_millis(800)).await {
        codes.extend(message["code"].as_str().map(str::to_owned));
    }
    assert_eq!(codes, ["too_many_requests", "too_many_requests"]);
    client.text("{\"t\":\"processes\",\"id\":1,\"x\":1}");
    assert_eq!(client.next_control().await["code"], "unknown_message");
    let mut other = rig.attach("grace@example.com", Access::Control);
    other.data(0, b"x");
    assert_eq!(other.next_control().await["code"], "unexpected_data");
}

#[tokio::test]
async fn leaving_ends_what_was_asked() {
    let (mut rig, client) = rig();
    client.control(&json!({"t": "watch_processes", "id": 1, "every_ms": 500}));
    client.leave();
    let mut other = rig.attach("grace@example.com", Access::Control);
    assert!(!processes(&mut other, 1).await.is_empty());
    rig.end();
    assert_eq!(rig.ended().await, Ended::Told);
}

#[tokio::test]
async fn a_session_as_another_account_is_not_pretended() {
    let asked = sallyport_grant::body::OpenRemoteSession { run_as: RunAs::parse("nobody").ok(), ..session(RemoteKind::Background) };
    assert!(asked.run_as.is_some());
    assert_eq!(Rig::open(background, asked).ended().await, Ended::Failed("run_as_unsupported"));
}

#[tokio::test]
async fn packages_and_users_are_listed() {
    let (_rig, mut client) = rig();
    if std::path::Path::new("/var/lib/dpkg/status").exists() {
        let messages = whole(&mut client, json!({"t": "packages", "id": 1, "q": "libc6"})).await;
        let rows: Vec<&Value> = messages.iter().filter_map(|message| message["packages"].as_array()).flatten().collect();
        assert!(rows.iter().any(|row| row["name"] == "libc6" && !row["version"].as_str().unwrap_or_default().is_empty()), "{rows:?}");
        assert_eq!(messages.last().expect("end")["updates"], "apt");
    }
    assert_eq!(whole(&mut client, json!({"t": "users", "id": 2})).await.last().expect("end")["t"], "ok");
}

#[tokio::test]
async fn without_a_service_manager_that_is_said() {
    let (_rig, mut client) = rig();
    let asked = [json!({"t": "services", "id": 1}), json!({"t": "service_do", "id": 2, "name": "no-such.service", "what": "start"})];
    let here = std::path::Path::new("/run/systemd/system").exists();
    for (request, code) in asked.into_iter().zip(["no_service_manager", if here { "not_found" } else { "no_service_manager" }]) {
        let answer = whole(&mut client, request).await.pop().expect("answer");
        assert!(answer["code"] == code || (here && answer["t"] == "ok"), "{answer}");
    }
    let own = json!({"t": "service_do", "id": 3, "name": "sallyport-agent.service", "what": "stop"});
    assert_eq!(whole(&mut client, own).await[0]["code"], "own_agent");
    let unit = json!({"t": "service_do", "id": 4, "name": "multi-user.target", "what": "stop"});
    assert_eq!(whole(&mut client, unit).await[0]["code"], "not_a_service");
}
