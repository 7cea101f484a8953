//! What a server lives in, all of it held by whoever made it: a clock, randomness from a seed, and a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sallyport_model::Timestamp;
use sallyport_server::clock::{Clock, SystemClock};
use sallyport_server::config::Raw;
use sallyport_server::outside::Outside;
use tempfile::TempDir;

use crate::postgres;
use crate::server::TestServer;
use crate::simulated::Seeded;

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

/// The surroundings of one installation. Equal seeds and equal requests, one after another, give equal histories to the byte.
pub struct World {
    /// What everything in it begins with.
    pub seed: u64,
    /// The time.
    pub clock: TestClock,
    pub(crate) entropy: Arc<Seeded>,
    pub(crate) folder: TempDir,
    pub(crate) database: String,
    pub(crate) origin: String,
}

impl World {
    /// A fixed clock at [`BEGIN`], and SQLite in a folder of its own.
    pub fn seeded(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = sqlite_in(&folder);
        Self { seed, clock: TestClock::new(), entropy: Arc::new(Seeded::new(seed)), folder, database, origin: ORIGIN.to_owned() }
    }

    /// The next world of this process, with a seed that no other one of it has: what two tenants made is never the same by accident.
    /// `SALLYPORT_SEED` begins elsewhere.
    pub fn next() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let first = std::env::var("SALLYPORT_SEED").map_or(0, |seed| seed.parse().expect("SALLYPORT_SEED is a number"));
        Self::seeded(first + MADE.fetch_add(1, Ordering::Relaxed))
    }

    /// With its store in such a database.
    #[must_use]
    pub fn on(self, engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => self,
            Engine::Postgres => Self { database: postgres::fresh_database(), ..self },
        }
    }

    /// With such a clock.
    #[must_use]
    pub fn at(self, clock: TestClock) -> Self {
        Self { clock, ..self }
    }

    /// At an address that real agents can dial.
    #[must_use]
    pub fn reachable(self) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        Self { origin: format!("http://127.0.0.1:{port}"), ..self }
    }

    /// A running server in it.
    pub async fn serve(self) -> TestServer {
        self.serve_with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn serve_with(self, change: impl FnOnce(&mut Raw)) -> TestServer {
        let mut raw = self.settings();
        change(&mut raw);
        TestServer::run(self, raw).await
    }

    pub(crate) fn settings(&self) -> Raw {
        let port = if self.origin == ORIGIN { "0" } else { self.origin.rsplit(':').next().unwrap_or("0") };
        Raw {
            listen: Some(format!("127.0.0.1:{port}")),
            public_url: Some(self.origin.clone()),
            data_dir: Some(self.folder.path().to_owned()),
            database: Some(self.database.clone()),
            ..Raw::default()
        }
    }

    pub(crate) fn outside(&self) -> Outside {
        Outside { clock: Arc::new(self.clock.clone()), entropy: self.entropy.clone() }
    }

    /// With what lies in this folder, which has a master key and perhaps an SQLite database.
    #[must_use]
    pub(crate) fn holding(self, folder: TempDir) -> Self {
        Self { database: sqlite_in(&folder), folder, ..self }
    }
}

fn sqlite_in(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("sallyport.db").display())
}
