//! The imported list: the first 64 bits of the SHA-1 of each password, sorted, in buckets by their first bits, of which the next 32 are
//! kept. A password that is not on the list is taken for a listed one with a probability of about one in thirty million.
//!
//! Layout, all numbers little-endian: magic, bits of a bucket's number (u8), 7 zero bytes, count (u64), then where each bucket begins and the
//! last ends (u32 each), then the entries (u32 each).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use sallyport_decide::accounts::password::{Breached, Password};
use sha1::{Digest as _, Sha1};

/// Its name in the data folder.
pub(crate) const FILE_NAME: &str = "breached-passwords.list";
pub(super) const MAGIC: &[u8; 16] = b"sallyport.pwd/1\n";
pub(super) const HEAD_BYTES: u64 = 32;
/// Most bits of a bucket's number.
pub(super) const MAX_BITS: u32 = 26;
/// A bucket with more entries is none that an import makes.
const BUCKET_ENTRIES: u64 = 1 << 16;

/// The list in its file. Each look-up opens it anew: an import replaces it whole, while the server runs.
pub(super) struct ImportedList {
    path: PathBuf,
}

impl ImportedList {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Looks a password up; nothing is listed where nothing was imported.
    ///
    /// # Errors
    /// When the file cannot be read, or is not whole.
    pub(super) fn look_up(&self, password: &Password) -> io::Result<Breached> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Breached::NotListed),
            other => other?,
        };
        let head = Head::read(&file)?;
        let key = key_of(password.as_bytes());
        let (first, end) = head.bucket(&file, key)?;
        let mut entries = vec![0; (end - first) as usize * 4];
        file.read_exact_at(&mut entries, head.entries_at() + first * 4)?;
        let wanted = kept(key, head.bits);
        let found = entries.as_chunks::<4>().0.binary_search_by(|entry| u32::from_le_bytes(*entry).cmp(&wanted)).is_ok();
        Ok(if found { Breached::Listed } else { Breached::NotListed })
    }
}

/// What the file begins with.
struct Head {
    bits: u32,
}

impl Head {
    fn read(file: &File) -> io::Result<Self> {
        let mut head = [0; HEAD_BYTES as usize];
        file.read_exact_at(&mut head, 0)?;
        let bits = u32::from(head[16]);
        let count = head[24..].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let whole = Self { bits };
        let fits = bits <= MAX_BITS && count <= u64::from(u32::MAX) && file.metadata()?.len() == whole.entries_at() + count * 4;
        if &head[..16] != MAGIC || !fits { Err(broken()) } else { Ok(whole) }
    }

    fn entries_at(&self) -> u64 {
        HEAD_BYTES + ((1 << self.bits) + 1) * 4
    }

    /// The first entry of a key's bucket, and the one behind its last.
    fn bucket(&self, file: &File, key: u64) -> io::Result<(u64, u64)> {
        let mut ends = [0; 8];
        file.read_exact_at(&mut ends, HEAD_BYTES + bucket_of(key, self.bits) * 4)?;
        let both = u64::from_le_bytes(ends);
        let (first, end) = (both & u64::from(u32::MAX), both >> 32);
        if first > end || end - first > BUCKET_ENTRIES { Err(broken()) } else { Ok((first, end)) }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the imported list is damaged: import it again")
}

/// The first 64 bits of a password's SHA-1.
pub(super) fn key_of(password: &[u8]) -> u64 {
    Sha1::digest(password).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

pub(super) fn bucket_of(key: u64, bits: u32) -> u64 {
    key.checked_shr(64 - bits).unwrap_or(0)
}

/// What is kept of a key in its bucket.
pub(super) fn kept(key: u64, bits: u32) -> u32 {
    ((key << bits) >> 32) as u32
}
