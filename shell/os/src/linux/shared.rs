//! Memory that another program writes and this one reads: what an X server puts a picture into.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// A mapped memory file of fixed size.
///
/// There is no slice of it: somebody else may write at any time, so bytes are only ever copied out.
#[derive(Debug)]
pub struct SharedMemory {
    fd: OwnedFd,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone, is unmapped once, and is only read, by volatile copies.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// Makes and maps `len` bytes. Sealed against shrinking, because reading what was cut off would kill the program.
    pub fn with_len(len: usize) -> io::Result<Self> {
        let fd = rustix::fs::memfd_create("sallyport-screen", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &fd, 0)? };
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { fd, start, len })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Another handle of the file, to be given to the program that writes.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    /// Copies whole pixels of four bytes, from `offset` bytes on. `None` where that is outside or not on a pixel's border.
    pub fn copy_pixels(&self, offset: usize, into: &mut [u32]) -> Option<()> {
        let end = into.len().checked_mul(4)?.checked_add(offset)?;
        if end > self.len || !offset.is_multiple_of(4) {
            return None;
        }
        // SAFETY: source and target have the length that was just checked, do not overlap, and are aligned: the mapping to a
        // page. Another process may write meanwhile; any bytes are valid pixels, and no reference to them is ever made.
        unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr().add(offset).cast::<u32>(), into.as_mut_ptr(), into.len()) };
        Some(())
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: mapped by `with_len` with this length, and nothing points into it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_handle_writes_is_read_and_nothing_beyond_the_end() {
        let memory = SharedMemory::with_len(4096).expect("memory");
        let other = memory.handle().expect("handle");
        assert_eq!(rustix::io::pwrite(&other, &[1, 2, 3, 4, 5, 6, 7, 8], 8).expect("write"), 8);
        let mut pixels = [0u32; 2];
        assert_eq!(memory.copy_pixels(8, &mut pixels), Some(()));
        assert_eq!(pixels, [u32::from_ne_bytes([1, 2, 3, 4]), u32::from_ne_bytes([5, 6, 7, 8])]);
        assert_eq!(memory.copy_pixels(4096 - 4, &mut pixels), None);
        assert_eq!(memory.copy_pixels(2, &mut pixels), None);
        assert_eq!(memory.copy_pixels(usize::MAX - 3, &mut pixels), None);
    }

    #[test]
    fn the_other_program_cannot_cut_it_off() {
        let memory = SharedMemory::with_len(4096).expect("memory");
        assert!(rustix::fs::ftruncate(memory.handle().expect("handle"), 0).is_err());
    }
}
