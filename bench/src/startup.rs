//! `startup`: how soon the server answers, and what it takes when nobody asks anything.

use std::time::Duration;

use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;

use crate::Peers;
use crate::measure::rss_bytes;
use crate::mesh::{self, Package, Server};
use crate::report::{Op, Row};

const ROUNDS: usize = 10;
/// A peer takes seconds.
const PEER_ROUNDS: usize = 5;
/// Long enough for everything that happens once.
const SETTLE: Duration = Duration::from_secs(3);
const MIB: f64 = (1 << 20) as f64;

/// Milliseconds to the first 200, and MiB at rest.
#[derive(Default)]
struct Reached {
    fresh: Vec<f64>,
    again: Vec<f64>,
    rss: f64,
}

pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let ours = reach().await;
    let mesh = match peers {
        Peers::Absent => None,
        Peers::Beside => Some(reach_mesh().await?),
    };
    let row = |variant: &str, values: &[f64]| Row::of("startup", variant, "ms to first 200", values);
    let beside = |row: Row, of: fn(&Reached) -> &Vec<f64>| row.beside(mesh::NAME, mesh.as_ref().map(of)).budget(Op::AtMost, 0.1);
    let memory = |variant: &str, reached: &Reached| Row::of("startup", variant, "MiB", &[reached.rss]);
    let mut rows = vec![
        beside(row("empty-folder", &ours.fresh), |reached| &reached.fresh),
        beside(row("set-up", &ours.again), |reached| &reached.again),
        memory("rss-idle", &ours).budget(Op::AtMost, 30.0),
    ];
    if let Some(mesh) = &mesh {
        rows.extend([
            row("MeshCentral-empty-folder", &mesh.fresh),
            row("MeshCentral-set-up", &mesh.again),
            memory("MeshCentral-rss-idle", mesh),
        ]);
    }
    Ok(rows)
}

async fn reach() -> Reached {
    let millis = |installation: &Installation| installation.ready_after.as_secs_f64() * 1000.0;
    let fresh = (0..ROUNDS).map(|_| millis(&Installation::plain())).collect();
    let mut installation = Installation::plain();
    drop(Operator::set_up(&installation).await);
    let mut again = Vec::new();
    for _ in 0..ROUNDS {
        installation.kill();
        installation.start();
        again.push(millis(&installation));
    }
    tokio::time::sleep(SETTLE).await;
    Reached { fresh, again, rss: rss_bytes(installation.pid()) as f64 / MIB }
}

/// The same: folders that hold its settings and nothing else, and one with an account, where keys and signed programs are made.
async fn reach_mesh() -> anyhow::Result<Reached> {
    let package = Package::install()?;
    let mut reached = Reached::default();
    for _ in 0..PEER_ROUNDS {
        reached.fresh.push(Server::new(&package)?.start().await?);
    }
    let mut server = Server::set_up(&package)?;
    server.start().await?;
    tokio::time::sleep(SETTLE).await;
    for _ in 0..PEER_ROUNDS {
        server.kill();
        reached.again.push(server.start().await?);
    }
    tokio::time::sleep(SETTLE).await;
    reached.rss = server.pid().map_or(0.0, |pid| rss_bytes(pid) as f64 / MIB);
    Ok(reached)
}
