//! Looks at all processes, cheaply when repeated: one small file for each, and the rest only where something may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_wire::stream::background::{ProcessKey, ProcessRow};

use super::ports::{self, Sockets};
use super::stat::{Stat, pids, text};
use crate::inventory::booted_at;

/// What the kernel counts process times in, on every architecture that Linux tells programs about.
const TICKS_PER_SEC: u64 = 100;
/// A young process may still become another program, or another user's; an older one is looked at again now and then.
const YOUNG_LOOKS: u32 = 3;
const AGAIN_EVERY: u32 = 16;

/// What is remembered from look to look.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    known: BTreeMap<ProcessKey, Known>,
    names: BTreeMap<u32, String>,
    sockets: Sockets,
    looked: Option<Instant>,
    booted: Option<Timestamp>,
}

#[derive(Debug)]
struct Known {
    row: ProcessRow,
    cpu_ticks: u64,
    looks: u32,
}

/// What changed since the look before.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) changed: Vec<ProcessRow>,
    pub(super) gone: Vec<ProcessKey>,
}

impl Sampler {
    /// All processes as they were at the last look.
    pub(super) fn rows(&self) -> Vec<ProcessRow> {
        self.known.values().map(|known| known.row.clone()).collect()
    }

    pub(super) fn look(&mut self) -> Look {
        let now = Instant::now();
        let passed = self.looked.replace(now).map(|before| now.saturating_duration_since(before).as_secs_f64());
        if self.booted.is_none() {
            self.booted = booted_at();
        }
        let sockets = ports::listening();
        let other_sockets = sockets != self.sockets;
        self.sockets = sockets;
        let uptime_ticks = uptime_ticks();
        let mut seen = BTreeSet::new();
        let mut look = Look::default();
        for pid in pids() {
            let Some(stat) = Stat::of(pid) else { continue };
            let key = ProcessKey { pid, started: stat.started };
            seen.insert(key);
            let next = self.next(key, &stat, passed, uptime_ticks, other_sockets);
            let before = self.known.insert(key, next);
            let now = &self.known[&key].row;
            if before.is_none_or(|before| before.row != *now) {
                look.changed.push(now.clone());
            }
        }
        look.gone = self.known.keys().filter(|key| !seen.contains(key)).copied().collect();
        self.known.retain(|key, _| seen.contains(key));
        look
    }

    fn next(&mut self, key: ProcessKey, stat: &Stat, passed: Option<f64>, uptime_ticks: u64, other_sockets: bool) -> Known {
        let before = self.known.get(&key).map(|known| (known.row.clone(), known.cpu_ticks, known.looks));
        let looks = before.as_ref().map_or(0, |(_, _, looks)| looks + 1);
        let young = looks < YOUNG_LOOKS;
        let (mut row, ticks_before) = match before {
            Some((row, ticks, _)) => (row, Some(ticks)),
            None => (self.empty(key), None),
        };
        if young || looks.is_multiple_of(AGAIN_EVERY) || row.name != short(&stat.name) {
            row.user = self.user(key.pid);
            row.command = command(key.pid);
        }
        if young || other_sockets {
            row.ports = ports::of(key.pid, &self.sockets);
        }
        row.cpu_permille = match (ticks_before, passed) {
            (Some(before), Some(passed)) => share(stat.cpu_ticks.saturating_sub(before), passed),
            _ => share(stat.cpu_ticks, seconds(uptime_ticks.saturating_sub(key.started))),
        };
        (row.name, row.parent, row.state) = (short(&stat.name), stat.parent, stat.state);
        (row.nice, row.threads) = (stat.nice, stat.threads);
        row.memory_bytes = stat.memory_pages.saturating_mul(sallyport_os::machine::page_bytes());
        Known { row, cpu_ticks: stat.cpu_ticks, looks }
    }

    fn empty(&self, key: ProcessKey) -> ProcessRow {
        let since = self.booted.map(|booted| booted.plus_secs((key.started / TICKS_PER_SEC).cast_signed()));
        ProcessRow {
            pid: key.pid,
            started: key.started,
            since,
            parent: 0,
            user: String::new(),
            name: String::new(),
            command: String::new(),
            cpu_permille: 0,
            memory_bytes: 0,
            state: '?',
            nice: 0,
            threads: 0,
            ports: Vec::new(),
        }
    }

    fn user(&mut self, pid: u32) -> String {
        let status = text(pid, "status");
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let Some(uid) = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u32>().ok()) else {
            return String::new();
        };
        let name = self.names.entry(uid).or_insert_with(|| sallyport_os::account_name(uid).unwrap_or_else(|| uid.to_string()));
        short(name)
    }
}

fn command(pid: u32) -> String {
    let raw = text(pid, "cmdline");
    AgentText::tame(raw.trim_end_matches('\0').replace('\0', " ").trim(), limits::AGENT_TEXT_CHARS).into_string()
}

fn short(text: &str) -> String {
    AgentText::tame(text, limits::AGENT_NAME_CHARS).into_string()
}

fn uptime_ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let secs = text.split('.').next().and_then(|secs| secs.parse::<u64>().ok()).unwrap_or_default();
    secs.saturating_mul(TICKS_PER_SEC)
}

#[allow(clippy::cast_precision_loss, reason = "ticks of a process' life are far below 2^53")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SEC as f64
}

/// Thousandths of one core.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts from floats saturate")]
fn share(ticks: u64, passed_secs: f64) -> u32 {
    (seconds(ticks) / passed_secs.max(0.01) * 1000.0).round() as u32
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Busy(Child);

    impl Busy {
        fn start(script: &str) -> Self {
            Self(Command::new("sh").args(["-c", script]).spawn().expect("sh"))
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn row(sampler: &Sampler, pid: u32) -> ProcessRow {
        sampler.rows().into_iter().find(|row| row.pid == pid).expect("listed")
    }

    #[test]
    fn a_busy_process_is_seen_busy_and_an_ended_one_is_told_gone() {
        let busy = Busy::start("while :; do :; done");
        let mut sampler = Sampler::default();
        let first = sampler.look();
        assert!(first.changed.iter().any(|row| row.pid == busy.0.id()) && first.gone.is_empty());
        std::thread::sleep(std::time::Duration::from_millis(300));
        let second = sampler.look();
        assert!(second.changed.len() < sampler.rows().len(), "what sleeps is not told again");
        let seen = row(&sampler, busy.0.id());
        assert!(seen.cpu_permille > 100 && seen.command.contains("while") && seen.memory_bytes > 0, "{seen:?}");
        assert_eq!((seen.parent, seen.threads), (std::process::id(), 1));
        let key = seen.key();
        drop(busy);
        assert!(sampler.look().gone.contains(&key));
    }

    #[test]
    fn ports_that_open_later_are_seen() {
        let mut sampler = Sampler::default();
        (0..5).for_each(|_| drop(sampler.look()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("address").port();
        sampler.look();
        assert!(row(&sampler, std::process::id()).ports.iter().any(|found| found.port == port));
    }

    #[test]
    fn shares_are_of_one_core() {
        assert_eq!((share(100, 1.0), share(50, 1.0), share(0, 0.0), share(u64::MAX, 0.0)), (1000, 500, 0, u32::MAX));
    }
}
