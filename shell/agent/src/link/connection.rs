//! One connection: WebSocket outside, Noise inside, and a queue so that reading never waits for writing.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, future};
use sallyport_model::limits;
use sallyport_wire::{AgentLink, HelloClaims, Initiator, LinkError, LinkKey, ToAgent, ToServer};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::dial::{Dial, Wire};
use crate::identity::Identity;
use crate::trust::Trust;

/// Above this number of waiting frames no more output is queued.
const QUEUED_FRAMES: usize = 64;
const READ_BUFFER_BYTES: usize = 1024;
/// Frames are small: some of them share a write.
const WRITE_BUFFER_BYTES: usize = 4096;

/// Why a link ended or never was.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    #[error("the server cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the server did not answer in time")]
    TooSlow,
    #[error("the server speaks no agent link at that address: {0}")]
    WebSocket(Box<tungstenite::Error>),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the server closed the link")]
    Closed,
    #[error("nothing was heard from the server for too long")]
    Silent,
    #[error("the server does not know this device; the enrolment token was refused or the device was deleted")]
    NotKnown,
    #[error("there is another enrolment file")]
    EnrolmentChanged,
    #[error("the system gives no random bytes")]
    NoEntropy,
}

impl From<tungstenite::Error> for LinkEnd {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Self::Closed,
            tungstenite::Error::Io(error) => Self::Unreachable(error),
            other => Self::WebSocket(Box::new(other)),
        }
    }
}

/// What an agent brings to a new connection.
pub(crate) struct Greeting<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) identity: &'a Identity,
    pub(crate) claims: HelloClaims,
    /// 32 random bytes, for this connection only.
    pub(crate) seed: [u8; 32],
}

/// What a connection has to tell.
#[derive(Debug)]
pub(crate) enum Event {
    Received(ToAgent),
    /// Something came that is no whole message yet, or a sign of life of the carrier.
    Heard,
    /// All that was queued is on its way.
    Drained,
}

/// A link on which the agent has said hello.
pub(crate) struct Connection {
    socket: WebSocketStream<Box<dyn Wire>>,
    link: AgentLink,
    queue: VecDeque<Message>,
    /// Whether there is something to flush.
    writing: bool,
}

impl Connection {
    /// Connects, checks that the server holds the pinned link key, and says who the device is.
    pub(crate) async fn open(dial: &dyn Dial, greeting: Greeting<'_>, within: Duration) -> Result<Self, LinkEnd> {
        tokio::time::timeout(within, Self::shake_hands(dial, greeting)).await.unwrap_or(Err(LinkEnd::TooSlow))
    }

    async fn shake_hands(dial: &dyn Dial, greeting: Greeting<'_>) -> Result<Self, LinkEnd> {
        let trust = greeting.trust;
        let wire = dial.dial(&trust.server, trust.ca.as_deref()).await.map_err(LinkEnd::Unreachable)?;
        // The server holds a link key for each tenant, and must know whose it is to answer with.
        let address = format!("{}?tenant={}", trust.server, trust.root.tenant());
        let (mut socket, _) = client_async_with_config(address, wire, Some(socket_config())).await?;
        let (initiator, first) = Initiator::start(&LinkKey::from_bytes(trust.root.body().link.0), greeting.seed);
        socket.send(Message::binary(first)).await?;
        let channel = initiator.finish(&next_frame(&mut socket).await?)?;
        let seal_key = greeting.identity.seal_public();
        let (link, hello) = channel.say_hello(&greeting.claims, &seal_key, greeting.identity.signing_key())?;
        socket.send(Message::binary(hello)).await?;
        Ok(Self { socket, link, queue: VecDeque::new(), writing: false })
    }

    /// Encrypts a message and lets it wait for its turn.
    pub(crate) fn queue(&mut self, message: &ToServer) -> Result<(), LinkEnd> {
        let frames = self.link.send(message)?;
        self.queue.extend(frames.into_iter().map(Message::binary));
        Ok(())
    }

    /// Whether bulk may be queued now; otherwise [`Event::Drained`] will say when.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < QUEUED_FRAMES
    }

    /// Writes what is queued and waits for what happens. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Result<Event, LinkEnd> {
        future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, LinkEnd>> {
        if self.poll_write(context)?.is_ready() && std::mem::take(&mut self.writing) {
            return Poll::Ready(Ok(Event::Drained));
        }
        match self.socket.poll_next_unpin(context)? {
            Poll::Ready(Some(message)) => Poll::Ready(self.received(message)),
            Poll::Ready(None) => Poll::Ready(Err(LinkEnd::Closed)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkEnd>> {
        while !self.queue.is_empty() {
            match self.socket.poll_ready_unpin(context)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => {}
            }
            if let Some(frame) = self.queue.pop_front() {
                self.writing = true;
                self.socket.start_send_unpin(frame)?;
            }
        }
        self.socket.poll_flush_unpin(context).map_err(LinkEnd::from)
    }

    fn received(&mut self, message: Message) -> Result<Event, LinkEnd> {
        match message {
            Message::Binary(frame) => Ok(self.link.receive(&frame)?.map_or(Event::Heard, Event::Received)),
            Message::Close(_) => Err(LinkEnd::Closed),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(Event::Heard),
        }
    }
}

async fn next_frame(socket: &mut WebSocketStream<Box<dyn Wire>>) -> Result<Vec<u8>, LinkEnd> {
    loop {
        match socket.next().await.ok_or(LinkEnd::Closed)?? {
            Message::Binary(frame) => return Ok(frame.into()),
            Message::Close(_) => return Err(LinkEnd::Closed),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Small buffers: the defaults take 128 KiB for each connection at once.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES + 2 * limits::FRAME_BYTES)
        .max_message_size(Some(limits::FRAME_BYTES))
        .max_frame_size(Some(limits::FRAME_BYTES))
}
