//! Terminals: one shell, and everybody who watches or types.
//!
//! Output goes into a ring, and every viewer has a place in it. A viewer alone slows the shell down to what its link
//! takes; as soon as there are several, the fastest sets the pace and whoever lags skips ahead. While nobody is connected
//! the shell goes on, and what it writes is there for whoever comes back, as far as the ring reaches.

mod cast;
mod ring;
mod shell;
mod viewers;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use sallyport_grant::body::{Access, OpenRemoteSession};
use sallyport_model::limits;
use sallyport_os::{Ending, Pty, Size, Sweep};
use sallyport_wire::stream::terminal::FromClient;
use tokio::time::Instant;

use super::CannotOpen;
use super::kind::{AttachmentId, Ended, Event, Events, Message, Opening, Received};
use super::recording::RecordingError;
use cast::Cast;
use ring::Ring;
use shell::Shell;
use viewers::Viewers;

pub(super) use shell::check;

const READ_BYTES: usize = 16 * 1024;
/// Reads before everybody else gets a turn.
const READS_IN_A_ROW: usize = 4;
/// A pause between reads while nobody is connected: a program that floods shall not keep the agent busy for nobody.
const UNWATCHED_PAUSE: Duration = Duration::from_millis(10);
/// Time that the last output has to reach the viewers after the shell exited.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Keystrokes that a program does not read are kept up to this many pieces.
const TYPED_PIECES: usize = 4096;

/// A shell for this session, which begins when it is worked.
pub(super) fn open(session: &OpenRemoteSession, mark: &str) -> Result<impl super::kind::Kind + use<>, CannotOpen> {
    let size = Size { columns: session.columns, rows: session.rows };
    let pty = shell::login(session, mark, size)?;
    Ok(move |opening: Opening| async move {
        match Terminal::new(pty, size, &opening) {
            Ok(terminal) => terminal.work(opening.events).await,
            Err(error) => {
                tracing::error!(%error, "a terminal cannot be watched");
                Ended::Failed("start_failed")
            }
        }
    })
}

struct Terminal {
    shell: Shell,
    size: Size,
    ring: Ring,
    viewers: Viewers,
    /// Keystrokes that the program has not taken yet, and how much of the first piece it has.
    typed: VecDeque<Received>,
    typed_at: usize,
    cast: Option<Cast>,
    buffer: Vec<u8>,
    hung_up: bool,
}

/// Why the loop is left.
enum Stop {
    Told,
    Exited,
    Recording(RecordingError),
    Lost(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<RecordingError> for Stop {
    fn from(error: RecordingError) -> Self {
        Self::Recording(error)
    }
}

/// What the loop waits for beside events.
enum Turn {
    Event(Event),
    Readable,
    Writable,
    Exited,
}

impl Terminal {
    fn new(pty: Pty, size: Size, opening: &Opening) -> io::Result<Self> {
        let cast = opening.recorder.clone().map(|recorder| Cast::new(recorder, opening.at));
        Ok(Self {
            shell: Shell::watch(pty)?,
            size,
            ring: Ring::default(),
            viewers: Viewers::default(),
            typed: VecDeque::new(),
            typed_at: 0,
            cast,
            buffer: vec![0; READ_BYTES],
            hung_up: false,
        })
    }

    async fn work(mut self, mut events: Events) -> Ended {
        let stop = match self.begin() {
            Ok(()) => self.live(&mut events).await,
            Err(stop) => stop,
        };
        match stop {
            Stop::Exited => self.finish(&mut events).await,
            Stop::Told => {
                self.shell.end(Sweep::Everything).await;
                Ended::Told
            }
            Stop::Recording(error) => {
                tracing::warn!(%error, "a terminal ends since it cannot be recorded any more");
                self.shell.end(Sweep::Everything).await;
                Ended::Failed(error.code())
            }
            Stop::Lost(error) => {
                tracing::error!(%error, "lost sight of a terminal");
                self.shell.end(Sweep::Everything).await;
                Ended::Failed("lost_sight")
            }
        }
    }

    fn begin(&mut self) -> Result<(), Stop> {
        let size = self.size;
        Ok(self.cast.as_mut().map_or(Ok(()), |cast| cast.begin(size))?)
    }

    async fn live(&mut self, events: &mut Events) -> Stop {
        loop {
            let turn = match self.next(events).await {
                Ok(turn) => turn,
                Err(error) => return error.into(),
            };
            let done = match turn {
                Turn::Event(event) => self.happened(event),
                Turn::Readable => self.read(),
                Turn::Writable => self.write(),
                Turn::Exited => return self.drain().err().unwrap_or(Stop::Exited),
            };
            match done {
                Ok(()) => self.viewers.show(&self.ring),
                Err(stop) => return stop,
            }
        }
    }

    /// Keystrokes come before output, so that an interrupt is never behind a flood.
    async fn next(&mut self, events: &mut Events) -> io::Result<Turn> {
        let (typing, reading) = (!self.typed.is_empty(), !self.hung_up && self.viewers.want_more(&self.ring));
        let unwatched = self.viewers.nobody_is_here();
        tokio::select! {
            biased;
            event = events.next() => Ok(Turn::Event(event)),
            ready = self.shell.writable(), if typing => ready.map(|()| Turn::Writable),
            ready = self.shell.readable(), if reading => {
                ready?;
                if unwatched {
                    tokio::time::sleep(UNWATCHED_PAUSE).await;
                }
                Ok(Turn::Readable)
            }
            ended = self.shell.exited() => ended.map(|()| Turn::Exited),
        }
    }

    fn happened(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Joined(attachment) => {
                self.mark(&format!("{} is here", attachment.name))?;
                self.viewers.joined(attachment, self.size, &self.ring);
            }
            Event::Control { from, message } => return self.control(from, &message),
            Event::Data { from, channel, bytes } => return self.data(from, channel, bytes),
            Event::Room => {}
            Event::Away(id) => self.viewers.away(id),
            Event::Back(id) => self.viewers.back(id, &self.ring),
            Event::Left(id) => {
                if let Some(name) = self.viewers.left(id) {
                    self.mark(&format!("{name} has left"))?;
                }
            }
            Event::End => return Err(Stop::Told),
        }
        Ok(())
    }

    fn mark(&mut self, text: &str) -> Result<(), Stop> {
        Ok(self.cast.as_mut().map_or(Ok(()), |cast| cast.mark(text))?)
    }

    fn control(&mut self, from: AttachmentId, message: &Message) -> Result<(), Stop> {
        let Some(viewer) = self.viewers.find(from) else { return Ok(()) };
        if viewer.access == Access::View {
            viewer.outlet.refuse("view_only");
            return Ok(());
        }
        match message.parse::<FromClient>() {
            Ok(FromClient::Resize { columns, rows }) if is_size(columns) && is_size(rows) => self.resize(Size { columns, rows }),
            _ => {
                viewer.outlet.refuse("bad_message");
                Ok(())
            }
        }
    }

    /// The size is that of whoever controls it and spoke last.
    fn resize(&mut self, size: Size) -> Result<(), Stop> {
        if size == self.size {
            return Ok(());
        }
        self.size = size;
        self.shell.pty().resize(size)?;
        self.viewers.resized(size);
        Ok(self.cast.as_mut().map_or(Ok(()), |cast| cast.resize(size))?)
    }

    fn data(&mut self, from: AttachmentId, channel: u32, bytes: Received) -> Result<(), Stop> {
        let Some(viewer) = self.viewers.find(from) else { return Ok(()) };
        match viewer.access {
            Access::View => viewer.outlet.refuse("view_only"),
            Access::Control if channel != 0 => viewer.outlet.refuse("bad_message"),
            Access::Control if self.typed.len() >= TYPED_PIECES => viewer.outlet.refuse("too_much_input"),
            Access::Control if bytes.is_empty() => {}
            Access::Control => self.typed.push_back(bytes),
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Stop> {
        while let Some(piece) = self.typed.front() {
            let Some(written) = self.shell.write(&piece[self.typed_at..])? else { return Ok(()) };
            self.typed_at += written;
            if self.typed_at >= piece.len() {
                self.typed.pop_front();
                self.typed_at = 0;
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Stop> {
        for _ in 0..READS_IN_A_ROW {
            match self.shell.read(&mut self.buffer)? {
                None => return Ok(()),
                Some(0) => {
                    // The shell has closed its terminal and lives on; its end is all that may still come.
                    self.hung_up = true;
                    return Ok(());
                }
                Some(read) => self.take(read)?,
            }
        }
        Ok(())
    }

    /// What is recorded comes before what is shown.
    fn take(&mut self, read: usize) -> Result<(), Stop> {
        let bytes = &self.buffer[..read];
        if let Some(cast) = &mut self.cast {
            cast.output(bytes)?;
        }
        self.ring.push(bytes);
        Ok(())
    }

    /// The shell is over; what it wrote before is still in the terminal. What others go on writing there is not waited for.
    fn drain(&mut self) -> Result<(), Stop> {
        let mut left = limits::SCROLLBACK_BYTES;
        while left > 0 {
            match self.shell.read_now(&mut self.buffer)? {
                Some(0) | None => break,
                Some(read) => {
                    self.take(read)?;
                    left = left.saturating_sub(read);
                }
            }
        }
        Ok(())
    }

    /// Tells everybody how the shell ended, behind its last output.
    async fn finish(mut self, events: &mut Events) -> Ended {
        let ending = self.shell.end(Sweep::Jobs).await;
        let (exit_code, signal) = match ending {
            Some(Ending::Exited(code)) => (Some(code), None),
            Some(Ending::Signalled(signal)) => (None, Some(signal)),
            Some(Ending::Unkillable) | None => (None, None),
        };
        if let Some(cast) = &mut self.cast
            && let Err(error) = cast.end(exit_code, signal)
        {
            tracing::warn!(%error, "the end of a terminal is not in its recording");
        }
        self.viewers.exited(exit_code, signal);
        let deadline = Instant::now() + LAST_WORDS;
        loop {
            self.viewers.show(&self.ring);
            if self.viewers.have_seen_all(&self.ring) {
                break;
            }
            match tokio::time::timeout_at(deadline, events.next()).await {
                Ok(Event::End) | Err(_) => break,
                Ok(Event::Left(id)) => drop(self.viewers.left(id)),
                Ok(Event::Away(id)) => self.viewers.away(id),
                Ok(Event::Back(id)) => self.viewers.back(id, &self.ring),
                Ok(Event::Joined(_) | Event::Control { .. } | Event::Data { .. } | Event::Room) => {}
            }
        }
        Ended::Finished { exit_code, signal }
    }
}

fn is_size(cells: u16) -> bool {
    (1..=limits::TERMINAL_CELLS).contains(&cells)
}

#[cfg(test)]
mod tests;
