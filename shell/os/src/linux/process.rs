//! A script as a session of its own: started clean, heard in order, ended with everything it began.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Mode;
use rustix::io::{Errno, FdFlags};
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid, WaitId, WaitIdOptions};

use super::sweep;
use crate::{Account, Activity, DRAIN, Ending, Launch, LaunchError, RUN_VARIABLE, STOP_GRACE, Stream, UNKILLABLE_AFTER};

/// Where interpreters are looked for, whatever the agent's own environment says.
const PROGRAM_DIRS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// How often a process is asked whether it ended where the kernel has no handles that say so.
const POLL_WITHOUT_HANDLE: Duration = Duration::from_millis(50);

/// Finds an executable by its name.
pub fn find_program(name: &str) -> Option<PathBuf> {
    PROGRAM_DIRS.iter().map(|dir| Path::new(dir).join(name)).find(|path| {
        let executable = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        executable && path.is_file()
    })
}

/// Asks a running script to be stopped, from any thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<io::PipeWriter>);

impl Stopper {
    /// Has no effect on a script that is over, or the second time.
    pub fn stop(&self) {
        // One byte is enough; a full or closed pipe says that nobody needs it.
        let _ = rustix::io::write(&*self.0, b".");
    }
}

/// A started script.
///
/// Its first process is not reaped before the whole group was killed, so its group's number cannot
/// have been given to anybody else by then. Dropping it ends it at once.
#[derive(Debug)]
pub struct Running {
    child: Child,
    leader: Pid,
    mark: String,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    stop_asked: Option<io::PipeReader>,
    handle: Option<OwnedFd>,
    phase: Phase,
    stopping: bool,
    turn: Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alive,
    /// Told to end; killed at this moment.
    Asked(Instant),
    /// Killed; given up at this moment.
    Killed(Instant),
    /// The first process ended; output of others is read until this moment.
    Draining(Instant),
    /// Everything was killed; what lies in the pipes is still read.
    Emptying,
    Reaped,
}

enum Ready {
    Readable(Stream),
    StopAsked,
    LeaderEnded,
    TimedOut,
}

impl Running {
    /// Starts a script.
    pub fn launch(launch: &Launch<'_>) -> Result<(Self, Stopper), LaunchError> {
        if !launch.account.is_own() && !rustix::process::geteuid().is_root() {
            return Err(LaunchError::NotPermitted);
        }
        let (stop_asked, stopper) = io::pipe()?;
        let mut child = command(launch).spawn()?;
        let leader = Pid::from_child(&child);
        let running = Self {
            leader,
            mark: launch.mark.to_owned(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            stop_asked: Some(stop_asked),
            handle: rustix::process::pidfd_open(leader, PidfdFlags::empty()).ok(),
            phase: Phase::Alive,
            stopping: false,
            turn: Stream::Stdout,
        };
        Ok((running, Stopper(Arc::new(stopper))))
    }

    /// Tells the whole group to end, and kills it [`STOP_GRACE`] later. Goes on until [`Activity::Ended`].
    pub fn stop(&mut self) {
        if self.phase == Phase::Alive {
            self.phase = Phase::Asked(Instant::now() + STOP_GRACE);
            self.signal_group(Signal::TERM);
        }
        self.stopping = true;
    }

    /// Waits for what happens next. The deadline counts only while nobody asked for the end.
    pub fn next(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<Activity> {
        loop {
            if self.phase == Phase::Reaped {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match self.wait(self.wait_until(deadline))? {
                Ready::StopAsked => {
                    self.stop_asked = None;
                    return Ok(Activity::StopAsked);
                }
                Ready::Readable(stream) => {
                    if let Some(read) = self.read(stream, buffer)? {
                        return Ok(Activity::Output(stream, read));
                    }
                }
                Ready::LeaderEnded => self.leader_ended(),
                Ready::TimedOut if self.deadline_passed(deadline) => return Ok(Activity::Deadline),
                Ready::TimedOut => {
                    if let Some(ending) = self.timer_passed()? {
                        return Ok(Activity::Ended(ending));
                    }
                }
            }
        }
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Option<Instant> {
        let all_closed = self.stdout.is_none() && self.stderr.is_none();
        match self.phase {
            Phase::Alive => deadline,
            Phase::Draining(_) if all_closed => Some(Instant::now()),
            Phase::Asked(until) | Phase::Killed(until) | Phase::Draining(until) => Some(until),
            Phase::Emptying | Phase::Reaped => Some(Instant::now()),
        }
    }

    fn deadline_passed(&self, deadline: Option<Instant>) -> bool {
        self.phase == Phase::Alive && deadline.is_some_and(|at| Instant::now() >= at)
    }

    fn leader_is_awaited(&self) -> bool {
        matches!(self.phase, Phase::Alive | Phase::Asked(_) | Phase::Killed(_))
    }

    /// One look at everything that can happen, the streams taking turns so that neither starves the other.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Ready> {
        let mut left = until.map(|at| at.saturating_duration_since(Instant::now()));
        if self.handle.is_none() && self.leader_is_awaited() {
            left = Some(left.map_or(POLL_WITHOUT_HANDLE, |left| left.min(POLL_WITHOUT_HANDLE)));
        }
        let seen = self.poll(left)?;
        if seen.stop && self.stop_asked.is_some() {
            return Ok(Ready::StopAsked);
        }
        let ready = match self.turn {
            Stream::Stdout if seen.stdout => Some(Stream::Stdout),
            _ if seen.stderr => Some(Stream::Stderr),
            _ if seen.stdout => Some(Stream::Stdout),
            _ => None,
        };
        if let Some(stream) = ready {
            self.turn = if stream == Stream::Stdout { Stream::Stderr } else { Stream::Stdout };
            return Ok(Ready::Readable(stream));
        }
        let ended = self.leader_is_awaited() && (seen.handle || self.handle.is_none()) && self.leader_is_dead()?;
        Ok(if ended { Ready::LeaderEnded } else { Ready::TimedOut })
    }

    fn poll(&self, left: Option<Duration>) -> io::Result<Seen> {
        let sources = [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
            self.stop_asked.as_ref().map(AsFd::as_fd),
            self.handle.as_ref().filter(|_| self.leader_is_awaited()).map(AsFd::as_fd),
        ];
        let mut fds: Vec<PollFd<'_>> = sources.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let timeout = left.map(|left| Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() });
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut seen = sources.map(|source| source.is_some() && happened.next().unwrap_or(false)).into_iter();
        let mut take = || seen.next().unwrap_or(false);
        Ok(Seen { stdout: take(), stderr: take(), stop: take(), handle: take() })
    }

    fn leader_is_dead(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        Ok(rustix::process::waitid(WaitId::Pid(self.leader), options)?.is_some())
    }

    /// `None` is the end of the stream.
    fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = match stream {
            Stream::Stdout => self.stdout.as_ref().map(|from| rustix::io::read(from, buffer)),
            Stream::Stderr => self.stderr.as_ref().map(|from| rustix::io::read(from, buffer)),
        };
        match read {
            Some(Ok(read)) if read > 0 => return Ok(Some(read)),
            Some(Err(Errno::INTR | Errno::AGAIN)) => return Ok(None),
            Some(Err(error)) => return Err(error.into()),
            _ => {}
        }
        match stream {
            Stream::Stdout => self.stdout = None,
            Stream::Stderr => self.stderr = None,
        }
        Ok(None)
    }

    fn leader_ended(&mut self) {
        if self.stopping {
            self.kill_everything();
        }
        self.phase = Phase::Draining(Instant::now() + if self.stopping { DRAIN / 4 } else { DRAIN });
    }

    fn timer_passed(&mut self) -> io::Result<Option<Ending>> {
        let now = Instant::now();
        match self.phase {
            Phase::Asked(at) if now >= at => {
                self.kill_everything();
                self.phase = Phase::Killed(now + UNKILLABLE_AFTER);
            }
            Phase::Killed(at) if now >= at => return self.give_up().map(Some),
            Phase::Draining(at) if now >= at || (self.stdout.is_none() && self.stderr.is_none()) => {
                self.signal_group(Signal::KILL);
                self.phase = Phase::Emptying;
            }
            Phase::Emptying => return self.reap().map(Some),
            _ => {}
        }
        Ok(None)
    }

    fn kill_everything(&self) {
        self.signal_group(Signal::KILL);
        sweep::kill_marked(Some(self.leader), &self.mark);
    }

    /// A group that is gone already is no error.
    fn signal_group(&self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.leader, signal);
    }

    fn reap(&mut self) -> io::Result<Ending> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait()?;
        self.phase = Phase::Reaped;
        Ok(status.code().map(Ending::Exited).or_else(|| status.signal().map(Ending::Signalled)).unwrap_or(Ending::Unkillable))
    }

    fn give_up(&mut self) -> io::Result<Ending> {
        self.phase = Phase::Reaped;
        Ok(Ending::Unkillable)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.phase != Phase::Reaped {
            self.kill_everything();
            let _ = self.child.wait();
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    stdout: bool,
    stderr: bool,
    stop: bool,
    handle: bool,
}

fn command(launch: &Launch<'_>) -> Command {
    let mut command = Command::new(launch.program);
    command.args(launch.interpreter_arguments).arg(launch.script.inherited_path()).args(launch.arguments);
    command.env_clear().envs(launch.environment.iter().map(|(name, value)| (name, value))).env(RUN_VARIABLE, launch.mark);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let entry = Entry::prepared(launch);
    // SAFETY: the closure runs in the forked child and calls nothing but system calls on memory that was made before the fork.
    unsafe { command.pre_exec(move || entry.enter()) };
    command
}

/// What the new process does between fork and exec, all of it prepared before the fork.
struct Entry {
    script: i32,
    /// `None` where the agent is that account already.
    identity: Option<(Uid, Gid, Vec<Gid>)>,
    home: CString,
}

impl Entry {
    fn prepared(launch: &Launch<'_>) -> Self {
        let account = launch.account;
        Self {
            script: launch.script.as_fd().as_raw_fd(),
            identity: (!account.is_own()).then(|| identity(account)),
            home: CString::new(account.home.as_os_str().as_bytes()).unwrap_or_default(),
        }
    }

    fn enter(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        close_on_exec_from(3);
        // SAFETY: the agent holds the script's descriptor open over the fork; it is only borrowed here.
        let script = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.script) };
        rustix::io::fcntl_setfd(script, FdFlags::empty())?;
        if let Some((uid, gid, groups)) = &self.identity {
            rustix::thread::set_thread_groups(groups)?;
            rustix::thread::set_thread_res_gid(*gid, *gid, *gid)?;
            rustix::thread::set_thread_res_uid(*uid, *uid, *uid)?;
        }
        if self.home.is_empty() || rustix::process::chdir(self.home.as_c_str()).is_err() {
            rustix::process::chdir(c"/")?;
        }
        Ok(())
    }
}

fn identity(account: &Account) -> (Uid, Gid, Vec<Gid>) {
    (account.uid, account.gid, account.groups.clone())
}

/// Keeps every descriptor of the agent out of the script, also those that a library forgot to mark.
pub(super) fn close_on_exec_from(first: u32) {
    // SAFETY: marks descriptors, touches no memory.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return;
    }
    for raw in first..1024 {
        // SAFETY: the descriptor is only borrowed, and one that is not open only makes the call fail.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(raw.cast_signed()) };
        let _ = rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC);
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
