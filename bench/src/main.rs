//! `cargo xtask bench`: measures this machine's build of server and agent. Never part of the tests: machines are noisy, and what is
//! compared is compared within one run.

mod agent;
mod api;
mod crowd;
mod fanout;
mod files;
mod grant;
mod measure;
mod mesh;
mod place;
mod report;
mod signin;
mod ssh;
mod startup;
mod terminal;
mod viewer;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};

use crowd::Crowd;
use report::{Report, Row};

/// Measures server and agents.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Wishes {
    /// One scenario; all of them where nothing is said.
    scenario: Option<Scenario>,
    /// Write the rows as JSON (schema sallyport.bench/1).
    #[arg(long)]
    json: Option<PathBuf>,
    /// Simulated agents of `agents` and `fanout`.
    #[arg(long, default_value_t = 15_000)]
    agents: usize,
    /// Real agent processes of `fanout`.
    #[arg(long, default_value_t = 200)]
    real: usize,
    /// Compare with others in the same run: `startup`, `fanout` and `agent` with MeshCentral, `terminal` with it and OpenSSH, `files` with
    /// OpenSSH, `viewer` with x11vnc and Xtigervnc. Installs what is missing.
    #[arg(long)]
    peers: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// From exec to the first 200, and memory at rest.
    Startup,
    /// Sign-ins per second against raw Argon2id.
    Signin,
    /// What a tool waits for: tokens, signed requests, revocations, a list of 10,000 devices.
    Api,
    /// Memory and processor time of the server for many connected agents, and how soon they are back after its restart.
    Agents,
    /// From a proof to all results.
    Fanout,
    /// Memory of the agent, and how soon it is back.
    Agent,
    /// How long a device verifies a grant.
    Grant,
    /// Open to first output, echo of keys, and a large file's text through a terminal.
    Terminal,
    /// A large file down and up.
    Files,
    /// Updates, processor time and key to pixel of a screen. Needs Xvfb and xterm.
    Viewer,
}

impl Scenario {
    fn has_peers(self) -> bool {
        !matches!(self, Self::Signin | Self::Api | Self::Agents | Self::Grant)
    }
}

/// Whether others are measured in the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peers {
    Beside,
    Absent,
}

fn main() -> anyhow::Result<ExitCode> {
    let wishes = Wishes::parse();
    if wishes.peers && !wishes.scenario.is_some_and(Scenario::has_peers) {
        bail!(
            "--peers is available for one of `startup`, `fanout`, `agent`, `terminal`, `files` and `viewer`: elsewhere no other product is installed or started"
        );
    }
    // Tens of thousands of connections need as many files.
    let (files, _) = sallyport_server::files_and_agents();
    if wishes.agents as u64 + 1_000 > files {
        bail!("--agents {} needs more open files than this system allows a process ({files})", wishes.agents);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(16).build()?;
    let mut report = Report::new();
    runtime.block_on(measure_all(&wishes, &mut report))?;
    runtime.shutdown_background();
    report.print_last();
    if let Some(path) = &wishes.json {
        std::fs::write(path, report.to_json()).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// As our own client on the command line works: one thread waits for its connection, and no other wakes it.
async fn on_one_thread<F>(measure: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<Vec<Row>>
where
    F: Future<Output = anyhow::Result<Vec<Row>>>,
{
    let work = move || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure());
    tokio::task::spawn_blocking(work).await?
}

async fn measure_all(wishes: &Wishes, report: &mut Report) -> anyhow::Result<()> {
    let peers = if wishes.peers { Peers::Beside } else { Peers::Absent };
    let wants = |scenario| wishes.scenario.is_none_or(|wanted| wanted == scenario);
    let mut add = |rows: Vec<Row>| report.add(rows);
    if wants(Scenario::Startup) {
        add(Box::pin(startup::measure(peers)).await?);
    }
    if wants(Scenario::Grant) {
        add(grant::measure());
    }
    if wants(Scenario::Signin) {
        add(Box::pin(signin::measure()).await);
    }
    if wants(Scenario::Api) {
        add(Box::pin(api::measure()).await);
    }
    if wants(Scenario::Agent) {
        add(Box::pin(agent::measure(peers)).await?);
    }
    if wants(Scenario::Terminal) {
        add(on_one_thread(move || terminal::measure(peers)).await?);
    }
    if wants(Scenario::Files) {
        add(on_one_thread(move || files::measure(peers)).await?);
    }
    if wants(Scenario::Viewer) {
        add(Box::pin(viewer::measure(peers)).await?);
    }
    if wants(Scenario::Fanout) {
        add(Box::pin(fanout::one_real(peers)).await?);
        // One device is measured above, and takes no code of its own.
        if wishes.real > 1 {
            add(Box::pin(fanout::many_real(wishes.real, peers)).await?);
        }
    }
    if wants(Scenario::Agents) || wants(Scenario::Fanout) {
        let (mut crowd, rows) = Box::pin(Crowd::gather(wishes.agents)).await;
        if wants(Scenario::Agents) {
            add(rows);
            add(vec![crowd.heartbeats().await]);
        }
        if wants(Scenario::Fanout) {
            add(vec![Box::pin(fanout::simulated(&mut crowd)).await]);
        }
        if wants(Scenario::Agents) {
            add(Box::pin(crowd.again()).await);
        }
        crowd.leave().await;
    }
    Ok(())
}
