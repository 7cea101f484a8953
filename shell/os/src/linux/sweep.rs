//! Finds the processes of a run that left its process group, and kills them.

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::RUN_VARIABLE;

/// New processes can appear while the old ones are being killed; after so many rounds somebody forks on purpose.
const ROUNDS: usize = 8;

/// Kills all processes that are in the session that `leader` began or carry the run's mark.
pub(crate) fn kill_marked(leader: Option<Pid>, mark: &str) {
    let mark = format!("{RUN_VARIABLE}={mark}");
    for _ in 0..ROUNDS {
        let killed = processes().filter(|pid| Some(*pid) != leader).filter(|pid| kill_if_member(*pid, leader, &mark)).count();
        if killed == 0 {
            return;
        }
    }
}

/// Tells all processes of the session that `leader` began that their terminal is gone.
pub(crate) fn hang_up_session(leader: Pid) {
    for pid in processes() {
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        if session_of(pid) != Some(leader.as_raw_nonzero().get()) {
            continue;
        }
        // Stopped jobs must be able to hear it. A process that is gone needs to hear nothing.
        for told in [Signal::HUP, Signal::CONT] {
            let _ = match &handle {
                Ok(handle) => rustix::process::pidfd_send_signal(handle, told),
                Err(_) => rustix::process::kill_process(pid, told),
            };
        }
    }
}

/// The session of a process that lives.
fn session_of(pid: Pid) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (state, session) = state_and_session(&stat)?;
    (state != b'Z').then_some(session)
}

/// Kills what is left of a run whose first process is not known any more.
pub fn end_marked(mark: &str) {
    kill_marked(None, mark);
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
}

/// The handle is taken before the look, so that a process id that was given away again is not hit.
fn kill_if_member(pid: Pid, leader: Option<Pid>, mark: &str) -> bool {
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty());
    if !is_member(pid, leader, mark) {
        return false;
    }
    match handle {
        Ok(handle) => rustix::process::pidfd_send_signal(handle, Signal::KILL).is_ok(),
        Err(_) => rustix::process::kill_process(pid, Signal::KILL).is_ok(),
    }
}

fn is_member(pid: Pid, leader: Option<Pid>, mark: &str) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())) else { return false };
    let Some((state, session)) = state_and_session(&stat) else { return false };
    if state == b'Z' {
        return false;
    }
    let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    leader.is_some_and(|leader| session == leader.as_raw_nonzero().get())
        || environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
}

/// proc(5): the name in parentheses may hold anything, so the fields are counted from the last one.
fn state_and_session(stat: &[u8]) -> Option<(u8, i32)> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(2)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_move_the_fields() {
        assert_eq!(state_and_session(b"7 (a) Z 1 1 9 (x)) S 1 7 42 0 -1"), Some((b'S', 42)));
        for garbage in [b"".as_slice(), b"7 (a", b"7 (a)", b"7 (a) S 1", b"7 (a) S 1 2 x", &[0xff, b')', 0xff]] {
            assert_eq!(state_and_session(garbage), None);
        }
    }
}
