//! One recording as files, and how far the server has it.

use std::io;

use sallyport_model::{Digest, RemoteSessionId, limits};
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha256};

use crate::disk::Disk;

/// How much is dropped at once. A multiple of a piece.
pub(super) const SEGMENT_BYTES: u64 = 1024 * 1024;
const PIECE_BYTES: u64 = limits::RECORDING_CHUNK_BYTES as u64;
const PREFIX: &str = "recording-";
/// The name of the file that says what was dropped ends so.
const DROPPED: &str = "dropped";
/// Pieces that are sent before one of them is acknowledged.
const IN_FLIGHT: u64 = 16;

/// A piece of a recording, all but the last of [`limits::RECORDING_CHUNK_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub seq: u64,
    pub bytes: Vec<u8>,
    /// Whether the recording ends with it.
    pub last: bool,
}

/// What was dropped of a recording since the server has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dropped {
    segments: u64,
    /// The state of SHA-256 behind them.
    state: Vec<u8>,
}

pub(super) struct Tape {
    session: RemoteSessionId,
    bytes: u64,
    digest: Sha256,
    /// Segments that are no longer there, and the digest of what was in them.
    dropped: u64,
    dropped_digest: Sha256,
    complete: bool,
    next_seq: u64,
    acknowledged: u64,
}

/// The sessions that these files belong to.
pub(super) fn sessions(names: &[String]) -> Vec<RemoteSessionId> {
    let session = |name: &String| name.strip_prefix(PREFIX)?.split_once('.')?.0.parse().ok();
    let mut sessions: Vec<RemoteSessionId> = names.iter().filter_map(session).collect();
    sessions.sort();
    sessions.dedup();
    sessions
}

impl Tape {
    pub(super) fn new(session: RemoteSessionId) -> Self {
        Self {
            session,
            bytes: 0,
            digest: Sha256::new(),
            dropped: 0,
            dropped_digest: Sha256::new(),
            complete: false,
            next_seq: 0,
            acknowledged: 0,
        }
    }

    /// Takes up what a former process recorded, which is all there will be.
    pub(super) fn reopen(disk: &dyn Disk, session: RemoteSessionId) -> io::Result<Self> {
        let mut tape = Self::new(session);
        tape.complete = true;
        if let Some(written) = disk.read(&tape.file(DROPPED))? {
            tape.take_up(&written).ok_or(io::ErrorKind::InvalidData)?;
        }
        while let Some(segment) = disk.read(&tape.segment(tape.bytes / SEGMENT_BYTES))? {
            tape.digest.update(&segment);
            tape.bytes += segment.len() as u64;
            if (segment.len() as u64) < SEGMENT_BYTES {
                break;
            }
        }
        Ok(tape)
    }

    fn take_up(&mut self, written: &[u8]) -> Option<()> {
        let dropped: Dropped = serde_json::from_slice(written).ok()?;
        self.dropped_digest = Sha256::deserialize(dropped.state.as_slice().try_into().ok()?).ok()?;
        self.digest = self.dropped_digest.clone();
        self.dropped = dropped.segments;
        self.bytes = dropped.segments * SEGMENT_BYTES;
        self.acknowledged = self.bytes / PIECE_BYTES;
        self.next_seq = self.acknowledged;
        Some(())
    }

    fn file(&self, end: impl std::fmt::Display) -> String {
        format!("{PREFIX}{}.{end}", self.session)
    }

    fn segment(&self, number: u64) -> String {
        self.file(format_args!("{number:04}"))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::from_bytes(self.digest.clone().finalize().into())
    }

    pub(super) fn append(&mut self, disk: &dyn Disk, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = self.bytes % SEGMENT_BYTES;
            let fitting = usize::try_from(SEGMENT_BYTES - within).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(fitting);
            disk.write_at(&self.segment(self.bytes / SEGMENT_BYTES), within, now)?;
            self.digest.update(now);
            self.bytes += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.complete = true;
        let kept = self.dropped..self.bytes.div_ceil(SEGMENT_BYTES);
        kept.into_iter().try_for_each(|number| disk.sync_new(&self.segment(number)))
    }

    /// Whether there is a piece to send: one that others follow, or the last one.
    pub(super) fn has_piece(&self) -> bool {
        let behind = (self.next_seq + 1) * PIECE_BYTES;
        let there = behind < self.bytes || (self.complete && !self.all_sent());
        there && self.next_seq < self.acknowledged + IN_FLIGHT
    }

    fn pieces(&self) -> u64 {
        self.bytes.div_ceil(PIECE_BYTES).max(1)
    }

    fn all_sent(&self) -> bool {
        self.next_seq >= self.pieces()
    }

    pub(super) fn next(&mut self, disk: &dyn Disk) -> io::Result<Option<Piece>> {
        if !self.has_piece() {
            return Ok(None);
        }
        let (seq, at) = (self.next_seq, self.next_seq * PIECE_BYTES);
        let length = usize::try_from(PIECE_BYTES.min(self.bytes - at)).unwrap_or_default();
        let bytes = match length {
            0 => Vec::new(),
            _ => disk.read_range(&self.segment(at / SEGMENT_BYTES), at % SEGMENT_BYTES, length)?,
        };
        if bytes.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.next_seq += 1;
        Ok(Some(Piece { seq, bytes, last: self.complete && self.all_sent() }))
    }

    pub(super) fn resume(&mut self) {
        self.next_seq = self.acknowledged;
    }

    pub(super) fn stored(&mut self, disk: &dyn Disk, next_seq: u64) -> io::Result<()> {
        // A server cannot have more than there is.
        let next_seq = next_seq.min(if self.complete { self.pieces() } else { self.bytes / PIECE_BYTES });
        self.acknowledged = self.acknowledged.max(next_seq);
        self.next_seq = self.next_seq.max(next_seq);
        while (self.dropped + 1) * SEGMENT_BYTES <= self.acknowledged * PIECE_BYTES && !self.is_stored() {
            self.drop_segment(disk)?;
        }
        Ok(())
    }

    fn drop_segment(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let name = self.segment(self.dropped);
        self.dropped_digest.update(disk.read(&name)?.ok_or(io::ErrorKind::NotFound)?);
        let dropped = Dropped { segments: self.dropped + 1, state: self.dropped_digest.serialize().to_vec() };
        disk.replace(&self.file(DROPPED), &serde_json::to_vec(&dropped).map_err(io::Error::other)?)?;
        self.dropped += 1;
        disk.remove(&name)
    }

    /// Whether the server has all of it.
    pub(super) fn is_stored(&self) -> bool {
        self.complete && self.acknowledged >= self.pieces()
    }

    pub(super) fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        for number in 0..self.bytes.div_ceil(SEGMENT_BYTES) {
            disk.remove(&self.segment(number))?;
        }
        disk.remove(&self.file(DROPPED))
    }
}
