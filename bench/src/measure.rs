//! What the system says of a process, and what is installed on it.

use std::time::{Duration, Instant};

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

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Installs Debian's packages of programs that are missing, where that is allowed. No service is started by it.
pub(crate) fn install(programs: &[(&str, &'static str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !std::path::Path::new(program).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut apt = std::process::Command::new("apt-get");
    apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    // Packages start no service in this run level.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").stdout(std::process::Stdio::null());
    if apt.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    anyhow::bail!("these packages are needed; as root: apt-get install -y --no-install-recommends {}", missing.join(" "))
}
