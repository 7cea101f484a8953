//! Where the agent keeps what it must not forget.
//!
//! The real one is a private directory; the one in memory serves simulated fleets, and loses on
//! [`MemoryDisk::crash`] what was not made safe, as a power cut does.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sallyport_os::PrivateDir;

/// A flat set of files. Nothing is safe from a power cut before [`Disk::sync`] or [`Disk::replace`] returns.
pub trait Disk: Send + Sync {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    fn read_range(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Makes the file if it is missing.
    fn write_at(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content of a file safe.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Makes content and name of a file safe that was just made.
    fn sync_new(&self, name: &str) -> io::Result<()> {
        self.sync(name)
    }
    /// Afterwards there is the old or the new content, never a mixture.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Shows others the new content in one step. A power cut may take it and what was there before: for what is made anew at every start.
    fn publish(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    fn cut(&self, name: &str, len: u64) -> io::Result<()>;
    /// A file that is not there is removed already.
    fn remove(&self, name: &str) -> io::Result<()>;
    fn names(&self) -> io::Result<Vec<String>>;
}

impl Disk for PrivateDir {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Self::read(self, name)
    }
    fn read_range(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
        Self::read_range(self, name, at, len)
    }
    fn write_at(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        Self::write_at(self, name, at, bytes)
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        Self::sync(self, name)
    }
    fn sync_new(&self, name: &str) -> io::Result<()> {
        Self::sync(self, name)?;
        self.sync_names()
    }
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        Self::replace(self, name, bytes)
    }
    fn publish(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        Self::publish(self, name, bytes)
    }
    fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        Self::cut(self, name, len)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        Self::remove(self, name)
    }
    fn names(&self) -> io::Result<Vec<String>> {
        Self::names(self)
    }
}

/// A disk in memory, with limits and accidents.
#[derive(Debug, Default)]
pub struct MemoryDisk(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    safe: BTreeMap<String, Vec<u8>>,
    room: Option<usize>,
    /// Writes, syncs and the like until the machine goes down.
    steps_left: Option<usize>,
}

impl MemoryDisk {
    fn held(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allows so many bytes in all files together; writes beyond fail like on a full disk.
    pub fn limit(&self, room: Option<usize>) {
        self.held().room = room;
    }

    /// Lets the machine go down before the step after the next `steps`: everything fails from then on.
    pub fn fail_after(&self, steps: usize) {
        self.held().steps_left = Some(steps);
    }

    /// What a power cut leaves: all that was made safe, and of the rest the first `kept` bytes of each file.
    #[must_use]
    pub fn crash(&self, kept: usize) -> Self {
        let held = self.held();
        let mut files = held.safe.clone();
        for (name, content) in &held.files {
            let safe = files.entry(name.clone()).or_default();
            let same = safe.iter().zip(content).take_while(|(old, new)| old == new).count();
            let torn = (same + kept).min(content.len());
            let rest = safe.split_off(torn.min(safe.len()));
            safe.truncate(same.min(safe.len()));
            safe.extend_from_slice(&content[safe.len()..torn]);
            safe.extend(rest);
        }
        Self(Mutex::new(Memory { safe: files.clone(), files, ..Memory::default() }))
    }

    /// What `kill -9` of the process leaves: every write that returned.
    #[must_use]
    pub fn killed(&self) -> Self {
        let held = self.held();
        Self(Mutex::new(Memory { files: held.files.clone(), safe: held.safe.clone(), ..Memory::default() }))
    }
}

impl Memory {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.steps_left {
            Some(0) => Err(io::Error::other("the machine is down")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn make_room(&self, name: &str, len: usize) -> io::Result<()> {
        let others: usize = self.files.iter().filter(|(known, _)| *known != name).map(|(_, content)| content.len()).sum();
        match self.room {
            Some(room) if others + len > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl Disk for MemoryDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.held().files.get(name).cloned())
    }

    fn read_range(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let held = self.held();
        let content = held.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
        Ok(content[from..from.saturating_add(len).min(content.len())].to_vec())
    }

    fn write_at(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::StorageFull)?;
        let end = at + bytes.len();
        held.make_room(name, end)?;
        let content = held.files.entry(name.to_owned()).or_default();
        content.resize(content.len().max(end), 0);
        content[at..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        let content = held.files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        held.safe.insert(name.to_owned(), content);
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        held.make_room(name, bytes.len())?;
        held.files.insert(name.to_owned(), bytes.to_vec());
        held.safe.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        held.make_room(name, bytes.len())?;
        held.files.insert(name.to_owned(), bytes.to_vec());
        held.safe.remove(name);
        Ok(())
    }

    fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let content = held.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        content.truncate(len);
        let content = content.clone();
        held.safe.insert(name.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut held = self.held();
        held.step()?;
        held.files.remove(name);
        held.safe.remove(name);
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.held().files.keys().cloned().collect())
    }
}
