//! Recordings of remote sessions: made and digested on the device, uploaded over the agent's link while they grow.
//!
//! A recording lies in segments of [`SEGMENT_BYTES`]. What the server stored is dropped segment by segment; before
//! that the digest of everything dropped is written down, so that the digest of the whole survives a crash. After a crash
//! every recording is complete as it is: its session is over.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sallyport_model::{RemoteSessionId, limits};
use tokio::sync::Notify;

use crate::disk::Disk;
use crate::report::Output;

mod tape;

pub use tape::Piece;
use tape::Tape;

/// Why nothing more is recorded. The session must end: what is to be recorded is not shown otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("the recording is as long as it may be")]
    Full,
    #[error("the recording cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl RecordingError {
    /// A stable code for receipts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "recording_full",
            Self::Io(_) => "recording_failed",
        }
    }
}

/// Takes one session's recording, piece by piece.
#[derive(Clone)]
pub struct Recorder {
    session: RemoteSessionId,
    recordings: Arc<Recordings>,
}

impl Recorder {
    /// Adds bytes; whoever plays the recording knows what they mean. A few microseconds.
    pub fn append(&self, bytes: &[u8]) -> Result<(), RecordingError> {
        self.recordings.append(self.session, bytes)
    }
}

/// The recordings of one agent that the server does not have completely.
pub struct Recordings {
    disk: Arc<dyn Disk>,
    wake: Arc<Notify>,
    tapes: Mutex<BTreeMap<RemoteSessionId, Tape>>,
}

impl Recordings {
    /// Takes up what a former process left. What cannot be read stays where it is, for people.
    pub fn open(disk: Arc<dyn Disk>, wake: Arc<Notify>) -> Self {
        let names = disk.names().unwrap_or_else(|error| {
            tracing::error!(%error, "recordings cannot be looked for");
            Vec::new()
        });
        let taken_up = |session| match Tape::reopen(&*disk, session) {
            Ok(tape) => Some((session, tape)),
            Err(error) => {
                tracing::error!(%session, %error, "a recording cannot be read");
                None
            }
        };
        let tapes = tape::sessions(&names).into_iter().filter_map(taken_up).collect();
        Self { disk, wake, tapes: Mutex::new(tapes) }
    }

    fn tapes(&self) -> MutexGuard<'_, BTreeMap<RemoteSessionId, Tape>> {
        self.tapes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a recording.
    pub fn begin(self: &Arc<Self>, session: RemoteSessionId) -> Recorder {
        self.tapes().insert(session, Tape::new(session));
        Recorder { session, recordings: self.clone() }
    }

    fn append(&self, session: RemoteSessionId, bytes: &[u8]) -> Result<(), RecordingError> {
        let mut tapes = self.tapes();
        let Some(tape) = tapes.get_mut(&session) else { return Err(io::Error::from(io::ErrorKind::NotFound).into()) };
        if tape.bytes() + bytes.len() as u64 > limits::RECORDING_BYTES {
            return Err(RecordingError::Full);
        }
        tape.append(&*self.disk, bytes)?;
        let whole_piece = tape.has_piece();
        drop(tapes);
        if whole_piece {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The session is over; what is recorded is safe from a power cut, if the disk can do that.
    pub fn finish(&self, session: RemoteSessionId) -> Option<Output> {
        let mut tapes = self.tapes();
        let tape = tapes.get_mut(&session)?;
        if let Err(error) = tape.finish(&*self.disk) {
            tracing::error!(%session, %error, "a recording may not survive a power cut");
        }
        let output = Output { digest: tape.digest(), bytes: tape.bytes() };
        drop(tapes);
        self.wake.notify_one();
        Some(output)
    }

    /// What there is of a recording.
    pub fn output(&self, session: RemoteSessionId) -> Option<Output> {
        self.tapes().get(&session).map(|tape| Output { digest: tape.digest(), bytes: tape.bytes() })
    }

    /// A new connection: what was sent and not acknowledged is sent again.
    pub fn resume(&self) {
        self.tapes().values_mut().for_each(Tape::resume);
    }

    /// The next piece that the server should get, if there is one now.
    pub fn next(&self) -> io::Result<Option<(RemoteSessionId, Piece)>> {
        for (session, tape) in self.tapes().iter_mut() {
            if let Some(piece) = tape.next(&*self.disk)? {
                return Ok(Some((*session, piece)));
            }
        }
        Ok(None)
    }

    /// The server stored all pieces below `next_seq`; what it has completely is forgotten here.
    pub fn stored(&self, session: RemoteSessionId, next_seq: u64) -> io::Result<()> {
        let mut tapes = self.tapes();
        let Some(tape) = tapes.get_mut(&session) else { return Ok(()) };
        tape.stored(&*self.disk, next_seq)?;
        if tape.is_stored() {
            tape.remove(&*self.disk)?;
            tapes.remove(&session);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
