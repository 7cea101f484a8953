//! `sallyport terminal` and `sallyport viewer` as people use them: in a terminal of their own, with a VNC client of theirs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sallyport_os::{Account, Ending, Login, Pty, Size};
use sallyport_testkit::agent::{Machine, program};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// Codes of four steps fit within the time that a proof may be off.
const BEHIND_SECS: i64 = -80;

/// Somebody who is signed in at the command line, and one device.
pub(super) struct Desk {
    pub(super) server: TestServer,
    pub(super) owner: Owner,
    pub(super) folder: tempfile::TempDir,
    pub(super) machines: Vec<Machine>,
    pub(super) device: String,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let clock = TestClock::system();
        clock.advance(BEHIND_SECS);
        let server = TestServer::live_on(Engine::Sqlite, clock).await;
        let mut owner = Owner::set_up(&server).await;
        let (machines, mut devices) = owner.machines(&server, 1).await;
        server.clock.advance(30);
        let desk = Self { server, owner, folder: tempfile::tempdir().expect("a folder"), machines, device: devices.remove(0) };
        let code = desk.owner.code(&desk.server);
        let session = desk.session();
        let url = desk.server.app.config.origin().to_owned();
        let login = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(program("sallyport"));
            command.args(["login", &url, "--email", EMAIL, "--password-stdin", "--code-stdin", "--session"]).arg(session);
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            let mut child = command.spawn().expect("it runs");
            child.stdin.take().expect("a pipe").write_all(format!("{PASSWORD}\n{code}\n").as_bytes()).expect("it reads");
            child.wait().expect("it ends")
        });
        assert!(login.await.expect("it ends").success());
        desk
    }

    pub(super) fn session(&self) -> PathBuf {
        self.folder.path().join("session.json")
    }

    /// What a command prints that does what it was asked for.
    fn says(&self, line: &[&str]) -> String {
        let mut command = Command::new(program("sallyport"));
        let done = command.args(line).arg("--session").arg(self.session()).stdin(Stdio::null()).output().expect("it runs");
        assert!(done.status.success(), "{line:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// `sallyport terminal` in a terminal of 80 columns.
    fn terminal(&self) -> Terminal {
        self.terminal_with(&[])
    }

    fn terminal_with(&self, wishes: &[&str]) -> Terminal {
        let session = self.session().display().to_string();
        let arguments = [&["terminal", &self.device, "--yes", "--session", &session][..], wishes].concat();
        self.window(&program("sallyport"), &arguments)
    }

    /// A program in a window of its own.
    pub(super) fn window(&self, shell: &Path, arguments: &[&str]) -> Terminal {
        let session = self.session().display().to_string();
        let environment: Vec<(String, String)> = std::env::vars().filter(|(name, _)| name == "PATH" || name == "HOME").collect();
        let login = Login {
            shell,
            arguments,
            environment: &environment,
            account: &Account::own().expect("an account"),
            // Other tests end by other marks.
            mark: &session,
            size: Size { columns: 80, rows: 24 },
        };
        Terminal { pty: Pty::open(&login).expect("it starts"), shown: String::new() }
    }

    /// Waits until the device has nothing open: what it started for a session is gone too.
    pub(super) async fn quiet(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.machines[0].status();
            if status["remote_sessions"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(Instant::now() < deadline, "{status}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ended(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = self.owner.client.get("/v1/remote-sessions?state=any").await.json();
            if listed["items"][0]["state"] == "ended" {
                return listed["items"][0].clone();
            }
            assert!(Instant::now() < deadline, "{listed}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The window that somebody sits at.
pub(super) struct Terminal {
    pty: Pty,
    shown: String,
}

impl Terminal {
    pub(super) fn keys(&self, keys: &str) {
        let mut left = keys.as_bytes();
        while !left.is_empty() {
            match self.pty.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(error) => panic!("{error}: {}", self.shown),
            }
        }
    }

    /// Waits for a text, and gives what was shown up to it.
    pub(super) async fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.shown);
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let mut buffer = [0; 4096];
        match self.pty.read(&mut buffer) {
            Ok(count) if count > 0 => self.shown.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => tokio::time::sleep(LOOK).await,
        }
    }

    async fn ending(&mut self) -> Ending {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ending) = self.pty.exited().expect("a child") {
                for _ in 0..10 {
                    self.read().await;
                }
                return ending;
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.shown);
            self.read().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_follows_its_window_passes_ctrl_c_and_ends_with_the_shells_own_code() {
    let desk = Desk::new().await;
    let mut window = desk.terminal();
    window.until("Connected to").await;
    window.keys("PS1=; stty size; echo re''ady\r");
    window.until("24 80").await;
    window.until("ready").await;
    window.pty.resize(Size { columns: 132, rows: 50 }).expect("resized");
    // The news of a size is no key: it arrives when it does.
    window.keys("until [ \"$(stty size)\" = '50 132' ]; do sleep 0.05; done; echo wi''der\r");
    window.until("wider").await;
    window.keys("echo sl''eeps; sleep 1000\r");
    window.until("sleeps").await;
    window.keys("\x03");
    window.keys("echo inter''rupted\r");
    window.until("interrupted").await;
    window.keys("exit 7\r");
    assert_eq!(window.ending().await, Ending::Exited(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_typed_from_a_pipe_ends_with_it() {
    let mut desk = Desk::new().await;
    for (typed, code, shown) in [("", 0, ""), ("echo $((20 + 3))\nexit 7\n", 7, "23\r\n"), ("echo $((40 + 2)); exit 5", 5, "42\r\n")] {
        let (session, device) = (desk.session(), desk.device.clone());
        let run = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(program("sallyport"));
            command.args(["terminal", &device, "--yes", "--session"]).arg(session);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
            child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("it reads");
            child.wait_with_output().expect("it ends")
        });
        let done = tokio::time::timeout(PATIENCE, run).await.expect("it ends by itself").expect("it ran");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(code), "{typed:?}: {said}");
        assert!(said.contains(shown), "{typed:?}: {said:?}");
        desk.ended().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_a_terminal_ends_its_session() {
    let mut desk = Desk::new().await;
    let mut window = desk.terminal();
    window.until("Connected to").await;
    window.keys("echo re''ady\r");
    window.until("ready").await;
    window.keys("\r~.");
    assert_eq!(window.ending().await, Ending::Exited(130));
    assert_eq!(desk.ended().await["end_reason"], json!("ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_says_that_somebody_ended_it_and_gives_the_window_back() {
    let mut desk = Desk::new().await;
    let mut window = desk.terminal();
    window.until("Connected to").await;
    window.keys("echo re''ady\r");
    window.until("ready").await;
    let listed = desk.owner.client.get("/v1/remote-sessions").await.json();
    let id = listed["items"][0]["id"].as_str().expect("an id");
    assert!(desk.says(&["remote-sessions"]).contains(id));
    assert!(desk.says(&["remote-sessions", "end", &id[id.len() - 8..]]).contains(&format!("Ended {id}")));
    window.until("the session was ended").await;
    assert_eq!(window.ending().await, Ending::Exited(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_says_whether_it_is_recorded_and_is_spared_where_the_rules_leave_it_open() {
    let mut desk = Desk::new().await;
    let mut refused = desk.terminal_with(&["--unrecorded"]);
    refused.until("always recorded").await;
    assert_eq!(refused.ending().await, Ending::Exited(2));
    super::policy::change(&mut desk.owner, &desk.server, &[("/terminal/record", json!("optional"))]).await;
    for (wishes, told, recorded) in
        [(&[][..], "The device records what the shell writes.", true), (&["--unrecorded"][..], "This session is not recorded.", false)]
    {
        let mut window = desk.terminal_with(wishes);
        window.until("Connected to").await;
        window.until(told).await;
        let listed = desk.owner.client.get("/v1/remote-sessions").await.json();
        assert_eq!(listed["items"][0]["recorded"], json!(recorded), "{listed}");
        window.keys("exit 0\r");
        assert_eq!(window.ending().await, Ending::Exited(0));
        desk.ended().await;
    }
}

/// `sallyport viewer`, which waits for a VNC client.
struct Viewer {
    child: Child,
    port: u16,
}

impl Viewer {
    async fn start(desk: &Desk) -> Self {
        let mut command = Command::new(program("sallyport"));
        command.args(["viewer", &desk.device, "--yes", "--json", "--session"]).arg(desk.session());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let told = tokio::task::spawn_blocking(move || {
            let mut all = String::new();
            while !all.contains("until") {
                assert_ne!(lines.read_line(&mut all).expect("text"), 0, "it ended: {all}");
            }
            all
        });
        let told = told.await.expect("it tells where");
        let address = told.split('"').find(|text| text.starts_with("127.0.0.1:")).expect("an address");
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self { child, port }
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_vnc_client_sees_the_screen_through_a_port_of_this_computer() {
    let mut desk = Desk::new().await;
    let mut viewer = Viewer::start(&desk).await;
    let picture = desk.folder.path().join("screen.jpg");
    let mut vnc = Command::new("vncsnapshot");
    // The screen is empty, and all of it is seen.
    vnc.args(["-quiet", "-allowblank", "-nocursor", "-encodings", "raw", &format!("127.0.0.1::{}", viewer.port)])
        .arg(&picture)
        .stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || vnc.output().expect("vncsnapshot must be installed: apt-get install vncsnapshot"));
    let done = done.await.expect("it ends");
    assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(std::fs::read(&picture).expect("a picture")[..2], [0xff, 0xd8], "a JPEG");
    assert_eq!(viewer.exit_code().await, Some(0), "it ends with its VNC client");
    let ended = desk.ended().await;
    assert_eq!((&ended["kind"], &ended["end_reason"]), (&json!("viewer"), &json!("ended")));
    desk.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_of_a_viewer_takes_one_connection() {
    let mut desk = Desk::new().await;
    let mut viewer = Viewer::start(&desk).await;
    let port = viewer.port;
    let first = tokio::task::spawn_blocking(move || {
        let mut first = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        first.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut greeting = [0; 12];
        first.read_exact(&mut greeting).expect("the device greets");
        assert_eq!(&greeting, b"RFB 003.008\n");
        first
    });
    let first = first.await.expect("connected");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody else is let in");
    drop(first);
    assert_eq!(viewer.exit_code().await, Some(0));
    assert_eq!(desk.ended().await["end_reason"], json!("ended"));
    desk.quiet().await;
}
