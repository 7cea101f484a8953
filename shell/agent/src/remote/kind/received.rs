//! Bytes of a client on their way through a kind, and the measure of how many there may be.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Bytes that a client sent. While this lives they count against what the client may have under way: a kind that keeps them
/// slows that client down, and nobody else.
pub struct Received {
    bytes: Vec<u8>,
    budget: Budget,
}

impl Deref for Received {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} bytes", self.bytes.len())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes.len(), Ordering::AcqRel);
        self.budget.0.freed.notify_one();
    }
}

/// What one client's bytes hold of this device's memory.
#[derive(Clone, Default)]
pub(crate) struct Budget(Arc<Held>);

#[derive(Default)]
struct Held {
    held: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// Counts bytes until they are dropped.
    pub(crate) fn count(&self, bytes: Vec<u8>) -> Received {
        self.0.held.fetch_add(bytes.len(), Ordering::AcqRel);
        Received { bytes, budget: self.clone() }
    }

    pub(crate) fn held(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }

    /// Waits until something was given back.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}
