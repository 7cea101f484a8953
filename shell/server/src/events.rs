//! Live changes for the console: small notes, tenant by tenant; who missed some is told to load again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sallyport_model::{SessionId, TenantId, limits};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;

/// Notes that wait for a slow reader before it is told that it missed some.
const BACKLOG: usize = 4096;

/// Something changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    /// A remote session changed: `open`, `connected`, `disconnected` or `ended`.
    RemoteSession {
        /// Which.
        remote_session: String,
        /// What happened.
        state: String,
    },
    /// The audit log grew.
    Audit {
        /// Its size.
        size: u64,
    },
    /// The reader was too slow for some events: load again what is shown.
    Missed,
}

impl Event {
    /// The event's name on the wire, as in its data.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Job { .. } => "job",
            Self::Run { .. } => "run",
            Self::Output { .. } => "output",
            Self::Request { .. } => "request",
            Self::RemoteSession { .. } => "remote_session",
            Self::Audit { .. } => "audit",
            Self::Missed => "missed",
        }
    }
}

/// Where changes are told.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    changes: broadcast::Sender<(TenantId, Event)>,
    closed: watch::Sender<bool>,
    streams: Mutex<BTreeMap<SessionId, usize>>,
}

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Inner { changes: broadcast::Sender::new(BACKLOG), closed: watch::Sender::new(false), streams: Mutex::default() }))
    }
}

impl Events {
    /// Tells everybody of the tenant who listens.
    pub fn tell(&self, tenant: TenantId, event: Event) {
        // Nobody listening is fine: events are hints, the store is the truth.
        let _ = self.0.changes.send((tenant, event));
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<(TenantId, Event)> {
        self.0.changes.subscribe()
    }

    /// Ends every stream, for the server stops.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Resolves when the server stops.
    pub(crate) fn until_closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closed = self.0.closed.subscribe();
        async move {
            // An error means that the events are gone altogether, which is an end too.
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// A place for one more stream of a session; `None` where it has as many as it may have.
    pub(crate) fn place(&self, session: SessionId) -> Option<Place> {
        let mut streams = self.0.streams();
        let open = streams.entry(session).or_default();
        if *open >= limits::EVENT_STREAMS_PER_SESSION {
            return None;
        }
        *open += 1;
        Some(Place { events: self.clone(), session })
    }
}

impl Inner {
    fn streams(&self) -> MutexGuard<'_, BTreeMap<SessionId, usize>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open stream, free again once this is dropped.
pub(crate) struct Place {
    events: Events,
    session: SessionId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.events.0.streams();
        if let Some(open) = streams.get_mut(&self.session) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_so_many_streams_and_gets_places_back() {
        let (events, session) = (Events::default(), SessionId::from_bytes([1; 16]));
        let mut places: Vec<_> = (0..limits::EVENT_STREAMS_PER_SESSION).map(|_| events.place(session).unwrap()).collect();
        assert!(events.place(session).is_none());
        assert!(events.place(SessionId::from_bytes([2; 16])).is_some(), "another session has its own");
        places.pop();
        assert!(events.place(session).is_some());
        drop(places);
        assert!(events.0.streams().is_empty());
    }

    #[tokio::test]
    async fn closing_ends_streams_that_were_there_and_those_that_come() {
        let events = Events::default();
        let before = events.until_closed();
        events.close();
        before.await;
        events.until_closed().await;
    }
}
