//! A directory that only the agent can read, with writes that survive a power cut.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// A private directory (0700) of flat files (0600), held by one process at a time.
#[derive(Debug)]
pub struct PrivateDir {
    path: PathBuf,
    /// Keeps every other process out for as long as it lives.
    _lock: File,
}

impl PrivateDir {
    /// Makes the directory if it is missing, closes it to others and locks it.
    ///
    /// Fails with `ResourceBusy` when another process holds it, `PermissionDenied` when it belongs to somebody else.
    pub fn hold(path: &Path) -> io::Result<Self> {
        private_dir(path)?;
        let lock = private_file().write(true).create(true).truncate(false).open(path.join("lock"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::ErrorKind::ResourceBusy.into()),
            other => Ok(other.map(|()| Self { path: path.to_owned(), _lock: lock })?),
        }
    }

    /// Puts a file into the directory of an agent that may be running, whole or not at all.
    pub fn place(path: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        private_dir(path)?;
        put(path, name, bytes)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a whole file; `None` when there is none.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Reads at most `len` bytes from `at` on.
    pub fn read_range(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path.join(name))?;
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::with_capacity(len);
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes at a place of a file, which is made if it is missing; not yet safe from a power cut.
    pub fn write_at(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let file = private_file().write(true).create(true).truncate(false).open(self.path.join(name))?;
        file.write_all_at(bytes, at)
    }

    /// Makes a file's content safe from a power cut.
    pub fn sync(&self, name: &str) -> io::Result<()> {
        File::open(self.path.join(name))?.sync_data()
    }

    /// Makes the directory's names safe from a power cut.
    pub fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Puts a whole file in place of the old one: afterwards there is the old or the new one, never a mixture.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        put(&self.path, name, bytes)
    }

    /// Shows readers a whole new file in one step; not yet safe from a power cut, which may leave an empty one.
    pub fn publish(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write_beside(&self.path, name, bytes)?;
        std::fs::rename(beside(&self.path, name), self.path.join(name))
    }

    /// Cuts a file to `len` bytes, durably.
    pub fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path.join(name))?;
        file.set_len(len)?;
        file.sync_all()
    }

    /// Removes a file; one that is not there is removed already.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The names of all files, in order.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

fn put(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_beside(dir, name, bytes)?.sync_all()?;
    std::fs::rename(beside(dir, name), dir.join(name))?;
    File::open(dir)?.sync_all()
}

fn write_beside(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = private_file().write(true).create(true).truncate(true).open(beside(dir, name))?;
    file.write_all(bytes)?;
    Ok(file)
}

fn beside(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.new"))
}

/// Files of the agent are nobody else's, whatever the process' mask says.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_private_and_held_by_one() {
        let temp = tempfile::tempdir().expect("temp");
        let path = temp.path().join("state");
        let held = PrivateDir::hold(&path).expect("hold");
        assert_eq!(std::fs::metadata(&path).expect("dir").mode() & 0o777, 0o700);
        assert_eq!(PrivateDir::hold(&path).map_err(|e| e.kind()).err(), Some(io::ErrorKind::ResourceBusy));
        held.replace("keys", b"secret").expect("write");
        assert_eq!(std::fs::metadata(path.join("keys")).expect("file").mode() & 0o777, 0o600);
        drop(held);
        PrivateDir::hold(&path).expect("free again");
    }

    #[test]
    fn a_link_is_not_followed() {
        let temp = tempfile::tempdir().expect("temp");
        let victim = temp.path().join("victim");
        std::fs::write(&victim, b"mine").expect("victim");
        let held = PrivateDir::hold(&temp.path().join("state")).expect("hold");
        std::os::unix::fs::symlink(&victim, held.path().join("journal")).expect("link");
        assert!(held.write_at("journal", 0, b"overwritten").is_err());
        assert_eq!(std::fs::read(&victim).expect("victim"), b"mine");
        std::os::unix::fs::symlink(temp.path().join("state"), temp.path().join("alias")).expect("link");
        assert!(PrivateDir::hold(&temp.path().join("alias")).is_err());
    }

    #[test]
    fn written_cut_and_removed() {
        let temp = tempfile::tempdir().expect("temp");
        let held = PrivateDir::hold(temp.path()).expect("hold");
        held.write_at("a", 0, b"hello").and_then(|()| held.write_at("a", 5, b" you")).expect("write");
        assert_eq!(held.read_range("a", 3, 4).expect("read"), b"lo y");
        held.cut("a", 2).expect("cut");
        assert_eq!(held.read("a").expect("read"), Some(b"he".to_vec()));
        held.remove("a").and_then(|()| held.remove("a")).expect("remove");
        assert_eq!(held.read("a").expect("read"), None);
    }
}
