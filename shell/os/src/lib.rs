//! The powers that the agent needs from an operating system, one module for each.
//!
//! The portable types stand here; `linux` fills them. Another system is another folder with the same
//! items: a file that nobody can change ([`SealedFile`]), a process that can be ended with all that it
//! started ([`Running`]), memory that another program fills ([`SharedMemory`]), accounts ([`Account`]), files that survive a power cut ([`PrivateDir`]) and
//! what the machine is made of ([`machine`]). Nothing here decides anything.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::accounts::{Account, AccountError, account_name, group_id, group_name, user_id};
#[cfg(target_os = "linux")]
pub use linux::acting::act_on_files_as;
#[cfg(target_os = "linux")]
pub use linux::entry::{Entry, EntryKind, dress, is_own_alone, lock, reserve};
#[cfg(target_os = "linux")]
pub use linux::files::PrivateDir;
#[cfg(target_os = "linux")]
pub use linux::folder::{Existing, Folder, Held, Last, Links, Names, Place, ReachError};
#[cfg(target_os = "linux")]
pub use linux::machine;
#[cfg(target_os = "linux")]
pub use linux::memory;
#[cfg(target_os = "linux")]
pub use linux::notice::write_to_terminal;
#[cfg(target_os = "linux")]
pub use linux::process::{Running, Stopper, find_program};
#[cfg(target_os = "linux")]
pub use linux::pty::Pty;
#[cfg(target_os = "linux")]
pub use linux::sealed::SealedFile;
#[cfg(target_os = "linux")]
pub use linux::shared::SharedMemory;
#[cfg(target_os = "linux")]
pub use linux::sweep::end_marked;
#[cfg(target_os = "linux")]
pub use linux::target::{EndSignal, Target, TargetError, kill_group, set_nice, signal};
#[cfg(target_os = "linux")]
pub use linux::wake::{Sleeper, Waker, peer_uid, sleeper};

use std::path::Path;
use std::time::Duration;

/// Everything that a started script gets; nothing is inherited from the agent.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The interpreter's absolute path.
    pub program: &'a Path,
    /// What stands between the interpreter and the script (`-File` of PowerShell).
    pub interpreter_arguments: &'a [&'a str],
    /// The script; the interpreter reads these bytes and no others.
    pub script: &'a SealedFile,
    pub arguments: &'a [String],
    /// The whole environment, except for [`RUN_VARIABLE`].
    pub environment: &'a [(String, String)],
    /// Who runs it; the agent's own account where it is the same.
    pub account: &'a Account,
    /// Marks every process of this run, so that none is missed when it is ended.
    pub mark: &'a str,
}

/// The environment variable that marks all processes of a run.
pub const RUN_VARIABLE: &str = "SALLYPORT_RUN";

/// Everything that a shell on a terminal of its own gets; nothing is inherited from the agent.
#[derive(Debug)]
pub struct Login<'a> {
    /// The shell's absolute path.
    pub shell: &'a Path,
    pub arguments: &'a [&'a str],
    /// The whole environment, except for [`RUN_VARIABLE`].
    pub environment: &'a [(String, String)],
    /// Who it belongs to, the terminal included; the agent's own account where it is the same.
    pub account: &'a Account,
    /// Marks every process of this session, so that none is missed when it is ended.
    pub mark: &'a str,
    pub size: Size,
}

/// The size of a terminal in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

/// What is ended with a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// All jobs of the terminal that do not look away on purpose (`nohup`, `setsid`), as at any sign-out.
    Jobs,
    /// Everything that was ever begun there.
    Everything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What a running script did next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// So many bytes are in the caller's buffer.
    Output(Stream, usize),
    /// Somebody used the [`Stopper`].
    StopAsked,
    /// The caller's deadline passed.
    Deadline,
    /// It is over, and every process of its group was told to die.
    Ended(Ending),
}

/// How a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Exited(i32),
    Signalled(i32),
    /// Killed, and still there after [`UNKILLABLE_AFTER`]: stuck in the kernel.
    Unkillable,
}

/// Time between the polite and the final signal.
pub const STOP_GRACE: Duration = Duration::from_secs(3);
/// Time that output may keep coming from processes that outlive the script itself.
pub const DRAIN: Duration = Duration::from_secs(2);
/// Time after the final signal until a process counts as stuck.
pub const UNKILLABLE_AFTER: Duration = Duration::from_secs(10);

/// Why a script did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("only a privileged agent can run as another account")]
    NotPermitted,
    #[error("the script could not be started: {0}")]
    Io(#[from] std::io::Error),
}
