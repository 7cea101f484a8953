//! Keys on their way: sorted into parts by their first bits, each part in pieces of one scratch file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Parts, by the first twelve bits: the largest list that there is has a few hundred thousand keys in each.
const PARTS: usize = 4096;
const PART_SHIFT: u32 = 52;
/// Keys of a part that are kept in memory: 32 MiB over all parts.
const WAITING: usize = 1024;
/// Keys of one part: hashes are spread evenly, so that more of them are no hashes.
const PART_KEYS: usize = 1 << 24;

/// The keys of a list, in parts.
pub(super) struct Spill {
    file: File,
    end: u64,
    count: u64,
    parts: Vec<Part>,
}

#[derive(Default)]
struct Part {
    waiting: Vec<u64>,
    /// Where pieces of [`WAITING`] keys begin.
    pieces: Vec<u64>,
}

impl Spill {
    /// With a scratch file at this place, for nobody else to read.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let parts = std::iter::repeat_with(Part::default).take(PARTS).collect();
        Ok(Self { file, end: 0, count: 0, parts })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, key: u64) -> io::Result<()> {
        let part = &mut self.parts[(key >> PART_SHIFT) as usize];
        part.waiting.push(key);
        self.count += 1;
        if part.waiting.len() == WAITING {
            let bytes: Vec<u8> = part.waiting.drain(..).flat_map(u64::to_le_bytes).collect();
            self.file.write_all_at(&bytes, self.end)?;
            part.pieces.push(self.end);
            self.end += bytes.len() as u64;
        }
        Ok(())
    }

    /// The parts in their order, each sorted and without repetitions. None for a part with more keys than hashes can have.
    pub(super) fn sorted(self) -> impl Iterator<Item = io::Result<Option<Vec<u64>>>> {
        let file = self.file;
        self.parts.into_iter().map(move |part| {
            if part.pieces.len() * WAITING > PART_KEYS {
                return Ok(None);
            }
            let mut keys = part.waiting;
            let mut piece = vec![0; WAITING * 8];
            for begin in part.pieces {
                file.read_exact_at(&mut piece, begin)?;
                keys.extend(piece.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
            }
            keys.sort_unstable();
            keys.dedup();
            Ok(Some(keys))
        })
    }
}
