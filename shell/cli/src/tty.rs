//! The person's own terminal: raw while a remote one is in it, and back to what it was whatever happens.

use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::SIGWINCH;

/// Columns and rows where there is no terminal to ask.
const SIZE: (u16, u16) = (80, 24);

/// Raw mode of standard input, which ends with this value.
pub(crate) struct Raw(Option<Termios>);

impl Raw {
    /// Keys go through as they are. Where standard input is no terminal, it is left alone.
    pub(crate) fn enter() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(Some(before)))
    }
}

/// A terminal that does not show what is typed, which ends with this value.
pub(crate) struct Unseen(Option<Termios>);

impl Unseen {
    /// Before anything is asked: what is typed or pasted quickly is not shown either.
    pub(crate) fn enter() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        Self(tcsetattr(io::stdin(), OptionalActions::Now, &unseen).is_ok().then_some(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Nobody is left to tell where this fails.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

/// Columns and rows of the window.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => SIZE,
    }
}

/// Says when the window has another size.
pub(crate) fn resizes() -> io::Result<UnixStream> {
    let (told, tells) = UnixStream::pair()?;
    told.set_nonblocking(true)?;
    tells.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGWINCH, tells)?;
    Ok(told)
}

/// What is waited for.
pub(crate) struct Wait<'a, S> {
    pub(crate) resizes: &'a UnixStream,
    pub(crate) socket: &'a S,
    /// Something waits to be written to the socket.
    pub(crate) writes: Interest,
    /// Keys can be taken.
    pub(crate) keys: Interest,
    pub(crate) timeout_ms: Option<u64>,
}

/// Whether something is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Yes,
    No,
}

impl Interest {
    pub(crate) fn when(wanted: bool) -> Self {
        if wanted { Self::Yes } else { Self::No }
    }
}

/// What is ready.
pub(crate) struct Ready {
    pub(crate) is_resized: bool,
    pub(crate) has_keys: bool,
}

impl<S: AsFd> Wait<'_, S> {
    /// Waits until something is ready or the time is over.
    pub(crate) fn wait(&self) -> io::Result<Ready> {
        let stdin = io::stdin();
        let socket = if self.writes == Interest::Yes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = vec![PollFd::new(self.resizes, PollFlags::IN), PollFd::new(self.socket, socket), PollFd::new(&stdin, PollFlags::IN)];
        if self.keys == Interest::No {
            fds.pop();
        }
        let timeout = self.timeout_ms.map(|ms| Timespec {
            tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready { is_resized: ready(0), has_keys: ready(2) })
    }
}

/// What was typed; nothing where standard input is at its end. What a code was read from may have come with more: that is first.
pub(crate) fn typed(most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let count = io::stdin().lock().read(&mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}
