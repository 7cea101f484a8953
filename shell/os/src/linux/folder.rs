//! Folders held open, and names in them: file work that no link in the path can send elsewhere.
//!
//! A path is walked name by name with `O_NOFOLLOW`, on kernels of any age; links are read and followed by hand, so that it
//! can be said which. Everything afterwards names a file inside an open folder, which nobody can swap.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::acting;
use super::entry::{Entry, EntryKind};

/// As many links as the kernel itself follows in one path.
const LINKS_FOLLOWED: usize = 40;
/// What statfs(2) says of /proc.
const PROC_MAGIC: u64 = 0x9fa0;

/// Which links a path may lead through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// All: for looking.
    Any,
    /// Only those that the administrator or the acting account itself owns, for changing something: a link that
    /// another account planted must not choose what is changed.
    Trusted,
}

/// What happens with a link in the last place of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Followed,
    Kept,
}

/// What happens with a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refused,
    Replaced,
}

#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error("a link of another account stands in the path")]
    ForeignLink,
    #[error("a link of the system stands in the path")]
    SystemLink,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for ReachError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// An open folder.
#[derive(Debug)]
pub struct Folder(OwnedFd);

/// A name in an open folder; `.` where the path is the folder itself.
#[derive(Debug)]
pub struct Place {
    pub folder: Folder,
    pub name: OsString,
}

impl Place {
    /// Walks an absolute path to its last name, which need not exist when it is [`Last::Kept`].
    pub fn reach(path: &Path, links: Links, last: Last) -> Result<Self, ReachError> {
        let mut at = Folder::root()?;
        let mut names = components(path.as_os_str());
        let mut followed = 0;
        while let Some(name) = names.pop_front() {
            if names.is_empty() && last == Last::Kept {
                return Ok(Self { folder: at, name });
            }
            let Some(target) = at.link_to_follow(&name, links)? else {
                if names.is_empty() {
                    return Ok(Self { folder: at, name });
                }
                at = at.pass(&name)?;
                continue;
            };
            followed += 1;
            if followed > LINKS_FOLLOWED {
                return Err(Errno::LOOP.into());
            }
            if target.as_bytes().first() == Some(&b'/') {
                at = Folder::root()?;
            }
            components(&target).into_iter().rev().for_each(|name| names.push_front(name));
        }
        Ok(Self { folder: at, name: OsString::from(".") })
    }

    /// Opens what stands here as a folder.
    pub fn open_folder(&self) -> io::Result<Folder> {
        self.folder.folder(&self.name)
    }
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    let names = path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(|name| OsStr::from_bytes(name).to_owned()).collect()
}

impl Folder {
    fn root() -> Result<Self, Errno> {
        rustix::fs::openat(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    /// A step of a path: needs the right to go through the folder, not the right to list it.
    fn pass(&self, name: &OsStr) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, name, flags, Mode::empty()).map(Self)
    }

    /// The target of a link that may be followed; `None` for everything that is not a link.
    fn link_to_follow(&self, name: &OsStr, links: Links) -> Result<Option<OsString>, ReachError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&found)?;
        if Entry::from(stat).kind != EntryKind::Link {
            return Ok(None);
        }
        // Links in /proc lead to other processes' files and roots, past all names.
        if rustix::fs::fstatfs(&found)?.f_type.cast_unsigned() == PROC_MAGIC {
            return Err(ReachError::SystemLink);
        }
        let owner = stat.st_uid;
        if links == Links::Trusted && owner != 0 && owner != acting::file_user().as_raw() {
            return Err(ReachError::ForeignLink);
        }
        let target = rustix::fs::readlinkat(&found, c"", Vec::new())?;
        Ok(Some(OsString::from_vec(target.into_bytes())))
    }

    /// What stands under a name; a link is not followed.
    pub fn entry(&self, name: &OsStr) -> io::Result<Entry> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// What the folder itself is.
    pub fn itself(&self) -> io::Result<Entry> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    /// The names in the folder, in the order of the disk, without `.` and `..`.
    pub fn names(&self) -> io::Result<Names> {
        let readable = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let again = rustix::fs::openat(&self.0, c".", readable, Mode::empty())?;
        Ok(Names(rustix::fs::Dir::new(again)?))
    }

    /// Opens a folder in this one; a link is not followed.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Ok(self.pass(name)?)
    }

    /// Opens an ordinary file for reading; `InvalidInput` for what is none. Never waits for the other end of a pipe.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        if self.entry(name)?.kind != EntryKind::File {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        ordinary(rustix::fs::openat(&self.0, name, flags, Mode::empty())?)
    }

    /// Opens an ordinary file for reading and writing; a link is not followed.
    pub fn open_to_write(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        ordinary(rustix::fs::openat(&self.0, name, flags, Mode::empty())?)
    }

    /// Makes a new file that nobody else may read; `AlreadyExists` when anything has the name.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    pub fn make_folder(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode))?)
    }

    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Gives a file or folder another name, in one step that cannot half happen.
    pub fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr, existing: Existing) -> io::Result<()> {
        if existing == Existing::Replaced {
            return Ok(rustix::fs::renameat(&self.0, name, &to.0, new_name)?);
        }
        match rustix::fs::renameat_with(&self.0, name, &to.0, new_name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => self.rename_by_link(name, to, new_name),
            other => Ok(other?),
        }
    }

    /// File systems that cannot rename without replacing can still give a second name without replacing.
    fn rename_by_link(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        rustix::fs::linkat(&self.0, name, &to.0, new_name, AtFlags::empty())?;
        self.remove_file(name)
    }

    /// Where a link leads, as it is written.
    pub fn link_target(&self, name: &OsStr) -> io::Result<OsString> {
        Ok(OsString::from_vec(rustix::fs::readlinkat(&self.0, name, Vec::new())?.into_bytes()))
    }

    /// Holds what stands under a name, so that a look at it and a change of it are about the same thing.
    pub fn hold(&self, name: &OsStr) -> io::Result<Held> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Held(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes the folder's names safe from a power cut.
    pub fn sync(&self) -> io::Result<()> {
        let readable = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::fsync(rustix::fs::openat(&self.0, c".", readable, Mode::empty())?)?)
    }
}

fn ordinary(opened: OwnedFd) -> io::Result<File> {
    if Entry::from(rustix::fs::fstat(&opened)?).kind != EntryKind::File {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(File::from(opened))
}

/// The names in a folder.
#[derive(Debug)]
pub struct Names(rustix::fs::Dir);

impl Iterator for Names {
    type Item = io::Result<OsString>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.read()? {
                Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Ok(entry) => return Some(Ok(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())),
                Err(errno) => return Some(Err(errno.into())),
            }
        }
    }
}

/// A file, folder or link that is held without being opened.
#[derive(Debug)]
pub struct Held(OwnedFd);

impl Held {
    pub fn entry(&self) -> io::Result<Entry> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        if self.entry()?.kind == EntryKind::Link {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // A descriptor that is only held cannot be changed itself; its entry in /proc stands for what it holds.
        let path = format!("/proc/self/fd/{}", self.0.as_fd().as_raw_fd());
        Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?)
    }

    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        let (uid, gid) = (uid.map(rustix::process::Uid::from_raw), gid.map(rustix::process::Gid::from_raw));
        Ok(rustix::fs::chownat(&self.0, c"", uid, gid, AtFlags::EMPTY_PATH)?)
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
