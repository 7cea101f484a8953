//! A shell on a terminal of its own, for readiness-driven callers: nothing here waits, except for the very end.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid, WaitId, WaitIdOptions};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::process::close_on_exec_from;
use super::sweep;
use crate::{Account, Ending, LaunchError, Login, RUN_VARIABLE, Size, Sweep};

/// Who may write to terminals beside their owner: `write` and `wall`.
const TTY_GROUP: &str = "tty";
/// Time that a shell has to tidy up when its terminal is taken away.
const HANG_UP: Duration = Duration::from_millis(300);

/// The agent's end of a terminal, and the shell on the other end. Dropping it ends everything that was begun there.
#[derive(Debug)]
pub struct Pty {
    terminal: OwnedFd,
    child: Child,
    leader: Pid,
    handle: Option<OwnedFd>,
    mark: String,
    ended: bool,
}

impl Pty {
    /// Starts a shell as the leader of a new session, whose controlling terminal is new too.
    pub fn open(login: &Login<'_>) -> Result<Self, LaunchError> {
        if !login.account.is_own() && !rustix::process::geteuid().is_root() {
            return Err(LaunchError::NotPermitted);
        }
        let (terminal, other_end) = open_terminal(login)?;
        let child = command(login, other_end)?.spawn()?;
        let leader = Pid::from_child(&child);
        let handle = rustix::process::pidfd_open(leader, PidfdFlags::NONBLOCK).ok();
        Ok(Self { terminal, child, leader, handle, mark: login.mark.to_owned(), ended: false })
    }

    /// The terminal, to wait until it can be read or written.
    pub fn terminal(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }

    /// Readable once the shell is over; absent before Linux 5.3, where [`Pty::exited`] must be asked now and then.
    pub fn exit_handle(&self) -> Option<BorrowedFd<'_>> {
        self.handle.as_ref().map(AsFd::as_fd)
    }

    /// Reads what was written to the terminal. Nothing (0) when no process has it open any more.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(&self.terminal, buffer) {
            // Linux' word for the hang-up of a terminal.
            Err(Errno::IO) => Ok(0),
            other => Ok(other?),
        }
    }

    /// Types. Less than all where the program at the other end reads nothing.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.terminal, bytes)?)
    }

    /// Tells the program in the foreground how large its terminal is now.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        Ok(rustix::termios::tcsetwinsize(&self.terminal, winsize(size))?)
    }

    /// How the shell ended, if it did. It is left unreaped until its session was ended, so that its number stays its own.
    pub fn exited(&self) -> io::Result<Option<Ending>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let Some(status) = rustix::process::waitid(WaitId::Pid(self.leader), options)? else { return Ok(None) };
        let exited = status.exit_status().map(Ending::Exited);
        Ok(exited.or_else(|| status.terminating_signal().map(Ending::Signalled)))
    }

    /// Ends the shell and what was begun in its terminal. Waits for the shell, at most [`HANG_UP`] and then some
    /// milliseconds.
    pub fn end(mut self, sweep: Sweep) -> io::Result<Ending> {
        self.hang_up();
        self.wait(HANG_UP);
        self.kill(sweep);
        let status = self.child.wait()?;
        self.ended = true;
        Ok(status.code().map(Ending::Exited).or_else(|| status.signal().map(Ending::Signalled)).unwrap_or(Ending::Unkillable))
    }

    /// Says to all jobs that their terminal is gone: shells write their history, `nohup` looks away.
    fn hang_up(&self) {
        sweep::hang_up_session(self.leader);
    }

    fn wait(&self, time: Duration) {
        let Some(handle) = &self.handle else { return std::thread::sleep(time) };
        let timeout = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        // Whatever comes of it, the shell is killed next.
        let _ = rustix::event::poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout));
    }

    fn kill(&self, sweep: Sweep) {
        // A group that is gone already is no error.
        let _ = rustix::process::kill_process_group(self.leader, Signal::KILL);
        if sweep == Sweep::Everything {
            sweep::kill_marked(Some(self.leader), &self.mark);
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if !self.ended {
            self.kill(Sweep::Everything);
            // The shell was just killed; where that is not possible, nothing here can do more.
            let _ = self.child.try_wait();
        }
    }
}

fn open_terminal(login: &Login<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&terminal)?;
    let other_end = rustix::pty::ioctl_tiocgptpeer(&terminal, flags)?;
    rustix::termios::tcsetwinsize(&terminal, winsize(login.size))?;
    if !login.account.is_own() {
        // Programs that open the terminal by its name must be able to.
        rustix::fs::fchown(&other_end, Some(login.account.uid), Some(terminal_group(login.account)))?;
        rustix::fs::fchmod(&other_end, Mode::RUSR | Mode::WUSR | Mode::WGRP)?;
    }
    let set = rustix::fs::fcntl_getfl(&terminal)?;
    rustix::fs::fcntl_setfl(&terminal, set | OFlags::NONBLOCK)?;
    make_utf8(&other_end);
    Ok((terminal, other_end))
}

fn terminal_group(account: &Account) -> Gid {
    super::accounts::group_id(TTY_GROUP).map_or(account.gid, Gid::from_raw)
}

/// The kernel's line editor removes whole characters then; a terminal that does not know this is still one.
fn make_utf8(terminal: &OwnedFd) {
    use rustix::termios::{InputModes, OptionalActions};
    if let Ok(mut modes) = rustix::termios::tcgetattr(terminal) {
        modes.input_modes |= InputModes::IUTF8;
        let _ = rustix::termios::tcsetattr(terminal, OptionalActions::Now, &modes);
    }
}

fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn command(login: &Login<'_>, terminal: OwnedFd) -> io::Result<Command> {
    let mut command = Command::new(login.shell);
    command.arg0(login_name(login)).args(login.arguments);
    command.env_clear().envs(login.environment.iter().map(|(name, value)| (name, value))).env(RUN_VARIABLE, login.mark);
    command.stdin(Stdio::from(terminal.try_clone()?)).stdout(Stdio::from(terminal.try_clone()?)).stderr(Stdio::from(terminal));
    let entry = Entry::prepared(login.account);
    // SAFETY: the closure runs in the forked child and calls nothing but system calls on memory that was made before the fork.
    unsafe { command.pre_exec(move || entry.enter()) };
    Ok(command)
}

/// A shell whose name begins with a dash reads what is read at signing in.
fn login_name(login: &Login<'_>) -> PathBuf {
    let name = login.shell.file_name().unwrap_or(login.shell.as_os_str());
    let mut dashed = std::ffi::OsString::from("-");
    dashed.push(name);
    dashed.into()
}

/// What a child does between fork and exec; everything that needs memory is made before.
struct Entry {
    identity: Option<(Uid, Gid, Vec<Gid>)>,
    home: CString,
}

impl Entry {
    fn prepared(account: &Account) -> Self {
        Self {
            identity: (!account.is_own()).then(|| (account.uid, account.gid, account.groups.clone())),
            home: CString::new(account.home.as_os_str().as_bytes()).unwrap_or_default(),
        }
    }

    fn enter(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        close_on_exec_from(3);
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

#[cfg(test)]
#[path = "pty_tests.rs"]
mod tests;
