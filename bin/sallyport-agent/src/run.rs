//! `run`: one agent on the real machine, until a signal ends it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use sallyport_agent_core::dial::TcpDialer;
use sallyport_agent_core::inventory::MachineFacts;
use sallyport_agent_core::memory;
use sallyport_agent_core::ports::{Entropy, Ports, SystemClock, SystemEntropy};
use sallyport_agent_core::remote::MachineKinds;
use sallyport_agent_core::remote::notice::People;
use sallyport_agent_core::runner::ScriptRunner;
use sallyport_agent_core::{Agent, Config, PrivateDir, Timing};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(state: &Path) -> anyhow::Result<()> {
    start_log();
    let disk = hold(state).map_err(|error| match error.kind() {
        ErrorKind::ResourceBusy => anyhow!("another agent runs with {}; stop it first", state.display()),
        ErrorKind::PermissionDenied => anyhow!("{} belongs to another account; use --state with a directory of your own", state.display()),
        _ => anyhow!("cannot use {}: {error}", state.display()),
    })?;
    let agent = Agent::new(config()?, ports(state, disk)).context("the agent cannot start")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    tracing::info!(version = VERSION, state = %state.display(), device = %agent.identity().thumbprint(), "started");
    let ended = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        tokio::spawn(stay_small());
        Box::pin(agent.run(stop)).await;
        tracing::info!("stopped");
        Ok(())
    });
    // A program of the system that hangs must not keep the agent from stopping.
    runtime.shutdown_background();
    ended
}

/// Starting and each inventory take memory that is free again soon, but scattered: half a megabyte of a process that waits.
async fn stay_small() {
    loop {
        tokio::time::sleep(TIDY).await;
        memory::give_back();
    }
}

const TIDY: Duration = Duration::from_secs(20);
/// They are started when they are needed, and end after some seconds without work.
const BLOCKING_THREADS: usize = 16;
/// How long another process may keep the state after its agent is gone.
const LET_GO: Duration = Duration::from_secs(3);

/// Takes the state directory. A child that a killed agent was just about to start holds it until it has begun its own program:
/// that moment is waited for.
fn hold(state: &Path) -> std::io::Result<PrivateDir> {
    let begun = Instant::now();
    loop {
        match PrivateDir::hold(state) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && begun.elapsed() < LET_GO => {
                std::thread::sleep(Duration::from_millis(20));
            }
            held => return held,
        }
    }
}

/// `SALLYPORT_LOG` is one of error, warn, info, debug and trace.
fn start_log() {
    let level = std::env::var("SALLYPORT_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::INFO);
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
}

fn config() -> anyhow::Result<Config> {
    let random = SystemEntropy.random_32()?;
    let [a, b, c, d, e, f, g, h, ..] = random;
    Ok(Config { version: VERSION.to_owned(), seed: u64::from_le_bytes([a, b, c, d, e, f, g, h]), timing: Timing::default() })
}

fn ports(state: &Path, disk: PrivateDir) -> Ports {
    Ports {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        disk: Arc::new(disk),
        dial: Arc::new(TcpDialer::default()),
        runs: Arc::new(ScriptRunner::of(state)),
        facts: Arc::new(MachineFacts { agent_version: VERSION.to_owned() }),
        remote: Arc::new(MachineKinds::of(state)),
        notice: Arc::new(People),
    }
}
