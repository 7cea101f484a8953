//! `agent`: what the agent takes on a device, and how soon it is there again after it was killed.

use std::time::{Duration, Instant};

use sallyport_testkit::agent::Machine;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;

use crate::Peers;
use crate::measure::{millis, rss_bytes};
use crate::mesh::Mesh;
use crate::report::{Op, Row};

const ROUNDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(20);
/// Inventory and what else happens once are over by then, and the agent has tidied up after them, which it does every 20 s.
const SETTLE: Duration = Duration::from_secs(25);
const MB: f64 = 1_000_000.0;

pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let mut rows = ours().await;
    if peers == Peers::Beside {
        rows.extend(theirs().await?);
    }
    Ok(rows)
}

async fn ours() -> Vec<Row> {
    let installation = Installation::plain();
    let mut operator = Operator::set_up(&installation).await;
    let mut machine = Machine::new();
    machine.enrol(&operator.installer(1).await);
    let begun = Instant::now();
    machine.start();
    operator.wait_for("state=pending", 1, PATIENCE).await;
    let first = millis(begun);
    operator.approve_all().await;
    let mut again = Vec::new();
    for _ in 0..ROUNDS {
        machine.kill();
        until(&mut operator, 0).await;
        let begun = Instant::now();
        machine.start();
        until(&mut operator, 1).await;
        again.push(millis(begun));
    }
    tokio::time::sleep(SETTLE).await;
    let rss = machine.pid().map_or(0.0, |pid| rss_bytes(pid) as f64 / MB);
    vec![
        Row::of("agent", "rss-idle", "MB", &[rss]).budget(Op::AtMost, 6.0),
        Row::of("agent", "first-start-to-pending", "ms", &[first]),
        Row::of("agent", "start-to-online-again", "ms", &again).budget(Op::AtMost, 100.0),
    ]
}

/// Looks without a pause, so that what is measured is the agent.
async fn until(operator: &mut Operator, online: u64) {
    let begun = Instant::now();
    while operator.count("state=online").await != online {
        assert!(begun.elapsed() < PATIENCE, "the device does not become what it should");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The same of MeshCentral's agent, which nobody has to approve. Our budgets are absolute: nothing is compared.
async fn theirs() -> anyhow::Result<Vec<Row>> {
    let mut mesh = Mesh::empty().await?;
    let begun = Instant::now();
    mesh.add()?.start()?;
    mesh.until(1).await?;
    let first = millis(begun);
    let mut again = Vec::new();
    for _ in 0..ROUNDS {
        mesh.agent()?.kill();
        mesh.until(0).await?;
        let begun = Instant::now();
        mesh.agent()?.start()?;
        mesh.until(1).await?;
        again.push(millis(begun));
    }
    tokio::time::sleep(SETTLE).await;
    let rss = mesh.agent()?.pid().map_or(0.0, |pid| rss_bytes(pid) as f64 / MB);
    Ok(vec![
        Row::of("agent", "MeshCentral-rss-idle", "MB", &[rss]),
        Row::of("agent", "MeshCentral-first-start-to-online", "ms", &[first]),
        Row::of("agent", "MeshCentral-start-to-online-again", "ms", &again),
    ])
}
