//! `cargo xtask claims`: attacks a fresh installation over the network and prints what held.
//!
//! The server and one agent are the shipped programs. Each attack has a control, its legitimate twin in the same run: where the twin
//! fails too, the attack proves nothing. Exit code 0: everything held; 1: something broke; 3: something is not built yet.

mod c1;
mod c2;
mod c3;
mod c5;
mod hostile;
mod relay;
mod report;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;

use report::{Claim, Report};
use world::World;

/// Attacks a fresh installation.
#[derive(Parser)]
#[command(name = "cargo xtask claims")]
struct Wishes {
    /// Write what held as JSON (schema sallyport.claims/1).
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let wishes = Wishes::parse();
    sallyport_server::files_and_agents();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let begun = Instant::now();
    let report = runtime.block_on(attack());
    runtime.shutdown_background();
    report.print(begun.elapsed());
    if let Some(path) = &wishes.json {
        std::fs::write(path, report.to_json()).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(ExitCode::from(report.exit_code()))
}

async fn attack() -> Report {
    let (c1, outside) = Box::pin(c1::attack()).await;
    let mut world = Box::pin(World::new()).await;
    // What needs the owner's step-up window comes first, and what uses up the hour's sums comes late.
    let c3 = Box::pin(c3::attack(&mut world)).await;
    let mut victim = c2::sign_in_elsewhere(&mut world).await;
    let mut c2 = Box::pin(c2::attack(&mut world, &mut victim)).await;
    let c5 = Box::pin(c5::attack(&mut world, &mut victim)).await;
    c2.push(c2::revoked(&mut world, &mut victim).await);
    world.leave().await;
    Report::new(vec![
        Claim::built("C1", "a password alone opens nothing", c1).except(outside),
        Claim::built("C2", "a live session alone commits nothing beyond its window; a revoked or copied one is dead", c2),
        Claim::built("C3", "exactly these bytes on exactly these devices, once, for minutes", c3),
        Claim::not_built("C4", "a taken-over server runs nothing on verified devices (profile `verified` is not built)", Vec::new()),
        Claim::not_built("C5", "one person cannot sweep the fleet (the server's sums are built, the devices' own check is not)", c5),
    ])
}
