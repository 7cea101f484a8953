//! What a kind of remote session is, for whoever writes one: terminal, background, files, viewer.
//!
//! The host does what all kinds share: it dials, answers, encrypts, resumes, keeps limits, asks the person at the machine
//! and writes the receipt. A kind gets an [`Opening`] and lives in one task as long as its session:
//!
//! ```text
//! async fn work(mut opening: Opening) -> Ended {
//!     loop {
//!         match opening.events.next().await {
//!             Event::Joined(attachment) => ...,               // somebody came; keep its outlet
//!             Event::Control { from, message } => match message.parse::<Request>() { ... },
//!             Event::Data { from, channel, bytes } => ...,    // `bytes` gives its room back when it is dropped
//!             Event::Room => ...,                             // an outlet that was full has room again
//!             Event::Away(_) | Event::Back(_) => {}           // a link that was lost for a while; seldom of interest
//!             Event::Left(attachment) => ...,
//!             Event::End => return Ended::told(),             // tidy up at once; after a second the task is dropped
//!         }
//!     }
//! }
//! ```
//!
//! Three rules. The agent has one thread: what blocks goes to `spawn_blocking` or a thread of its own that ends with the
//! session. Nothing waits for one attachment where others would wait too: use [`Outlet::try_data`] and [`Event::Room`], or a
//! task for each transfer with [`Outlet::data`]. A kind is dropped without warning when its time is over, so whatever it
//! began must end by `Drop`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sallyport_grant::body::{Access, Clipboard, OpenRemoteSession};
use sallyport_model::{GrantId, Timestamp};
use sallyport_wire::stream::message::read_control;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};

use super::recording::Recorder;

mod outlet;
mod received;
#[cfg(any(test, feature = "rig"))]
pub mod rig;

pub use outlet::{Full, Gone, Outlet};
pub(crate) use outlet::{Outgoing, Waiting};
pub(crate) use received::Budget;
pub use received::Received;

/// One open session's work.
pub type Working = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// A kind of remote session. Implemented for functions that take an [`Opening`].
pub trait Kind: Send {
    /// Lives as long as the session.
    fn work(self: Box<Self>, opening: Opening) -> Working;
}

impl<F, W> Kind for F
where
    F: FnOnce(Opening) -> W + Send,
    W: Future<Output = Ended> + Send + 'static,
{
    fn work(self: Box<Self>, opening: Opening) -> Working {
        Box::pin(self(opening))
    }
}

/// What a kind begins with.
pub struct Opening {
    /// What the grant of whoever opens it says: account, size, whether it is recorded.
    pub session: Arc<OpenRemoteSession>,
    /// When it was opened.
    pub at: Timestamp,
    pub events: Events,
    /// Where the recording goes, if the session is to be recorded. What is not recorded must not be shown.
    pub recorder: Option<Recorder>,
}

/// Everything that happens to an open session.
#[derive(Debug)]
pub enum Event {
    /// Somebody came: the first one opened the session. Comes before anything else of that attachment.
    Joined(Attachment),
    /// A control message: JSON, not parsed yet.
    Control { from: AttachmentId, message: Message },
    /// Data on a channel, in order.
    Data { from: AttachmentId, channel: u32, bytes: Received },
    /// An outlet that was found full has room again; look at all of them.
    Room,
    /// Somebody's link is interrupted. What is queued for them waits; they may come back for some minutes.
    Away(AttachmentId),
    /// Somebody's link is there again.
    Back(AttachmentId),
    /// Somebody is gone for good.
    Left(AttachmentId),
    /// The session ends now, whoever wants it.
    End,
}

/// Which attachment of a session: the grant that it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachmentId(pub GrantId);

/// Somebody who came to a session.
#[derive(Debug, Clone)]
pub struct Attachment {
    pub id: AttachmentId,
    /// The technician's address, for other people.
    pub name: String,
    /// The kind enforces it: see [`Outlet::refuse`].
    pub access: Access,
    /// What their own grant says of copied text; the session's may be stricter, and then that counts.
    pub clipboard: Clipboard,
    pub outlet: Outlet,
}

/// A control message as it came.
#[derive(Debug)]
pub struct Message(pub(crate) Received);

/// A control message that is none of those that the kind knows, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this kind of session")]
pub struct UnknownMessage;

impl Message {
    /// Reads the message as one of the kind's own; these want `deny_unknown_fields` and `tag = "t"`.
    pub fn parse<M: DeserializeOwned>(&self) -> Result<M, UnknownMessage> {
        read_control(&self.0).map_err(|_| UnknownMessage)
    }
}

/// How a session's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was over by itself: the shell exited.
    Finished { exit_code: Option<i32>, signal: Option<i32> },
    /// It was told to.
    Told,
    /// It could not go on; a stable code.
    Failed(&'static str),
}

/// What happens to a session, in order.
pub struct Events {
    inbox: mpsc::UnboundedReceiver<Event>,
    room: Arc<Notify>,
}

impl Events {
    /// Waits for what happens next. May be given up and called again; nothing is lost.
    pub async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            event = self.inbox.recv() => event.unwrap_or(Event::End),
            () = self.room.notified() => Event::Room,
        }
    }
}

/// The host's end of a session's events. What waits in it is bounded by the [`Budget`] of each attachment.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    outbox: mpsc::UnboundedSender<Event>,
    room: Arc<Notify>,
}

impl Teller {
    pub(crate) fn pair() -> (Self, Events) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let room = Arc::new(Notify::new());
        (Self { outbox, room: room.clone() }, Events { inbox, room })
    }

    /// A session that is over hears nothing any more.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.outbox.send(event);
    }

    /// An outlet to a new attachment that sends `window` bytes ahead, and the host's end of it.
    pub(crate) fn outlet(&self, window: usize) -> (Outlet, Waiting) {
        outlet::pair(window, self.room.clone())
    }
}
