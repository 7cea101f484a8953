//! Live changes for the console: small notes, tenant by tenant; who missed some is told to load again.

use sallyport_model::TenantId;
use serde::Serialize;
use tokio::sync::broadcast;

/// Notes that wait for a slow reader before it is told that it missed some.
const BACKLOG: usize = 4096;

/// Something changed.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A device came, went, or changed.
    Device {
        /// Which.
        device: String,
        /// Is it connected now.
        online: bool,
    },
    /// A job's counts changed.
    Job {
        /// Which.
        job: String,
    },
    /// A run changed its state.
    Run {
        /// Which.
        run: String,
        /// Its job.
        job: String,
        /// Its state.
        state: String,
    },
    /// A run wrote output up to this chunk.
    Output {
        /// Which.
        run: String,
        /// Its job.
        job: String,
        /// The next chunk's number.
        next: u64,
    },
    /// An authorization request changed.
    Request {
        /// Which.
        request: String,
        /// Its state.
        state: String,
    },
    /// The audit log grew.
    Audit {
        /// Its size.
        size: u64,
    },
}

/// Where changes are told.
#[derive(Clone)]
pub struct Events(broadcast::Sender<(TenantId, Event)>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Events {
    /// Tells everybody of the tenant who listens.
    pub fn tell(&self, tenant: TenantId, event: Event) {
        // Nobody listening is fine: events are hints, the store is the truth.
        let _ = self.0.send((tenant, event));
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<(TenantId, Event)> {
        self.0.subscribe()
    }
}
