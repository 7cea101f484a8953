//! The shell of a terminal: whose it is, what it begins with, and how it is waited for.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sallyport_grant::body::OpenRemoteSession;
use sallyport_os::{Account, AccountError, Ending, LaunchError, Login, Pty, Size, Sweep, find_program};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::CannotOpen;

/// What the terminals of all clients understand.
pub(super) const TERM: &str = "xterm-256color";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Files that say which language the machine speaks.
const LOCALE_FILES: [&str; 2] = ["/etc/locale.conf", "/etc/default/locale"];
/// How often a shell is asked whether it exited where the kernel has no handles that say so.
const POLL_WITHOUT_HANDLE: Duration = Duration::from_millis(100);

/// Whether a shell can be had as the wanted account.
pub(crate) fn check(session: &OpenRemoteSession) -> Result<(), CannotOpen> {
    account(session).map(|_| ())
}

fn account(session: &OpenRemoteSession) -> Result<Account, CannotOpen> {
    let found = session.run_as.as_ref().map_or_else(Account::own, |name| Account::named(name.as_str()));
    let account = found.map_err(|error| match error {
        AccountError::Unknown | AccountError::Unreadable => CannotOpen::AccountUnknown,
    })?;
    if account.is_own() || sallyport_os::machine::is_privileged() { Ok(account) } else { Err(CannotOpen::AccountNotPermitted) }
}

/// Starts the shell of the session's account, as if it signed in.
pub(super) fn login(session: &OpenRemoteSession, mark: &str, size: Size) -> Result<Pty, CannotOpen> {
    let account = account(session)?;
    let shell = shell_of(&account).ok_or(CannotOpen::StartFailed)?;
    let environment = environment(&account, &shell);
    let login = Login { shell: &shell, arguments: &[], environment: &environment, account: &account, mark, size };
    Pty::open(&login).map_err(|error| match error {
        LaunchError::NotPermitted => CannotOpen::AccountNotPermitted,
        LaunchError::Io(error) => {
            tracing::error!(%error, "a shell cannot be started");
            CannotOpen::StartFailed
        }
    })
}

/// The account's own shell; for accounts that nobody signs in with, another one.
fn shell_of(account: &Account) -> Option<PathBuf> {
    let refuses = ["nologin", "false", "sync", "halt", "shutdown"];
    let own = Some(account.shell.clone()).filter(|shell| {
        let name = shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
        shell.is_absolute() && shell.is_file() && !refuses.contains(&name.as_str())
    });
    own.or_else(|| find_program("bash")).or_else(|| find_program("sh"))
}

fn environment(account: &Account, shell: &Path) -> Vec<(String, String)> {
    let language = LOCALE_FILES.iter().find_map(|file| language(&std::fs::read_to_string(file).ok()?));
    let fixed = [
        ("PATH", PATH.to_owned()),
        ("HOME", account.home.to_string_lossy().into_owned()),
        ("SHELL", shell.to_string_lossy().into_owned()),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("TERM", TERM.to_owned()),
        ("COLORTERM", "truecolor".to_owned()),
        ("LANG", language.unwrap_or_else(|| "C.UTF-8".to_owned())),
    ];
    fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The language that a locale file names, if terminals can show its characters.
fn language(text: &str) -> Option<String> {
    let named = text.lines().find_map(|line| line.trim().strip_prefix("LANG="))?;
    let named = named.trim_matches(['"', '\'']);
    let utf8 = named.to_ascii_lowercase().replace('-', "").ends_with("utf8");
    utf8.then(|| named.to_owned())
}

/// A shell that a task waits for.
pub(super) struct Shell {
    pty: Option<Pty>,
    terminal: AsyncFd<OwnedFd>,
    exit: Option<AsyncFd<OwnedFd>>,
}

impl Shell {
    pub(super) fn watch(pty: Pty) -> io::Result<Self> {
        let terminal = watched(pty.terminal(), Interest::READABLE | Interest::WRITABLE)?;
        let exit = pty.exit_handle().map(|handle| watched(handle, Interest::READABLE)).transpose()?;
        Ok(Self { pty: Some(pty), terminal, exit })
    }

    pub(super) fn pty(&self) -> &Pty {
        self.pty.as_ref().expect("it is taken only at the end")
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.terminal.readable().await.map(|mut ready| ready.retain_ready())
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.terminal.writable().await.map(|mut ready| ready.retain_ready())
    }

    /// `None` where there is nothing to read now, 0 at the end of the terminal.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        would_block(self.terminal.try_io(Interest::READABLE, |_| self.pty().read(buffer)))
    }

    /// As [`Shell::read`], also where nobody waited for it.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        would_block(self.pty().read(buffer))
    }

    /// `None` where the program takes nothing now.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        would_block(self.terminal.try_io(Interest::WRITABLE, |_| self.pty().write(bytes)))
    }

    /// Waits until the shell is over.
    pub(super) async fn exited(&self) -> io::Result<()> {
        if let Some(exit) = &self.exit {
            exit.readable().await?.retain_ready();
            return Ok(());
        }
        while self.pty().exited()?.is_none() {
            tokio::time::sleep(POLL_WITHOUT_HANDLE).await;
        }
        Ok(())
    }

    /// Ends the shell and what was begun in its terminal, off this thread.
    pub(super) async fn end(&mut self, sweep: Sweep) -> Option<Ending> {
        let pty = self.pty.take()?;
        let ended = tokio::task::spawn_blocking(move || pty.end(sweep)).await;
        ended.ok().and_then(Result::ok)
    }
}

/// Watches a descriptor of its own, which nobody else closes.
#[expect(deprecated, reason = "the replacement is unsafe, for types that may give out another descriptor each time; an owned one does not")]
fn watched(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd.try_clone_to_owned()?, interest)
}

fn would_block(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        // Input to a terminal whose programs are gone; that they are gone is told otherwise.
        Err(error) if error.raw_os_error() == Some(EIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number that Linux gives to it on every processor.
const EIO: i32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_the_machine_is_taken_where_it_is_utf8() {
        assert_eq!(language("# x\nLANG=de_DE.UTF-8\n").as_deref(), Some("de_DE.UTF-8"));
        assert_eq!(language("LANG=\"en_US.utf8\"").as_deref(), Some("en_US.utf8"));
        assert_eq!(language("LANG=de_DE.ISO-8859-1"), None);
        assert_eq!(language("LC_ALL=C"), None);
    }

    #[test]
    fn accounts_that_nobody_signs_in_with_get_another_shell() {
        let mut account = Account::own().expect("own");
        for shell in ["/usr/sbin/nologin", "/bin/false", "/no/such/shell", "bash", ""] {
            account.shell = shell.into();
            assert!(shell_of(&account).expect("a shell").ends_with("bash"), "{shell}");
        }
    }
}
