//! The output of one run as numbered chunks in a file, until the server has it all.

use std::io;

use sallyport_model::{GrantId, limits};
use sallyport_os::Stream;
use sha2::{Digest, Sha256};

use crate::disk::Disk;

const HEAD_BYTES: usize = 5;

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub stream: Stream,
    pub bytes: Vec<u8>,
}

/// The file of a run's output; chunks are appended here before anybody sends them.
#[derive(Debug)]
pub(crate) struct Spool {
    name: String,
    /// Where each chunk begins, and where the next one will.
    places: Vec<u64>,
    bytes: u64,
    digest: Sha256,
}

impl Spool {
    pub(crate) fn named(grant: GrantId) -> String {
        format!("output-{grant}")
    }

    pub(crate) fn empty(grant: GrantId) -> Self {
        Self { name: Self::named(grant), places: vec![0], bytes: 0, digest: Sha256::new() }
    }

    /// Takes up a file again; a chunk that was torn at its end is left out.
    pub(crate) fn reopen(disk: &dyn Disk, grant: GrantId) -> io::Result<Self> {
        let mut spool = Self::empty(grant);
        let content = disk.read(&spool.name)?.unwrap_or_default();
        let mut rest = content.as_slice();
        while let Some((chunk, length)) = decode(rest) {
            spool.count(&chunk, length);
            rest = &rest[length..];
        }
        Ok(spool)
    }

    /// Stores a chunk, in the order of its number.
    pub(crate) fn append(&mut self, disk: &dyn Disk, chunk: &Chunk) -> io::Result<()> {
        let encoded = encode(chunk);
        disk.write_at(&self.name, self.end(), &encoded)?;
        self.count(chunk, encoded.len());
        Ok(())
    }

    fn count(&mut self, chunk: &Chunk, length: usize) {
        self.places.push(self.end() + length as u64);
        self.bytes += chunk.bytes.len() as u64;
        self.digest.update(&chunk.bytes);
    }

    fn end(&self) -> u64 {
        self.places.last().copied().unwrap_or_default()
    }

    /// How many chunks there are; the next one's number.
    pub(crate) fn chunks(&self) -> u64 {
        self.places.len() as u64 - 1
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of all output so far.
    pub(crate) fn digest(&self) -> sallyport_model::Digest {
        sallyport_model::Digest::from_bytes(self.digest.clone().finalize().into())
    }

    /// Reads a chunk back; `None` where there is none of that number.
    pub(crate) fn read(&self, disk: &dyn Disk, seq: u64) -> io::Result<Option<Chunk>> {
        let Ok(at) = usize::try_from(seq) else { return Ok(None) };
        let (Some(from), Some(to)) = (self.places.get(at), self.places.get(at + 1)) else { return Ok(None) };
        let length = usize::try_from(to - from).map_err(|_| io::ErrorKind::InvalidData)?;
        let bytes = disk.read_range(&self.name, *from, length)?;
        decode(&bytes).map(|(chunk, _)| Some(chunk)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(crate) fn make_safe(&self, disk: &dyn Disk) -> io::Result<()> {
        if self.chunks() == 0 { Ok(()) } else { disk.sync_new(&self.name) }
    }

    pub(crate) fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove(&self.name)
    }
}

fn encode(chunk: &Chunk) -> Vec<u8> {
    let stream = match chunk.stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let length = u32::try_from(chunk.bytes.len()).expect("chunks are short").to_le_bytes();
    [[stream].as_slice(), &length, &chunk.bytes].concat()
}

fn decode(bytes: &[u8]) -> Option<(Chunk, usize)> {
    let stream = match bytes.first()? {
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        _ => return None,
    };
    let length = u32::from_le_bytes(bytes.get(1..HEAD_BYTES)?.try_into().ok()?) as usize;
    if length == 0 || length > limits::OUTPUT_CHUNK_BYTES {
        return None;
    }
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    Some((Chunk { stream, bytes: body.to_vec() }, HEAD_BYTES + length))
}
