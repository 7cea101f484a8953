//! A file in memory that nobody can change any more, not even its owner.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};

/// A sealed memory file: what was hashed is what will be executed.
#[derive(Debug)]
pub struct SealedFile {
    fd: OwnedFd,
    len: usize,
}

impl SealedFile {
    /// Copies `content` into a new memory file and seals it against writing, growing, shrinking and unsealing.
    pub fn holding(content: &[u8]) -> io::Result<Self> {
        let mut file = std::fs::File::from(memory_file()?);
        file.write_all(content)?;
        let fd = OwnedFd::from(file);
        rustix::fs::fcntl_add_seals(&fd, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { fd, len: content.len() })
    }

    /// Copies a program into a memory file that may be executed, and seals it in the same way.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] for one above `max_bytes`.
    pub fn program(source: &mut impl Read, max_bytes: u64) -> io::Result<Self> {
        let mut file = std::fs::File::from(program_file()?);
        let len = io::copy(&mut source.take(max_bytes.saturating_add(1)), &mut file)?;
        if len > max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let fd = OwnedFd::from(file);
        rustix::fs::fcntl_add_seals(&fd, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { fd, len: usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)? })
    }

    /// Lets programs that are started from now on inherit the descriptor, and says under which path they open it.
    pub fn hand_on(&self) -> io::Result<String> {
        rustix::io::fcntl_setfd(&self.fd, rustix::io::FdFlags::empty())?;
        Ok(self.inherited_path())
    }

    /// Reads the sealed bytes from the very descriptor that the interpreter will read.
    pub fn read_back(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        let mut at = 0;
        while at < bytes.len() {
            match rustix::io::pread(&self.fd, &mut bytes[at..], at as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => at += read,
            }
        }
        Ok(bytes)
    }

    /// The path under which a process that inherits the descriptor opens the file.
    pub(crate) fn inherited_path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }
}

impl AsFd for SealedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Machines that forbid executable memory files know `NOEXEC_SEAL`; older kernels do not know it.
fn memory_file() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("sallyport-script", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create("sallyport-script", flags)?),
        other => Ok(other?),
    }
}

/// Kernels that know `EXEC` may forbid executable memory files to whoever does not ask for one.
fn program_file() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("sallyport-program", flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create("sallyport-program", flags)?),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_a_sealed_program_runs_as_it_was_copied() {
        let file = SealedFile::program(&mut &b"#!/bin/sh\necho \"approved $1\"\n"[..], 100).expect("memory file");
        assert!(rustix::io::pwrite(&file.fd, b"rm", 0).is_err());
        let path = file.hand_on().expect("a path");
        let said = std::process::Command::new(path).arg("once").output().expect("it runs");
        assert_eq!(said.stdout, b"approved once\n");
        let large = SealedFile::program(&mut &[0u8; 101][..], 100).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(large, Err(io::ErrorKind::FileTooLarge));
    }

    #[test]
    fn a28_a_sealed_file_cannot_be_changed_by_any_road() {
        let file = SealedFile::holding(b"echo approved\n").expect("memory file");
        let path = format!("/proc/self/fd/{}", file.fd.as_raw_fd());
        assert!(rustix::io::pwrite(&file.fd, b"rm", 0).is_err(), "the descriptor itself");
        if let Ok(mut again) = std::fs::OpenOptions::new().write(true).open(&path) {
            assert!(again.write_all(b"rm").is_err(), "a second descriptor");
            assert!(again.set_len(0).is_err() && again.set_len(99).is_err());
        }
        assert!(rustix::fs::ftruncate(&file.fd, 0).is_err() && rustix::fs::ftruncate(&file.fd, 99).is_err());
        assert!(rustix::fs::fcntl_add_seals(&file.fd, SealFlags::FUTURE_WRITE).is_err(), "the seals themselves");
        assert_eq!(file.read_back().expect("read"), b"echo approved\n");
    }

    #[test]
    fn an_empty_script_is_a_file_too() {
        assert_eq!(SealedFile::holding(b"").and_then(|file| file.read_back()).expect("empty"), b"");
    }
}
