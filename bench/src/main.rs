//! `cargo xtask bench`: measures this machine's build of server and agent. Never part of the tests: machines are noisy, and what is
//! compared is compared within one run.

mod agent;
mod api;
mod crowd;
mod fanout;
mod grant;
mod measure;
mod report;
mod signin;
mod startup;
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
    /// Compare with other products in the same run: `viewer` only.
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
    /// Memory and processor time of the server for many connected agents.
    Agents,
    /// From a proof to all results.
    Fanout,
    /// Memory of the agent, and how soon it is back.
    Agent,
    /// How long a device verifies a grant.
    Grant,
    /// Updates, processor time and key to pixel of a screen. Needs Xvfb and xterm.
    Viewer,
}

fn main() -> anyhow::Result<ExitCode> {
    let wishes = Wishes::parse();
    if wishes.peers && wishes.scenario != Some(Scenario::Viewer) {
        bail!(
            "--peers is available for `viewer` only: elsewhere no other product is installed or started, and rows that would be compared with one say that their baseline is absent"
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

async fn measure_all(wishes: &Wishes, report: &mut Report) -> anyhow::Result<()> {
    let wants = |scenario| wishes.scenario.is_none_or(|wanted| wanted == scenario);
    let mut add = |rows: Vec<Row>| report.add(rows);
    if wants(Scenario::Startup) {
        add(Box::pin(startup::measure()).await);
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
        add(Box::pin(agent::measure()).await);
    }
    if wants(Scenario::Viewer) {
        let peers = if wishes.peers { viewer::Peers::Beside } else { viewer::Peers::Absent };
        add(tokio::task::spawn_blocking(move || viewer::measure(peers)).await??);
    }
    if wants(Scenario::Fanout) {
        add(vec![Box::pin(fanout::one_real()).await]);
        add(vec![Box::pin(fanout::many_real(wishes.real)).await]);
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
        crowd.leave().await;
    }
    Ok(())
}
