//! The real server on a loopback port, with its database in a folder of its own and a clock that the test holds.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sallyport_model::Timestamp;
use sallyport_server::clock::{Clock, SystemClock};
use sallyport_server::config::Raw;
use sallyport_server::{App, Running};
use tempfile::TempDir;

use crate::host::Host;
use crate::postgres;

/// The origin that clients sign, whatever the port is.
pub const ORIGIN: &str = "http://localhost:8800";
/// When every test begins: 2026-09-21T14:13:30Z, at the beginning of a TOTP step.
pub const BEGIN: i64 = 1_790_000_010;

/// A clock that moves only when a test says so, or the system's with an offset.
#[derive(Clone)]
pub struct TestClock {
    micros: Arc<AtomicI64>,
    follows_system: bool,
}

impl TestClock {
    /// Begins at [`BEGIN`].
    pub fn new() -> Self {
        Self { micros: Arc::new(AtomicI64::new(BEGIN * 1_000_000)), follows_system: false }
    }

    /// Follows the system's clock: for servers that real agents talk to.
    pub fn system() -> Self {
        Self { micros: Arc::new(AtomicI64::new(0)), follows_system: true }
    }

    /// Moves by seconds; negative ones go back.
    pub fn advance(&self, secs: i64) {
        self.micros.fetch_add(secs * 1_000_000, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let own = self.micros.load(Ordering::SeqCst);
        Timestamp::from_micros(if self.follows_system { SystemClock.now().micros() + own } else { own })
    }
}

/// Which database a server keeps everything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in the server's own folder.
    Sqlite,
    /// A fresh database of the tests' own PostgreSQL.
    Postgres,
}

/// A running server.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its clock.
    pub clock: TestClock,
    /// Its parts, for looking at what no client sees.
    pub app: App,
    /// The link that it printed; `None` once it is set up.
    pub setup_link: Option<String>,
    folder: TempDir,
    raw: Raw,
    running: Running,
}

impl TestServer {
    /// A new installation.
    pub async fn start() -> Self {
        Self::start_on(Engine::Sqlite).await
    }

    /// A new installation in such a database.
    pub async fn start_on(engine: Engine) -> Self {
        Self::fresh(engine, TestClock::new(), ORIGIN).await
    }

    /// A new installation with other settings.
    pub async fn configured(engine: Engine, change: impl FnOnce(&mut Raw)) -> Self {
        Self::configured_on(engine, TestClock::new(), change).await
    }

    /// The same on a clock of one's own.
    pub async fn configured_on(engine: Engine, clock: TestClock, change: impl FnOnce(&mut Raw)) -> Self {
        Self::changed(engine, clock, ORIGIN, change).await
    }

    /// As [`Self::live_on`], with other settings.
    pub async fn live_configured(clock: TestClock, change: impl FnOnce(&mut Raw)) -> Self {
        Self::changed(Engine::Sqlite, clock, &free_origin(), change).await
    }

    async fn changed(engine: Engine, clock: TestClock, origin: &str, change: impl FnOnce(&mut Raw)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = match engine {
            Engine::Sqlite => sqlite_in(&folder),
            Engine::Postgres => postgres::fresh_database(),
        };
        let mut raw = settings(&folder, origin, database);
        change(&mut raw);
        Self::run(folder, clock, raw).await
    }

    /// A new installation on the system's clock, at an address that real agents can dial.
    pub async fn live() -> Self {
        Self::live_on(Engine::Sqlite, TestClock::system()).await
    }

    /// As [`Self::live`], in such a database and on a clock that may be off.
    pub async fn live_on(engine: Engine, clock: TestClock) -> Self {
        Self::fresh(engine, clock, &free_origin()).await
    }

    async fn fresh(engine: Engine, clock: TestClock, origin: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = match engine {
            Engine::Sqlite => sqlite_in(&folder),
            Engine::Postgres => postgres::fresh_database(),
        };
        Self::reopen(folder, clock, origin, database).await
    }

    /// The installation that lies in a folder, copied from there.
    pub async fn reopened(from: &Path, clock: TestClock) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for file in std::fs::read_dir(from).expect("the folder").flatten().filter(|file| file.path().is_file()) {
            std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
        }
        let database = sqlite_in(&folder);
        Self::reopen(folder, clock, ORIGIN, database).await
    }

    /// An installation whose master key lies in a folder, copied from there, and whose database is this one.
    pub async fn reopened_on(database: String, from: &Path, clock: TestClock) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy(from.join("master.key"), folder.path().join("master.key")).expect("a copy");
        Self::reopen(folder, clock, ORIGIN, database).await
    }

    /// An installation as it was left.
    pub(crate) async fn reopen(folder: TempDir, clock: TestClock, origin: &str, database: String) -> Self {
        let raw = settings(&folder, origin, database);
        Self::run(folder, clock, raw).await
    }

    async fn run(folder: TempDir, clock: TestClock, raw: Raw) -> Self {
        let config = raw.clone().check().expect("good settings");
        let app = sallyport_server::open(config, Arc::new(clock.clone())).await.expect("the parts open");
        let setup_link = sallyport_server::accounts::offer_setup(&app).await.expect("the store answers").map(|link| link.to_string());
        let running = sallyport_server::start(app.clone()).await.expect("a loopback port");
        Self { address: running.address, clock, app, setup_link, folder, raw, running }
    }

    /// Where database and master key lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends in an orderly way and starts again.
    pub async fn restart(self) -> Self {
        let (origin, database, clock) = (self.app.config.origin().to_owned(), self.app.config.database.clone(), self.clock.clone());
        let before = self.raw.clone();
        let folder = self.stop().await;
        let raw = reaching_as(before, settings(&folder, &origin, database));
        Self::run(folder, clock, raw).await
    }

    /// Ends in an orderly way; the folder stays.
    pub async fn stop(self) -> TempDir {
        self.running.stop().await;
        self.folder
    }

    /// What `kill -9` at this moment leaves of an installation on SQLite: another server on a copy of the files as they are, nothing closed or flushed.
    pub async fn after_a_crash(&self) -> Self {
        let copy = tempfile::tempdir().expect("a folder");
        for file in std::fs::read_dir(self.folder()).expect("the folder").flatten().filter(|file| file.path().is_file()) {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("a copy");
        }
        let raw = reaching_as(self.raw.clone(), settings(&copy, ORIGIN, sqlite_in(&copy)));
        Self::run(copy, self.clock.clone(), raw).await
    }

    /// Every byte that the server keeps, but for the master key.
    pub fn bytes_at_rest(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder()).expect("the folder").flatten().map(|file| file.path());
        let kept = files.filter(|path| path.is_file() && path.extension().is_none_or(|kind| kind != "key"));
        let mut bytes: Vec<u8> = kept.flat_map(|path| std::fs::read(path).expect("a file")).collect();
        if self.app.config.database.starts_with("postgres:") {
            bytes.extend(postgres::dump(&self.app.config.database));
        }
        bytes
    }
}

impl Host for TestServer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn origin(&self) -> &str {
        self.app.config.origin()
    }

    fn clock(&self) -> &TestClock {
        &self.clock
    }
}

/// An address that real agents can dial.
fn free_origin() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    format!("http://127.0.0.1:{port}")
}

/// What a server may send requests to stays so over its lives.
fn reaching_as(before: Raw, raw: Raw) -> Raw {
    Raw { outbound_networks: before.outbound_networks, outbound_http: before.outbound_http, ..raw }
}

fn settings(folder: &TempDir, origin: &str, database: String) -> Raw {
    let port = if origin == ORIGIN { "0" } else { origin.rsplit(':').next().unwrap_or("0") };
    Raw {
        listen: Some(format!("127.0.0.1:{port}")),
        public_url: Some(origin.to_owned()),
        data_dir: Some(folder.path().to_owned()),
        database: Some(database),
        ..Raw::default()
    }
}

fn sqlite_in(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("sallyport.db").display())
}
