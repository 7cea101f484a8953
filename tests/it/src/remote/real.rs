//! A20 with a real agent in the middle of its work: whoever's right goes sees nothing more of it, and the work ends.

use std::path::Path;
use std::time::Duration;

use sallyport_testkit::agent::Machine;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::remote::{Closed, RemoteClient, RemoteEnd};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use sallyport_wire::stream::files::FileRequest;
use sallyport_wire::stream::path::DevicePath;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
/// More than could be sent during a test.
const HUGE: u64 = 64 << 30;

struct World {
    server: TestServer,
    owner: Owner,
    elsewhere: Client,
    machines: Vec<Machine>,
    device: String,
}

impl World {
    /// A little in the past, for each code takes the clock on, and devices obey no grant of the future.
    async fn new() -> Self {
        let clock = TestClock::system();
        clock.advance(-270);
        let server = TestServer::live_on(Engine::Sqlite, clock).await;
        let mut owner = Owner::set_up(&server).await;
        let (machines, mut devices) = owner.machines(&server, 1).await;
        server.clock.advance(30);
        let mut elsewhere = Client::new(&server, 2);
        assert_eq!(owner.sign_in(&mut elsewhere, &owner.code(&server)).await.status, 200);
        Self { server, owner, elsewhere, machines, device: devices.remove(0) }
    }

    async fn opened(&mut self, kind: &str) -> RemoteEnd {
        self.asked(json!({ "device": self.device, "kind": kind })).await.1
    }

    async fn asked(&mut self, wanted: Value) -> (RemoteClient, RemoteEnd) {
        let client = RemoteClient::open(&mut self.owner, &self.server, wanted).await;
        let mut end = client.dial(&self.server).await.expect("let in");
        end.up().await;
        (client, end)
    }

    /// Ends the session elsewhere while everything that comes is read; yields when that was acknowledged.
    async fn assert_cut(&mut self, end: &mut RemoteEnd) -> Instant {
        let reading = async { (end.closed().await.0, Instant::now()) };
        let ending = async {
            assert_eq!(self.elsewhere.send(Call::new("DELETE", "/v1/me/sessions")).await.status, 204);
            Instant::now()
        };
        let ((closed, closed_at), gone) = tokio::join!(reading, ending);
        assert_eq!(closed, Closed::By(4001));
        assert!(closed_at < gone + SECOND, "{:?}", closed_at - gone);
        gone
    }
}

#[tokio::test]
async fn a20_a_terminal_ends_in_the_middle_of_its_output() {
    let mut world = World::new().await;
    let mut end = world.opened("terminal").await;
    end.send_data(0, b"echo p''id-$$-e''nd; exec yes\n").await;
    let said = end.until("-end\r\ny\r\ny\r\n").await;
    let pid = said.split_once("pid-").and_then(|(_, rest)| rest.split_once("-end")).expect("a number").0;
    let process = Path::new("/proc").join(pid);
    assert!(process.exists());
    let gone = world.assert_cut(&mut end).await;
    while process.exists() {
        assert!(gone.elapsed() < SECOND, "what ran in it runs on");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a20_a_watcher_goes_and_the_terminal_goes_on() {
    let mut world = World::new().await;
    let (client, mut end) = world.asked(json!({ "device": world.device })).await;
    end.send_data(0, b"echo be''fore\n").await;
    end.until("before").await;
    // The same person watches in the other browser, and that session is the one that ends.
    std::mem::swap(&mut world.owner.client, &mut world.elsewhere);
    let wanted = json!({ "device": world.device, "access": "view", "joins": client.session().to_string() });
    let (_, mut watching) = world.asked(wanted).await;
    watching.until("before").await;
    world.assert_cut(&mut watching).await;
    end.send_data(0, b"echo af''ter\n").await;
    end.until("after").await;
}

#[tokio::test]
async fn a20_a_download_ends_in_the_middle_of_its_file() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge.bin");
    std::fs::File::create(&path).and_then(|file| file.set_len(HUGE)).expect("room for nothing");
    let mut end = world.opened("files").await;
    let named = DevicePath::parse(path.to_str().expect("a path")).expect("a path");
    end.send_control(&FileRequest::Read { id: 1, path: named, offset: 0, length: None }).await;
    for _ in 0..16 {
        assert!(!end.data().await.is_empty());
    }
    let agent = Path::new("/proc").join(world.machines[0].pid().expect("it runs").to_string()).join("fd");
    let is_read =
        || std::fs::read_dir(&agent).expect("it runs").flatten().any(|one| std::fs::read_link(one.path()).is_ok_and(|to| to == path));
    assert!(is_read());
    let gone = world.assert_cut(&mut end).await;
    while is_read() {
        assert!(gone.elapsed() < SECOND, "it is read on");
        sleep(Duration::from_millis(10)).await;
    }
}
