//! What stands under a name, and what can be done with an open file.

use std::fs::File;
use std::io;

use rustix::fs::{FallocateFlags, FileType, FlockOperation, Mode, Stat};
use rustix::io::Errno;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Folder,
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// What stat(2) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    /// In bytes.
    pub size: u64,
    /// Room on the disk, in bytes.
    pub room: u64,
    /// The lower twelve bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Microseconds since 1970.
    pub modified_micros: i64,
    /// How many names the file has.
    pub names: u64,
    /// File system and number: together they tell files apart.
    pub device: u64,
    pub number: u64,
}

impl Entry {
    /// What an open file is now.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(rustix::fs::fstat(file)?.into())
    }
}

impl From<Stat> for Entry {
    fn from(stat: Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        };
        let micros = i64::try_from(stat.st_mtime_nsec / 1000).unwrap_or_default();
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            room: u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified_micros: stat.st_mtime.saturating_mul(1_000_000).saturating_add(micros),
            names: stat.st_nlink,
            device: stat.st_dev,
            number: stat.st_ino,
        }
    }
}

/// Whether a file belongs to whoever this thread acts as, and has no second name elsewhere.
pub fn is_own_alone(entry: &Entry) -> bool {
    entry.uid == super::acting::file_user().as_raw() && entry.names == 1
}

/// Takes room on the disk before it is needed; the file's length stays. A file system that cannot says nothing.
pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

/// Keeps others that ask the same way out; `ResourceBusy` when somebody was first.
pub fn lock(file: &File) -> io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::ResourceBusy.into()),
        other => Ok(other?),
    }
}

/// Sets mode and, where it is allowed, the owner of a new file; the owner first, since changing it clears some modes.
pub fn dress(file: &File, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((uid, gid)) = owner {
        let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
        match rustix::fs::fchown(file, Some(uid), Some(gid)) {
            Err(Errno::PERM) => {}
            other => other?,
        }
    }
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?)
}
