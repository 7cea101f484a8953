//! A thread that waits for a descriptor, and can be woken by others meanwhile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Wakes the thread that waits at the [`Sleeper`]; any number of wakes before it looks count as one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<io::PipeWriter>);

/// The waiting side.
#[derive(Debug)]
pub struct Sleeper(io::PipeReader);

/// Makes the two ends. Neither ever blocks.
pub fn sleeper() -> io::Result<(Sleeper, Waker)> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    Ok((Sleeper(reader), Waker(Arc::new(writer))))
}

impl Waker {
    pub fn wake(&self) {
        // A full pipe wakes as well as one byte more would; a closed one has nobody to wake.
        let _ = rustix::io::write(&*self.0, b".");
    }
}

impl Sleeper {
    /// Waits until somebody wakes it, until `other` can be read, or until the time is over; for ever where there is none.
    pub fn wait(&self, other: BorrowedFd<'_>, at_most: Option<Duration>) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN), PollFd::from_borrowed_fd(other, PollFlags::IN)];
        let limit = at_most.map(|limit| Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) });
        match rustix::event::poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut heap = [0; 256];
        while rustix::io::read(self.0.as_fd(), &mut heap).is_ok_and(|read| read == heap.len()) {}
        Ok(())
    }
}

/// The account behind the other end of a local socket.
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn waits_end_by_a_wake_by_bytes_and_by_time() {
        let (sleeper, waker) = sleeper().expect("pipe");
        let (ours, theirs) = UnixStream::pair().expect("pair");
        for _ in 0..100_000 {
            waker.wake();
        }
        let begun = Instant::now();
        sleeper.wait(ours.as_fd(), None).expect("woken");
        sleeper.wait(ours.as_fd(), Some(Duration::from_millis(20))).expect("time");
        assert!(begun.elapsed() >= Duration::from_millis(20), "all wakes counted as one");
        std::io::Write::write_all(&mut &theirs, b"x").expect("write");
        sleeper.wait(ours.as_fd(), None).expect("bytes");
        assert_eq!(peer_uid(&ours).expect("peer"), rustix::process::geteuid().as_raw());
    }
}
