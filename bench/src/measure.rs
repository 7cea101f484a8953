//! What the system says of a process, and what is installed on it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Resident memory, in bytes.
pub(crate) fn rss_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Processor time so far, user and system together.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in brackets: utime and stime are the twelfth and thirteenth field, in hundredths of a second on Linux.
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}

/// Milliseconds since.
pub(crate) fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Processor time of a process and of everything that descends from it and still lives.
pub(crate) fn cpu_time_of_tree(pid: u32) -> Duration {
    cpu_time(pid) + children(pid).into_iter().map(cpu_time_of_tree).sum::<Duration>()
}

/// The first process of this name that descends from another one.
pub(crate) fn descendant(pid: u32, name: &str) -> Option<u32> {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if comm.trim() == name { Some(pid) } else { children(pid).into_iter().find_map(|child| descendant(child, name)) }
}

/// What a process started and still lives.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Ends a process and everything that descends from it, as a power cut would, and waits until all of it is gone.
pub(crate) fn end_tree(mut child: Child) {
    let mut tree = vec![child.id()];
    let mut at = 0;
    while at < tree.len() {
        tree.extend(children(tree[at]));
        at += 1;
    }
    let pids = tree.iter().map(ToString::to_string);
    let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
    let _ = child.wait();
    let until = Instant::now() + GONE;
    while tree.iter().any(|pid| lives(*pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether it is there and no corpse that somebody else has to bury.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Installs Debian's packages of programs that are missing, where that is allowed. No service is started by it.
pub(crate) fn install(programs: &[(&str, &'static str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !std::path::Path::new(program).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    // Packages start no service in this run level.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").stdout(Stdio::null());
    if apt.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    anyhow::bail!("these packages are needed; as root: apt-get install -y --no-install-recommends {}", missing.join(" "))
}
