//! `viewer`: updates a second, processor time, and from a key to its pixel, with the same client for every server.

mod client;
mod stage;

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::measure::{cpu_time, millis};
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

/// Whether others are measured in the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peers {
    Beside,
    Absent,
}

pub(crate) fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    if peers == Peers::Beside {
        stage::install_peers()?;
    }
    let peer = |server| (peers == Peers::Beside).then(|| reach(server)).transpose();
    let ours = reach(Server::Ours)?;
    let (x11vnc, tigervnc) = (peer(Server::X11vnc)?, peer(Server::Tigervnc)?);
    let mut rows = vec![
        row(&ours, x11vnc.as_ref(), Wanted::Updates).budget(Op::AtLeast, 1.0),
        row(&ours, x11vnc.as_ref(), Wanted::Processor).budget(Op::AtMost, 0.5),
        row(&ours, tigervnc.as_ref(), Wanted::Keys).budget(Op::AtMost, 1.0),
    ];
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
    Keys,
}

fn row(ours: &Reached, peer: Option<&Reached>, wanted: Wanted) -> Row {
    let of = |reached: &Reached| match wanted {
        Wanted::Updates => vec![reached.updates_per_second],
        Wanted::Processor => vec![reached.processor],
        Wanted::Keys => reached.keys.clone(),
    };
    let (name, variant, unit) = match wanted {
        Wanted::Updates => ("x11vnc", "scrolling-1280x720", "updates/s"),
        Wanted::Processor => ("x11vnc", "scrolling-cpu", "% of a core"),
        Wanted::Keys => ("Xtigervnc", "key-to-pixel", "ms"),
    };
    let row = Row::of("viewer", variant, unit, &of(ours));
    match peer {
        Some(peer) => row.against(name, Row::of("viewer", name, unit, &of(peer)).p50),
        None => row.against_absent(name),
    }
}

fn reach(server: Server) -> anyhow::Result<Reached> {
    let (updates_per_second, processor) = scrolling(server)?;
    Ok(Reached { updates_per_second, processor, keys: keys(server)? })
}

fn scrolling(server: Server) -> anyhow::Result<(f64, f64)> {
    let stage =
        Stage::of(server, "i=0; while :; do i=$((i+1)); echo \"$i the quick brown fox jumps over the lazy dog $((i*7919))\"; done")?;
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
