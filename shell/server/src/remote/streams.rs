//! Where the two sockets of a grant meet, and the handle by which a running stream is ended.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::WebSocket;
use sallyport_model::{GrantId, RemoteSessionId};
use sallyport_wire::stream::CloseCode;
use tokio::sync::{oneshot, watch};
use tokio::time::{Duration, Instant};

use super::{Remote, Side};

/// Every stream that waits or runs, by its grant.
#[derive(Default)]
pub(super) struct Streams {
    by_grant: Mutex<HashMap<GrantId, Stream>>,
    next_number: AtomicU64,
    /// When somebody last typed into an open session, and how long nobody may.
    inputs: Mutex<HashMap<RemoteSessionId, Idle>>,
}

struct Stream {
    number: u64,
    /// Where the other side's socket is handed over, while one waits.
    waiting: Option<(Side, oneshot::Sender<WebSocket>)>,
    /// The client's address, once it is here.
    used_from: Option<IpAddr>,
    stop: watch::Sender<Option<CloseCode>>,
}

struct Idle {
    since: Instant,
    longest: Duration,
}

/// What became of a socket that came in.
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
pub(super) enum Arrival {
    /// It was handed to the side that waited.
    Met,
    /// It is the first: the other one will come here.
    First { socket: WebSocket, other: oneshot::Receiver<WebSocket>, place: Place },
}

/// The place of a stream, free again once this is dropped.
pub(super) struct Place {
    remote: Remote,
    grant: GrantId,
    number: u64,
    pub(super) stopped: watch::Receiver<Option<CloseCode>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.remote.streams();
        if streams.get(&self.grant).is_some_and(|stream| stream.number == self.number) {
            streams.remove(&self.grant);
        }
    }
}

impl Remote {
    fn streams(&self) -> MutexGuard<'_, HashMap<GrantId, Stream>> {
        self.0.streams.by_grant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a socket to the other one of its grant. A second one of the same side takes the place of the first, and a
    /// running stream gives way: whoever dials again has lost the connection before.
    pub(super) fn arrive(&self, grant: GrantId, side: Side, socket: WebSocket, from: IpAddr) -> Arrival {
        let used_from = (side == Side::Client).then_some(from);
        let mut streams = self.streams();
        let mut socket = socket;
        if let Some(stream) = streams.get_mut(&grant)
            && let Some((_, meet)) = stream.waiting.take_if(|(waiting, _)| *waiting != side)
        {
            match meet.send(socket) {
                Ok(()) => {
                    stream.used_from = stream.used_from.or(used_from);
                    return Arrival::Met;
                }
                Err(back) => socket = back,
            }
        }
        if let Some(old) = streams.remove(&grant) {
            old.stop.send_replace(Some(CloseCode::OtherEndLost));
        }
        let number = self.0.streams.next_number.fetch_add(1, Ordering::Relaxed);
        let (meet, other) = oneshot::channel();
        let (stop, stopped) = watch::channel(None);
        streams.insert(grant, Stream { number, waiting: Some((side, meet)), used_from, stop });
        Arrival::First { socket, other, place: Place { remote: self.clone(), grant, number, stopped } }
    }

    /// Ends the stream of a grant, waiting or running, and every ticket for it.
    pub(super) fn stop(&self, grant: GrantId, code: CloseCode) {
        self.forget_tickets(grant);
        if let Some(stream) = self.streams().remove(&grant) {
            stream.stop.send_replace(Some(code));
        }
    }

    /// From where each stream is used whose client is here.
    pub(super) fn used_from(&self) -> HashMap<GrantId, IpAddr> {
        self.streams().iter().filter_map(|(grant, stream)| Some((*grant, stream.used_from?))).collect()
    }

    /// Whether a stream of the grant runs.
    pub(super) fn is_connected(&self, grant: GrantId) -> bool {
        self.streams().get(&grant).is_some_and(|stream| stream.waiting.is_none())
    }

    fn inputs(&self) -> MutexGuard<'_, HashMap<RemoteSessionId, Idle>> {
        self.0.streams.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody typed, or a stream began.
    pub(super) fn used(&self, session: RemoteSessionId, longest: Duration) {
        self.inputs().insert(session, Idle { since: Instant::now(), longest });
    }

    pub(super) fn forget_input(&self, session: RemoteSessionId) {
        self.inputs().remove(&session);
    }

    /// Sessions that nobody used for too long.
    pub(super) fn idle(&self) -> Vec<RemoteSessionId> {
        let idle = |idle: &Idle| idle.since.elapsed() > idle.longest;
        self.inputs().iter().filter(|(_, entry)| idle(entry)).map(|(session, _)| *session).collect()
    }

    /// From now on, rights and limits of what is open are looked after.
    pub(super) fn watch(&self) {
        self.0.is_watched.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.0.is_watched.load(Ordering::Relaxed)
    }

    pub(super) fn unwatch(&self) {
        self.0.is_watched.store(false, Ordering::Relaxed);
    }
}
