//! The real server as a process of its own, on an installation that was set up before.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::agent::program;
use crate::host::Host;
use crate::server::{TestClock, TestServer};
use crate::world::World;

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);

/// A server that can be killed.
pub struct ServerProcess {
    folder: TempDir,
    address: SocketAddr,
    origin: String,
    database: String,
    clock: TestClock,
    child: Option<Child>,
}

impl Host for ServerProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn origin(&self) -> &str {
        &self.origin
    }

    fn clock(&self) -> &TestClock {
        &self.clock
    }
}

impl ServerProcess {
    /// Ends a server in this process in an orderly way and takes over its installation and its address. It is not started.
    ///
    /// # Panics
    /// Where the server is not one that real agents can dial.
    pub async fn instead_of(server: TestServer) -> Self {
        let (address, origin, database) = (server.address, server.app.config.origin().to_owned(), server.app.config.database.clone());
        assert!(origin.ends_with(&format!(":{}", address.port())), "{origin} is where {address} listens");
        let folder = server.stop().await;
        Self { folder, address, origin, database, clock: TestClock::system(), child: None }
    }

    /// Starts it; returns once it listens.
    pub fn start(&mut self) {
        self.start_by(Command::new(program("sallyport")));
    }

    /// Starts it so that no file of it grows beyond so many bytes: to it, the disk is full.
    pub fn start_with_room(&mut self, file_bytes: u64) {
        let mut shell = Command::new("bash");
        // The signal would end the process; ignored, it makes of the write an error.
        shell.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "bash"]);
        shell.arg((file_bytes / 1024).to_string()).arg(program("sallyport"));
        self.start_by(shell);
    }

    fn start_by(&mut self, mut command: Command) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        command
            .args([
                "serve",
                "--listen",
                &self.address.to_string(),
                "--public-url",
                &self.origin,
                "--database",
                &self.database,
                "--data-dir",
            ])
            .arg(self.folder.path())
            .env_remove("SALLYPORT_CONFIG")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log);
        let mut child = command.spawn().expect("the server starts");
        let begun = Instant::now();
        while std::net::TcpStream::connect(self.address).is_err() {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < START, "{ended:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where database and master key lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it and opens the installation in this process: for looking at what no client sees.
    pub async fn open(mut self) -> TestServer {
        self.kill();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        let world = World::next().at(self.clock.clone()).holding(folder);
        World { origin: self.origin.clone(), database: self.database.clone(), ..world }.serve().await
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kilobytes of memory that a process holds.
///
/// # Panics
/// Where there is no such process.
pub fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
