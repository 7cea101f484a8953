//! kill -9 with an open terminal: of the server, which loses nothing that matters, and of the agent, whose shell ends.

use std::time::Duration;

use sallyport_testkit::agent::Machine;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::process::ServerProcess;
use sallyport_testkit::remote::{Closed, RemoteClient, RemoteEnd, ticket_text};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use sallyport_wire::stream::StreamEnd;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

on_both!(a_server_that_is_killed_costs_neither_shell_nor_output_and_doubles_nothing, an_agent_that_is_killed_ends_its_shells_and_says_so,);

/// How long everything may take until it is there again.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// The set-up is a little in the past, so that codes can be shown one after the other without waiting.
const BEHIND_SECS: i64 = -150;

/// A server of its own process, and a real agent.
pub(super) struct World {
    pub(super) server: ServerProcess,
    owner: Owner,
    pub(super) machines: Vec<Machine>,
    device: String,
}

impl World {
    pub(super) async fn new(engine: Engine) -> Self {
        let clock = TestClock::system();
        clock.advance(BEHIND_SECS);
        let server = TestServer::live_on(engine, clock).await;
        let mut owner = Owner::set_up(&server).await;
        let (machines, mut devices) = owner.machines(&server, 1).await;
        let mut server = ServerProcess::instead_of(server).await;
        server.start();
        owner.client = owner.client.at(&server);
        owner.devices("state=online", 1).await;
        Self { server, owner, machines, device: devices.remove(0) }
    }

    pub(super) async fn terminal(&mut self) -> (RemoteClient, RemoteEnd) {
        self.opened("terminal").await
    }

    pub(super) async fn opened(&mut self, kind: &str) -> (RemoteClient, RemoteEnd) {
        let wanted = json!({ "device": self.device, "kind": kind });
        let client = RemoteClient::open(&mut self.owner, &self.server, wanted).await;
        let mut end = client.dial(&self.server).await.expect("let in");
        end.up().await;
        (client, end)
    }

    /// Dials again as clients do: until the server and the device are back.
    pub(super) async fn back(&mut self, client: &RemoteClient, end: StreamEnd) -> RemoteEnd {
        let (deadline, path) = (Instant::now() + PATIENCE, format!("/v1/remote-sessions/{}/tickets", client.session()));
        loop {
            let reply = self.owner.client.post(&path, json!({ "grant": client.grant().to_string() })).await;
            if reply.status == 200 {
                let ticket = reply.json()["ticket"].as_str().expect("a ticket").to_owned();
                return client.dial_with(&ticket, &self.server, end).await;
            }
            assert_eq!(reply.code(), "device_offline", "{}", String::from_utf8_lossy(&reply.body));
            assert!(Instant::now() < deadline, "the device does not come back: {}", self.machines[0].log());
            sleep(LOOK).await;
        }
    }

    async fn shown(&mut self, client: &RemoteClient) -> Value {
        self.owner.client.get(&format!("/v1/remote-sessions/{}", client.session())).await.json()
    }

    /// The session once it has ended and its recording, where there is one, is whole.
    pub(super) async fn ended(&mut self, client: &RemoteClient) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown(client).await;
            if shown["state"] == "ended" && (shown["recorded"] == false || !shown["recording"].is_null()) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{shown} {}", self.machines[0].log());
            sleep(LOOK).await;
        }
    }

    async fn logged(&mut self, kind: &str) -> usize {
        let page = self.owner.client.get(&format!("/v1/audit?limit=1000&kind={kind}")).await.json();
        page["items"].as_array().map_or(0, Vec::len)
    }
}

async fn a_server_that_is_killed_costs_neither_shell_nor_output_and_doubles_nothing(engine: Engine) {
    let mut world = World::new(engine).await;
    let (client, mut end) = world.terminal().await;
    end.send_data(0, b"PS1=; n=0; echo re''ady\n").await;
    end.until("ready").await;
    let first = client.ticket().to_owned();
    for round in 1..=3 {
        // Under way when the server dies: it arrives once, before or after.
        end.send_data(0, format!("n=$((n+1)); echo count''ed-$n-{round}\n").as_bytes()).await;
        world.server.kill();
        let (closed, _) = end.closed().await;
        assert!(matches!(closed, Closed::By(_)), "nothing was tampered with: {closed:?}");
        let kept = end.cut();
        world.server.start();
        end = world.back(&client, kept).await;
        end.up().await;
        end.send_data(0, format!("echo af''ter-$n-{round}\n").as_bytes()).await;
        end.until(&format!("after-{round}-{round}")).await;
    }
    // Tickets live in the memory of the process: none of them outlives it, used or not.
    let refused =
        sallyport_testkit::remote::dial(&world.server, "/v1/remote-sessions/stream", &first, sallyport_testkit::remote::PROGRAM).await;
    assert_eq!(refused.map(|_| ()).map_err(|not| not.code), Err("ticket_refused".to_owned()));
    let made_up = sallyport_testkit::remote::dial(&world.server, "/agent/stream", &ticket_text([7; 32]), &[]).await;
    assert_eq!(made_up.map(|_| ()).map_err(|not| not.code), Err("ticket_refused".to_owned()));
    end.send_data(0, b"exit 0\n").await;
    let shown = world.ended(&client).await;
    assert_eq!((&shown["end_reason"], shown["attachments"].as_array().map(Vec::len)), (&json!("device"), Some(1)), "{shown}");
    for kind in ["opened", "ended", "receipt", "recorded"] {
        assert_eq!(world.logged(&format!("remote_session.{kind}")).await, 1, "{kind}");
    }
}

async fn an_agent_that_is_killed_ends_its_shells_and_says_so(engine: Engine) {
    let mut world = World::new(engine).await;
    let (client, mut end) = world.terminal().await;
    let mark = world.machines[0].folder().join("still-there");
    // A program that does not mind that its terminal is gone.
    let stays = format!("(trap '' HUP TERM; while :; do touch {}; sleep 0.05; done) & echo be''fore\n", mark.display());
    end.send_data(0, stays.as_bytes()).await;
    end.until("before").await;
    while !mark.exists() {
        sleep(LOOK).await;
    }
    world.machines[0].kill();
    let (closed, _) = end.closed().await;
    assert!(matches!(closed, Closed::By(4003 | 0)), "the client may try again: {closed:?}");
    world.machines[0].start();
    let shown = world.ended(&client).await;
    assert_eq!((&shown["end_reason"], &shown["attachments"][0]["end_reason"]), (&json!("device"), &json!("agent_restarted")), "{shown}");
    let again = format!("/v1/remote-sessions/{}/tickets", client.session());
    let refused = world.owner.client.post(&again, json!({ "grant": client.grant().to_string() })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "remote_session_ended"));
    // What its shell had begun is gone too: nobody touches the file any more.
    std::fs::remove_file(&mark).expect("it was there");
    sleep(LOOK * 10).await;
    assert!(!mark.exists(), "a program of the session lives on");
    // What was recorded before is kept, and its digest is in the log.
    let played = world.owner.client.get(&format!("/v1/remote-sessions/{}/recording", client.session())).await;
    assert_eq!(played.status, 200);
    for kind in ["opened", "ended", "receipt", "recorded"] {
        assert_eq!(world.logged(&format!("remote_session.{kind}")).await, 1, "{kind}");
    }
    let (_, mut end) = world.terminal().await;
    end.send_data(0, b"echo an''other\n").await;
    end.until("another").await;
}
