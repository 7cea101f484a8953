//! `sallyport-fleet`: simulated devices for demonstrations. The agents are the real code; the machines are invented, and say so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use sallyport_agent_core::dial::TcpDialer;
use sallyport_testkit::simulated::{Disks, Fleet, Keys, PREFIX, Pace, Plan};
use tokio::signal::unix::{SignalKind, signal};

/// How often the file is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Adds simulated devices to an installation. Their names begin with `sim-`, and their system and maker are marked `simulated`.
/// They enrol with the file, wait for approval as every device does, and only pretend to run scripts.
#[derive(Parser)]
#[command(name = "sallyport-fleet", version)]
struct Wishes {
    /// The enrolment file of an installer with enough uses; waited for where it is not there yet.
    #[arg(long)]
    enrolment: PathBuf,
    /// How many devices.
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Where the devices keep their keys, so that the same ones come back after a restart.
    #[arg(long)]
    state: PathBuf,
    /// Decides names and machines.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let wishes = Wishes::parse();
    sallyport_server::files_and_agents();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(4).build()?;
    let ended = runtime.block_on(live(&wishes));
    runtime.shutdown_background();
    ended
}

async fn live(wishes: &Wishes) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopped = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let file = tokio::select! {
        file = enrolment(wishes) => file?,
        () = &mut stopped => return Ok(()),
    };
    let plan = Plan {
        keys: Keys::Random,
        disks: Disks::Below(wishes.state.clone()),
        pace: Pace::Lively,
        ..Plan::new(wishes.count, wishes.seed, Arc::new(TcpDialer::default()))
    };
    let fleet = Fleet::start(&plan, file.as_deref()).with_context(|| format!("{} cannot be used", wishes.state.display()))?;
    println!("{} simulated devices are running; their names begin with {PREFIX}", wishes.count);
    stopped.await;
    fleet.stop().await;
    Ok(())
}

/// The file for devices that are new; none for a fleet that was enrolled before with the same file.
async fn enrolment(wishes: &Wishes) -> anyhow::Result<Option<Vec<u8>>> {
    let used = wishes.state.join("enrolled-with");
    let mut waits = false;
    loop {
        match tokio::fs::read(&wishes.enrolment).await {
            Ok(file) if std::fs::read(&used).is_ok_and(|before| before == file) => return Ok(None),
            Ok(file) => {
                std::fs::create_dir_all(&wishes.state).with_context(|| format!("{} cannot be made", wishes.state.display()))?;
                write_private(&used, &file).with_context(|| format!("{} cannot be written", used.display()))?;
                return Ok(Some(file));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && used.exists() => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut waits, true) {
                    println!(
                        "waiting for {}: create an installer with at least {} uses and save its file there",
                        wishes.enrolment.display(),
                        wishes.count
                    );
                }
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", wishes.enrolment.display())),
        }
    }
}

fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}
