//! The person's own terminal: raw while a remote one is in it, and back to what it was whatever happens.

use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Columns and rows where there is no terminal to ask.
const SIZE: (u16, u16) = (80, 24);

/// What the terminal was before it was changed, and how it becomes that again, for as long as it is changed.
static BEFORE: Mutex<Option<(Termios, OptionalActions)>> = Mutex::new(None);
/// Somebody else looks for Ctrl-C.
static LOOKED_FOR: AtomicBool = AtomicBool::new(false);

/// A terminal that was changed. It is what it was again when this value ends, or when a signal ends the program.
struct Changed;

impl Changed {
    fn to(now: &Termios, before: Termios, again: OptionalActions) -> io::Result<Self> {
        give_back_at_signals();
        *before_now() = Some((before, again));
        let changed = Self;
        tcsetattr(io::stdin(), OptionalActions::Now, now)?;
        Ok(changed)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        give_back();
    }
}

fn before_now() -> MutexGuard<'static, Option<(Termios, OptionalActions)>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there was anything to give back.
fn give_back() -> bool {
    let Some((before, again)) = before_now().take() else { return false };
    // Nobody is left to tell where this fails.
    let _ = tcsetattr(io::stdin(), again, &before);
    true
}

/// From now on a signal that ends the program finds the terminal as it was first, and then ends it as ever.
fn give_back_at_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) else { return };
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if give_back() || signal != SIGINT || !LOOKED_FOR.load(Ordering::SeqCst) {
                    let _ = emulate_default_handler(signal);
                }
            }
        });
    });
}

/// Leaves Ctrl-C to somebody else, wherever the terminal is as it was.
pub(crate) fn leave_interrupts() {
    LOOKED_FOR.store(true, Ordering::SeqCst);
}

/// Raw mode of standard input, which ends with this value.
pub(crate) struct Raw {
    _changed: Option<Changed>,
}

impl Raw {
    /// Keys go through as they are. Where standard input is no terminal, it is left alone.
    pub(crate) fn enter() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self { _changed: None });
        }
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // Keys that nobody took were for the device, and not for whoever reads next here.
        Changed::to(&raw, before, OptionalActions::Flush).map(|changed| Self { _changed: Some(changed) })
    }
}

/// A terminal that does not show what is typed, which ends with this value.
pub(crate) struct Unseen {
    _changed: Option<Changed>,
}

impl Unseen {
    /// Before anything is asked: what is typed or pasted quickly is not shown either.
    pub(crate) fn enter() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self { _changed: None } };
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        // Whoever stops the program would go on typing unseen.
        unseen.special_codes[SpecialCodeIndex::VSUSP] = 0;
        Self { _changed: Changed::to(&unseen, before, OptionalActions::Now).ok() }
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
