//! Running processes, from /proc.

use sallyport_model::{Timestamp, limits};
use sallyport_wire::Process;

use super::text::{kilobytes, read, value};
use super::users::{self, Account};
use super::{long, short, system};

/// What the kernel counts process times in, on every architecture that Linux tells programs about.
const TICKS_PER_SEC: u64 = 100;

/// The largest first, since a list that is too long loses its end.
pub(super) fn running(accounts: &[Account]) -> Vec<Process> {
    let names = users::names(accounts);
    let booted = system::booted_at(&read("/proc/stat"));
    let uptime_secs = system::uptime_secs();
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<Process> = ids
        .filter_map(|pid| {
            let stat = parse_stat(&read(format!("/proc/{pid}/stat")))?;
            let status = read(format!("/proc/{pid}/status"));
            let uid = owner(&status);
            Some(Process {
                pid,
                parent_pid: stat.parent,
                user: short(&uid.and_then(|uid| names.get(&uid).cloned()).or_else(|| uid.map(|uid| uid.to_string())).unwrap_or_default()),
                name: short(&stat.name),
                command_line: long(&command_line(&read(format!("/proc/{pid}/cmdline")))),
                cpu_permille: stat.cpu_permille(uptime_secs),
                memory_bytes: kilobytes(&status, "VmRSS"),
                started_at: booted.map(|booted: Timestamp| booted.plus_secs((stat.started_ticks / TICKS_PER_SEC).cast_signed())),
            })
        })
        .collect();
    found.sort_by(|one, other| other.memory_bytes.cmp(&one.memory_bytes).then(one.pid.cmp(&other.pid)));
    found.truncate(limits::INVENTORY_ITEMS);
    found
}

/// What proc(5) says in `stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) parent: u32,
    pub(super) cpu_ticks: u64,
    pub(super) started_ticks: u64,
}

/// The name in parentheses may hold anything, also parentheses.
pub(super) fn parse_stat(text: &str) -> Option<Stat> {
    let (from, to) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(from + 1..to)?.to_owned();
    let fields: Vec<&str> = text.get(to + 1..)?.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let parent = u32::try_from(number(1)?).ok()?;
    Some(Stat { name, parent, cpu_ticks: number(11)?.saturating_add(number(12)?), started_ticks: number(19)? })
}

impl Stat {
    /// Of one core, over the life of the process.
    pub(super) fn cpu_permille(&self, uptime_secs: u64) -> u32 {
        let lived = uptime_secs.saturating_mul(TICKS_PER_SEC).saturating_sub(self.started_ticks).max(1);
        u32::try_from(self.cpu_ticks.saturating_mul(1000) / lived).unwrap_or(u32::MAX)
    }
}

pub(super) fn owner(status: &str) -> Option<u32> {
    value(status, "Uid", ':')?.split_ascii_whitespace().next()?.parse().ok()
}

pub(super) fn command_line(raw: &str) -> String {
    raw.trim_end_matches('\0').replace('\0', " ")
}
