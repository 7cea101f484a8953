//! `viewer`: updates a second, processor time, and from a key to its pixel, with the same client for every server.

mod client;
mod product;
mod stage;

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::Peers;
use crate::measure::{cpu_time, install, millis};
use crate::report::{Op, Row};
use client::Client;
use stage::{Server, Stage};

/// How long a scrolling terminal is watched.
const WATCH: Duration = Duration::from_secs(6);
const KEYS: usize = 200;
/// Between keys, so that each is a change of its own.
const PAUSE: Duration = Duration::from_millis(60);

/// What one server reached.
struct Reached {
    updates_per_second: f64,
    /// Share of one processor while the terminal scrolled.
    processor: f64,
    /// Each key, in milliseconds.
    keys: Vec<f64>,
}

pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let product = Box::pin(product::reach()).await?;
    tokio::task::spawn_blocking(move || beside(peers, &product)).await?
}

fn beside(peers: Peers, (product, server): &(Reached, f64)) -> anyhow::Result<Vec<Row>> {
    if peers == Peers::Beside {
        install(&[("/usr/bin/x11vnc", "x11vnc"), ("/usr/bin/Xtigervnc", "tigervnc-standalone-server")])?;
    }
    let peer = |server| (peers == Peers::Beside).then(|| reach(server)).transpose();
    let ours = reach(Server::Ours)?;
    let (x11vnc, tigervnc) = (peer(Server::X11vnc)?, peer(Server::Tigervnc)?);
    let mut rows = Vec::new();
    for (name, reached) in [("", &ours), ("product-", product)] {
        rows.push(row(name, reached, x11vnc.as_ref(), Wanted::Updates).budget(Op::AtLeast, 1.0));
        rows.push(row(name, reached, x11vnc.as_ref(), Wanted::Processor));
        rows.push(row(name, reached, x11vnc.as_ref(), Wanted::ProcessorOfUpdate).budget(Op::AtMost, 0.5));
        rows.push(row(name, reached, tigervnc.as_ref(), Wanted::Keys).budget(Op::AtMost, 1.0));
    }
    rows.push(Row::of("viewer", "product-scrolling-cpu-server", "% of a core", &[*server]));
    for (name, peer) in [("x11vnc", &x11vnc), ("Xtigervnc", &tigervnc)] {
        if let Some(peer) = peer {
            rows.push(Row::of("viewer", format!("{name}-scrolling"), "updates/s", &[peer.updates_per_second]));
            rows.push(Row::of("viewer", format!("{name}-scrolling-cpu"), "% of a core", &[peer.processor]));
            rows.push(Row::of("viewer", format!("{name}-key-to-pixel"), "ms", &peer.keys));
        }
    }
    Ok(rows)
}

#[derive(Clone, Copy)]
enum Wanted {
    Updates,
    Processor,
    /// What can be compared where one shows several times as many updates as the other.
    ProcessorOfUpdate,
    Keys,
}

fn row(whose: &str, ours: &Reached, peer: Option<&Reached>, wanted: Wanted) -> Row {
    let of = |reached: &Reached| match wanted {
        Wanted::Updates => vec![reached.updates_per_second],
        Wanted::Processor => vec![reached.processor],
        Wanted::ProcessorOfUpdate => vec![reached.processor * 10.0 / reached.updates_per_second],
        Wanted::Keys => reached.keys.clone(),
    };
    let (name, variant, unit) = match wanted {
        Wanted::Updates => ("x11vnc", "scrolling-1280x720", "updates/s"),
        Wanted::Processor => ("x11vnc", "scrolling-cpu", "% of a core"),
        Wanted::ProcessorOfUpdate => ("x11vnc", "scrolling-cpu-per-update", "ms"),
        Wanted::Keys => ("Xtigervnc", "key-to-pixel", "ms"),
    };
    let row = Row::of("viewer", format!("{whose}{variant}"), unit, &of(ours));
    match peer {
        Some(peer) => row.against(name, Row::of("viewer", name, unit, &of(peer)).p50),
        None => row.against_absent(name),
    }
}

/// One more line of a terminal that scrolls.
const LINE: &str = r#"i=$((i+1)); echo "$i the quick brown fox jumps over the lazy dog $((i*7919))""#;

fn reach(server: Server) -> anyhow::Result<Reached> {
    let (updates_per_second, processor) = scrolling(server)?;
    Ok(Reached { updates_per_second, processor, keys: keys(server)? })
}

fn scrolling(server: Server) -> anyhow::Result<(f64, f64)> {
    let stage = Stage::of(server, &format!("i=0; while :; do {LINE}; done"))?;
    let mut client = Client::connect(stage.port())?;
    client.watch(Duration::from_secs(1))?;
    let (begun, before) = (Instant::now(), cpu_time(stage.server_pid()));
    let updates = client.watch(WATCH)?;
    let (took, used) = (begun.elapsed().as_secs_f64(), cpu_time(stage.server_pid()) - before);
    Ok((updates as f64 / took, used.as_secs_f64() / took * 100.0))
}

fn keys(server: Server) -> anyhow::Result<Vec<f64>> {
    let stage = Stage::of(server, "exec cat >/dev/null")?;
    let mut client = Client::connect(stage.port())?;
    type_keys(&mut client)
}

fn type_keys(client: &mut Client) -> anyhow::Result<Vec<f64>> {
    client.watch(Duration::from_secs(1))?;
    let mut times = Vec::with_capacity(KEYS);
    for at in 0..KEYS {
        std::thread::sleep(PAUSE);
        // Whatever came late is not the next key's.
        client.watch(Duration::from_millis(5))?;
        let begun = Instant::now();
        // A new line now and then: terminals wrap long ones, and that is more than a key.
        client.key(if at % 50 == 49 { 0xff0d } else { u32::from(b'a') })?;
        client.next_update().context("no pixel changed")?;
        times.push(millis(begun));
    }
    Ok(times)
}
