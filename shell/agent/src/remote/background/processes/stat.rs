//! What proc(5) says of a process in one line.

use std::fs::File;
use std::io::Read;

use sallyport_wire::stream::background::ProcessKey;

use super::family::Hanging;

/// Longest file of a process that is read.
const FILE_BYTES: u64 = 8 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: char,
    pub(super) parent: u32,
    pub(super) cpu_ticks: u64,
    pub(super) nice: i8,
    pub(super) threads: u32,
    pub(super) started: u64,
    pub(super) memory_pages: u64,
}

impl Stat {
    /// The name in parentheses may hold anything, also parentheses; fields are counted from behind it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from, to) = (text.find('(')?, text.rfind(')')?);
        let fields: Vec<&str> = text.get(to + 1..)?.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            name: text.get(from + 1..to)?.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: u32::try_from(number(1)?).ok()?,
            cpu_ticks: number(11)?.saturating_add(number(12)?),
            nice: fields.get(16)?.parse().ok()?,
            threads: u32::try_from(number(17)?).ok()?,
            started: number(19)?,
            memory_pages: number(21)?,
        })
    }

    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&text(pid, "stat"))
    }
}

/// The numbers of all processes.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Who hangs under whom.
pub(super) fn all() -> Vec<Hanging> {
    let hanging = |pid| {
        let stat = Stat::of(pid)?;
        Some(Hanging { key: ProcessKey { pid, started: stat.started }, parent: stat.parent })
    };
    pids().filter_map(hanging).collect()
}

/// A small file of a process; empty when it has ended.
pub(super) fn text(pid: u32, name: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/{name}")) {
        // What was read before an error is still something.
        let _ = file.take(FILE_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_move_the_fields() {
        let text = "77 (a) R 9 9 (x)) S 5 77 77 0 -1 4194560 1 0 0 0 30 12 0 0 20 -5 3 0 987654 11 250 18446744073709551615";
        let stat = Stat::parse(text).expect("stat");
        assert_eq!((stat.name.as_str(), stat.state, stat.parent, stat.cpu_ticks), ("a) R 9 9 (x)", 'S', 5, 42));
        assert_eq!((stat.nice, stat.threads, stat.started, stat.memory_pages), (-5, 3, 987_654, 250));
        for garbage in ["", "7 (a", "7 (a) S", "7 )a( S 1 2 3", "7 (a) S x y z"] {
            assert_eq!(Stat::parse(garbage), None);
        }
    }
}
