//! The way out to one attachment: a short queue with a measure, so that whoever produces feels what the link takes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sallyport_model::limits;
use sallyport_wire::stream::ByeReason;
use serde::Serialize;
use tokio::sync::Notify;

/// Longest control message and longest piece of data.
const PIECE_BYTES: usize = limits::STREAM_PAYLOAD_BYTES;

/// The attachment has left, or was sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attachment has left")]
pub struct Gone;

/// Why something could not be queued at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// [`super::Event::Room`] will say when.
    #[error("the outlet is full")]
    Full,
    #[error("the attachment has left")]
    Gone,
    #[error("a control message is longer than it may be")]
    TooLong,
}

/// What waits to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Control(Vec<u8>),
    Data {
        channel: u32,
        bytes: Vec<u8>,
    },
    /// The attachment ends behind everything before it; the reason is for the client.
    Bye(ByeReason),
}

impl Outgoing {
    fn weight(&self) -> usize {
        match self {
            Self::Control(bytes) | Self::Data { bytes, .. } => bytes.len(),
            Self::Bye(_) => 0,
        }
    }
}

/// Sends to one attachment. Cheap to clone; may outlive it.
#[derive(Debug, Clone)]
pub struct Outlet(Arc<Shared>);

/// The host's end of an outlet.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// What waits for the link at most, in bytes. What the stream keeps until it is acknowledged comes on top.
    most: usize,
    /// For the host: there is something.
    filled: Notify,
    /// For tasks that wait in this outlet.
    drained: Notify,
    /// For the kind's loop, which looks at all outlets.
    room: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Outgoing>,
    bytes: usize,
    /// Somebody was turned away.
    wanted: bool,
    closed: bool,
}

/// Half of what may be sent ahead waits besides: it keeps a fast line busy, and a keystroke's answer is not far behind.
pub(crate) fn pair(window: usize, room: Arc<Notify>) -> (Outlet, Waiting) {
    let shared = Arc::new(Shared { queue: Mutex::default(), most: window / 2, filled: Notify::new(), drained: Notify::new(), room });
    (Outlet(shared.clone()), Waiting(shared))
}

impl Outlet {
    /// Queues data, as much as there is room for, and says how much that was. Less than all asks for
    /// [`super::Event::Room`].
    pub fn try_data(&self, channel: u32, bytes: &[u8]) -> Result<usize, Gone> {
        let mut queue = self.0.open_queue()?;
        let fitting = bytes.len().min(self.0.most.saturating_sub(queue.bytes));
        for piece in bytes[..fitting].chunks(PIECE_BYTES) {
            queue.push(Outgoing::Data { channel, bytes: piece.to_vec() });
        }
        queue.wanted |= fitting < bytes.len();
        drop(queue);
        self.0.filled.notify_one();
        Ok(fitting)
    }

    /// Queues data, waiting for room. For tasks that serve this attachment alone.
    pub async fn data(&self, channel: u32, bytes: &[u8]) -> Result<(), Gone> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let waiting = self.0.drained.notified();
            let taken = self.try_data(channel, rest)?;
            rest = &rest[taken..];
            if !rest.is_empty() {
                waiting.await;
            }
        }
        Ok(())
    }

    /// Queues a control message if there is room.
    pub fn try_control<M: Serialize>(&self, message: &M) -> Result<(), Full> {
        let text = encoded(message)?;
        self.try_text(&text)
    }

    fn try_text(&self, text: &[u8]) -> Result<(), Full> {
        let mut queue = self.0.open_queue().map_err(|Gone| Full::Gone)?;
        if queue.bytes >= self.0.most {
            queue.wanted = true;
            return Err(Full::Full);
        }
        queue.push(Outgoing::Control(text.to_vec()));
        drop(queue);
        self.0.filled.notify_one();
        Ok(())
    }

    /// Queues a control message, waiting for room. Fails with [`Full::Gone`] or [`Full::TooLong`] only.
    pub async fn control<M: Serialize>(&self, message: &M) -> Result<(), Full> {
        let text = encoded(message)?;
        loop {
            let waiting = self.0.drained.notified();
            match self.try_text(&text) {
                Err(Full::Full) => waiting.await,
                other => return other,
            }
        }
    }

    /// How much data fits at this moment, in bytes. Nothing asks for [`super::Event::Room`].
    pub fn room(&self) -> usize {
        let mut queue = self.0.queue();
        let room = self.0.most.saturating_sub(queue.bytes);
        queue.wanted |= room == 0;
        room
    }

    /// Sends this attachment away, behind what is queued: it did what it may not. `code` is for the client, stable.
    pub fn refuse(&self, code: &'static str) {
        self.refuse_saying(code, "");
    }

    /// The same, with a sentence for people.
    pub fn refuse_saying(&self, code: &'static str, detail: &str) {
        // One who has left, or takes nothing, needs no refusal.
        let _ = self.try_control(&Refused { t: "error", id: None, code, detail });
        self.bye(ByeReason::Ended);
    }

    /// Ends this attachment behind what is queued.
    pub(crate) fn bye(&self, reason: ByeReason) {
        let mut queue = self.0.queue();
        if !queue.closed {
            queue.push(Outgoing::Bye(reason));
            queue.closed = true;
        }
        drop(queue);
        self.0.wake_all();
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    t: &'static str,
    id: Option<u32>,
    code: &'static str,
    detail: &'a str,
}

fn encoded<M: Serialize>(message: &M) -> Result<Vec<u8>, Full> {
    let text = serde_json::to_vec(message).map_err(|_| Full::TooLong)?;
    if text.len() > PIECE_BYTES { Err(Full::TooLong) } else { Ok(text) }
}

impl Waiting {
    /// Waits until there is something to send.
    pub(crate) async fn filled(&self) {
        self.0.filled.notified().await;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.queue().frames.is_empty()
    }

    /// The next thing to send.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        let mut queue = self.0.queue();
        let next = queue.frames.pop_front()?;
        queue.bytes -= next.weight();
        let told = queue.wanted && queue.bytes <= self.0.most / 2;
        queue.wanted &= !told;
        drop(queue);
        if told {
            self.0.drained.notify_waiters();
            self.0.room.notify_one();
        }
        Some(next)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        *queue = Queue { closed: true, ..Queue::default() };
        drop(queue);
        self.0.wake_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_queue(&self) -> Result<MutexGuard<'_, Queue>, Gone> {
        let queue = self.queue();
        if queue.closed { Err(Gone) } else { Ok(queue) }
    }

    fn wake_all(&self) {
        self.filled.notify_one();
        self.drained.notify_waiters();
        self.room.notify_one();
    }
}

impl Queue {
    fn push(&mut self, outgoing: Outgoing) {
        self.bytes += outgoing.weight();
        self.frames.push_back(outgoing);
    }
}
