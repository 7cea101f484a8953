//! The new list's file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::super::imported::{HEAD_BYTES, MAGIC, MAX_BITS, bucket_of, kept};
use super::ImportError;
use super::spill::Spill;

/// Keys of a bucket, on average.
const BUCKET_KEYS: u64 = 128;

/// Why the file was not written.
pub(super) enum WriteError {
    File(io::Error),
    Uneven,
}

impl WriteError {
    pub(super) fn at(self, path: &Path) -> ImportError {
        match self {
            Self::File(error) => ImportError::Write(path.to_owned(), error),
            Self::Uneven => ImportError::Uneven,
        }
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Writes the list durably; tells how many different keys it has.
pub(super) fn write(spill: Spill, path: &Path) -> Result<u64, WriteError> {
    let bits = (spill.count() / BUCKET_KEYS).checked_ilog2().unwrap_or(0).min(MAX_BITS);
    let buckets = 1u64 << bits;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)?;
    let mut list = BufWriter::with_capacity(1 << 20, file);
    list.seek(SeekFrom::Start(HEAD_BYTES + (buckets + 1) * 4))?;
    let mut begins: Vec<u32> = Vec::new();
    let mut count = 0u32;
    for part in spill.sorted() {
        for key in part?.ok_or(WriteError::Uneven)? {
            while begins.len() as u64 <= bucket_of(key, bits) {
                begins.push(count);
            }
            list.write_all(&kept(key, bits).to_le_bytes())?;
            count += 1;
        }
    }
    begins.resize(buckets as usize + 1, count);
    list.seek(SeekFrom::Start(0))?;
    write_head(&mut list, bits, u64::from(count), &begins)?;
    list.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(u64::from(count))
}

fn write_head(list: &mut BufWriter<File>, bits: u32, count: u64, begins: &[u32]) -> io::Result<()> {
    list.write_all(MAGIC)?;
    list.write_all(&u64::from(bits).to_le_bytes())?;
    list.write_all(&count.to_le_bytes())?;
    begins.iter().try_for_each(|begin| list.write_all(&begin.to_le_bytes()))
}
