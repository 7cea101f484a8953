//! `sallyport admin passwords import`: from a list of SHA-1 hashes or of plain passwords to the list that sign-ins look at. It is read once,
//! in bounded memory: keys are spilled into a scratch file by their first bits, then sorted part by part. The new list takes the old one's
//! place at once and whole, after the audit log was told.

mod read;
mod spill;
mod write;

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use sallyport_store::StoreError;
use sallyport_store::ops::accounts::RecordImport;

pub use read::ListFormat;
use read::keys;
use spill::Spill;

use super::place;
use crate::config::Config;
use crate::outside::Outside;
use crate::{ServeError, open};

/// Why a list was not imported. The one from before is still in place.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The installation cannot be opened.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list cannot be read.
    #[error("the list cannot be read: {0}")]
    Read(io::Error),
    /// A file in the data folder cannot be written.
    #[error("{0}: {1}")]
    Write(PathBuf, io::Error),
    /// A line is no hash.
    #[error("line {0} is not a SHA-1 hash of 40 hexadecimal digits, alone or followed by a colon and a count")]
    NotAHash(u64),
    /// The list is of another kind.
    #[error("this is the list of NTLM hashes: take the one of SHA-1 hashes")]
    Ntlm,
    /// There is nothing in it.
    #[error("the list has no password")]
    Empty,
    /// It is longer than any that there is.
    #[error("the list has more than {} passwords", u32::MAX)]
    TooLong,
    /// Hashes are spread evenly; these are not.
    #[error("too many hashes begin alike: this is not a list of SHA-1 hashes")]
    Uneven,
}

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Different passwords.
    pub passwords: u64,
    /// Lines that no password can be: not UTF-8, or longer than passwords may be.
    pub skipped: u64,
}

/// Imports a list; `progress` is told how many lines were read, every million.
///
/// # Errors
/// When the list is none, or something cannot be read or written. Nothing is changed then.
pub async fn import_passwords(
    config: Config,
    outside: Outside,
    list: impl BufRead,
    format: Option<ListFormat>,
    progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let app = open::quietly(config, outside).await?;
    let target = place(&app.config);
    let scratch = Scratch::beside(&target);
    let (spill, skipped) = spilled(list, format, &scratch.spill, progress)?;
    let passwords = write::write(spill, &scratch.list).map_err(|wrong| wrong.at(&scratch.list))?;
    app.store.commit(RecordImport { passwords, at: app.clock.now(), salt: app.random() }).await?;
    put_in_place(&scratch.list, &target).map_err(|error| ImportError::Write(target, error))?;
    app.store.close().await;
    Ok(Imported { passwords, skipped })
}

fn spilled(
    list: impl BufRead,
    format: Option<ListFormat>,
    scratch: &Path,
    mut progress: impl FnMut(u64),
) -> Result<(Spill, u64), ImportError> {
    let wrong = |error| ImportError::Write(scratch.to_owned(), error);
    let mut spill = Spill::new(scratch).map_err(wrong)?;
    let mut skipped = 0;
    for (line, key) in (1..).zip(keys(list, format)?) {
        match key? {
            Some(key) => spill.add(key).map_err(wrong)?,
            None => skipped += 1,
        }
        if line % 1_000_000 == 0 {
            progress(line);
        }
    }
    match spill.count() {
        0 => Err(ImportError::Empty),
        more if more > u64::from(u32::MAX) => Err(ImportError::TooLong),
        _ => Ok((spill, skipped)),
    }
}

/// The files that are written before there is a new list; they go with this value.
struct Scratch {
    spill: PathBuf,
    list: PathBuf,
}

impl Scratch {
    fn beside(target: &Path) -> Self {
        Self { spill: target.with_extension("spill"), list: target.with_extension("new") }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What was put in place is not here any more; what was not made cannot be removed.
        let _ = fs::remove_file(&self.spill);
        let _ = fs::remove_file(&self.list);
    }
}

/// Whoever looks a password up meanwhile has the old list or the new one, whole.
fn put_in_place(new: &Path, target: &Path) -> io::Result<()> {
    fs::rename(new, target)?;
    File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
