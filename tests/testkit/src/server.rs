//! The real server on a loopback port, in a world that the test holds.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use sallyport_server::config::Raw;
use sallyport_server::outside::Outside;
use sallyport_server::{App, Running};
use tempfile::TempDir;

use crate::host::Host;
use crate::postgres;
use crate::simulated::{Plan, Spread};
use crate::world::World;

pub use crate::world::{BEGIN, Engine, ORIGIN, TestClock};

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
    world: World,
    raw: Raw,
    running: Running,
}

impl TestServer {
    /// A new installation.
    pub async fn start() -> Self {
        World::next().serve().await
    }

    /// A new installation in such a database.
    pub async fn start_on(engine: Engine) -> Self {
        World::next().on(engine).serve().await
    }

    /// A new installation with other settings.
    pub async fn configured(engine: Engine, change: impl FnOnce(&mut Raw)) -> Self {
        World::next().on(engine).serve_with(change).await
    }

    /// The same on a clock of one's own.
    pub async fn configured_on(engine: Engine, clock: TestClock, change: impl FnOnce(&mut Raw)) -> Self {
        World::next().on(engine).at(clock).serve_with(change).await
    }

    /// As [`Self::live_on`], with other settings.
    pub async fn live_configured(clock: TestClock, change: impl FnOnce(&mut Raw)) -> Self {
        World::next().at(clock).reachable().serve_with(change).await
    }

    /// A new installation on the system's clock, at an address that real agents can dial.
    pub async fn live() -> Self {
        Self::live_on(Engine::Sqlite, TestClock::system()).await
    }

    /// As [`Self::live`], in such a database and on a clock that may be off.
    pub async fn live_on(engine: Engine, clock: TestClock) -> Self {
        World::next().on(engine).at(clock).reachable().serve().await
    }

    /// The installation that lies in a folder, copied from there.
    pub async fn reopened(from: &Path, clock: TestClock) -> Self {
        World::next().at(clock).holding(copied(from)).serve().await
    }

    /// An installation whose master key lies in a folder, copied from there, and whose database is this one.
    pub async fn reopened_on(database: String, from: &Path, clock: TestClock) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy(from.join("master.key"), folder.path().join("master.key")).expect("a copy");
        World { database, ..World::next().at(clock).holding(folder) }.serve().await
    }

    pub(crate) async fn run(world: World, raw: Raw) -> Self {
        let config = raw.clone().check().expect("good settings");
        let app = sallyport_server::open(config, world.outside()).await.expect("the parts open");
        let setup_link = sallyport_server::accounts::offer_setup(&app).await.expect("the store answers").map(|link| link.to_string());
        let running = sallyport_server::start(app.clone()).await.expect("a loopback port");
        Self { address: running.address, clock: world.clock.clone(), app, setup_link, world, raw, running }
    }

    /// Its clock and its randomness, for what another process of the installation does.
    pub fn outside(&self) -> Outside {
        self.world.outside()
    }

    /// So many simulated devices of this world that dial here, on its clock.
    pub fn devices(&self, count: usize) -> Plan {
        let plan = Plan::new(count, self.world.seed, Arc::new(Spread::to(self.address, None)));
        Plan { clock: Arc::new(self.clock.clone()), ..plan }
    }

    /// Where database and master key lie.
    pub fn folder(&self) -> &Path {
        self.world.folder.path()
    }

    /// Ends in an orderly way and starts again.
    pub async fn restart(self) -> Self {
        self.running.stop().await;
        let raw = reaching_as(self.raw, self.world.settings());
        Self::run(self.world, raw).await
    }

    /// Ends in an orderly way; the folder stays.
    pub async fn stop(self) -> TempDir {
        self.running.stop().await;
        self.world.folder
    }

    /// What `kill -9` at this moment leaves of an installation on SQLite: another server on a copy of the files as they are, nothing closed or flushed.
    pub async fn after_a_crash(&self) -> Self {
        let world = World::next().at(self.clock.clone()).holding(copied(self.folder()));
        let raw = reaching_as(self.raw.clone(), world.settings());
        Self::run(world, raw).await
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

/// What a server may send requests to stays so over its lives.
fn reaching_as(before: Raw, raw: Raw) -> Raw {
    Raw { outbound_networks: before.outbound_networks, outbound_http: before.outbound_http, ..raw }
}

/// The files of a folder, in a new one.
fn copied(from: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(from).expect("the folder").flatten().filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    folder
}
