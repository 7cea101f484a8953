//! One process of the machine, told apart from any later one that gets its number.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

/// A process as somebody saw it: its number, and when it began in the kernel's ticks after the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub pid: u32,
    pub started_ticks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// Asks the process to end.
    Term,
    /// Ends it.
    Kill,
    /// Keeps it from going on, without ending it.
    Halt,
}

#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("the process has ended")]
    Gone,
    #[error("the system does not allow it")]
    Denied,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for TargetError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::SRCH | Errno::NOENT => Self::Gone,
            Errno::PERM | Errno::ACCESS => Self::Denied,
            other => Self::Io(other.into()),
        }
    }
}

/// Sends a signal to exactly this process.
///
/// The handle is taken before the look at the start time, so that a number that was given away again is not hit.
pub fn signal(target: Target, signal: EndSignal) -> Result<(), TargetError> {
    let pid = pid(target)?;
    let signal = match signal {
        EndSignal::Term => Signal::TERM,
        EndSignal::Kill => Signal::KILL,
        EndSignal::Halt => Signal::STOP,
    };
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty());
    check(target)?;
    match handle {
        Ok(handle) => Ok(rustix::process::pidfd_send_signal(handle, signal)?),
        // Kernels before 5.3 have no handles.
        Err(Errno::NOSYS) => Ok(rustix::process::kill_process(pid, signal)?),
        Err(errno) => Err(errno.into()),
    }
}

/// Kills a process that leads a group of its own, with everything of that group. It must be a child that nobody has waited
/// for yet, so that the number is still its own; one that is gone is no error.
pub fn kill_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}

/// Changes how much of the processor a process gets next to others: -20 (most) to 19 (least), for all of its threads.
pub fn set_nice(target: Target, nice: i32) -> Result<(), TargetError> {
    let first = pid(target)?;
    check(target)?;
    rustix::process::setpriority_process(Some(first), nice)?;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", target.pid)).into_iter().flatten().flatten();
    let threads = tasks.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    for thread in threads.filter(|thread| *thread != first) {
        match rustix::process::setpriority_process(Some(thread), nice) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn pid(target: Target) -> Result<Pid, TargetError> {
    i32::try_from(target.pid).ok().and_then(Pid::from_raw).ok_or(TargetError::Gone)
}

fn check(target: Target) -> Result<(), TargetError> {
    let stat = std::fs::read(format!("/proc/{}/stat", target.pid)).map_err(|_| TargetError::Gone)?;
    if started_ticks(&stat) == Some(target.started_ticks) { Ok(()) } else { Err(TargetError::Gone) }
}

/// proc(5): the name in parentheses may hold anything, so the fields are counted from the last one.
fn started_ticks(stat: &[u8]) -> Option<u64> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("300").spawn().expect("sleep"))
        }

        fn target(&self) -> Target {
            let stat = std::fs::read(format!("/proc/{}/stat", self.0.id())).expect("stat");
            Target { pid: self.0.id(), started_ticks: started_ticks(&stat).expect("ticks") }
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_process_is_ended_and_one_with_its_number_is_not() {
        let mut sleeper = Sleeper::start();
        let target = sleeper.target();
        let earlier = Target { started_ticks: target.started_ticks.wrapping_sub(1), ..target };
        for what in [EndSignal::Term, EndSignal::Kill] {
            assert!(matches!(signal(earlier, what), Err(TargetError::Gone)));
        }
        assert!(matches!(set_nice(earlier, 5), Err(TargetError::Gone)));
        assert_eq!(sleeper.0.try_wait().expect("wait"), None, "it lives");
        signal(target, EndSignal::Term).expect("signal");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.0.wait().expect("wait")), Some(15));
        assert!(matches!(signal(target, EndSignal::Kill), Err(TargetError::Gone)));
    }

    #[test]
    fn no_number_that_means_something_else_to_the_kernel_passes() {
        for pid in [0, u32::MAX, 1 << 31] {
            assert!(matches!(signal(Target { pid, started_ticks: 0 }, EndSignal::Kill), Err(TargetError::Gone)));
        }
    }

    #[test]
    fn the_priority_changes() {
        let sleeper = Sleeper::start();
        set_nice(sleeper.target(), 7).expect("nice");
        let pid = Pid::from_raw(sleeper.0.id().cast_signed());
        assert_eq!(rustix::process::getpriority_process(pid).expect("priority"), 7);
    }
}
