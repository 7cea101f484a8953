//! The link after the handshake, at both ends.
//!
//! On the server nothing but a verified hello turns an [`AwaitingHello`] into a [`ServerLink`],
//! and only a [`ServerLink`] decodes other messages. A link ends at its first error: its keys are
//! dropped, and whatever is asked of it later is [`LinkError::Closed`].

use sallyport_grant::Hex;
use sallyport_grant::keys::SigningKey;
use sallyport_model::limits;

use crate::frame::{self, FrameError, Reassembly};
use crate::handshake::Channel;
use crate::hello::{self, Hello, HelloClaims, HelloError};
use crate::message::MessageError;
use crate::{DeviceState, ToAgent, ToServer, UnsignedToAgent};

/// Who caused an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The other end, or somebody on the way to it.
    Peer,
    /// This end.
    Ours,
}

/// Why a link ended or never began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The other end uses another link key, or the handshake was changed on the way.
    #[error("the handshake was not made with the pinned link key")]
    Handshake,
    /// Longer than the longest hello.
    #[error("the frame is longer than any may be")]
    FrameTooLong,
    /// Not the next frame of the other end: changed, repeated, reordered, or one before it is lost.
    #[error("the frame is forged, repeated or out of order")]
    Forged,
    /// The frames do not make a message.
    #[error(transparent)]
    Frame(FrameError),
    /// The hello does not prove a device key.
    #[error(transparent)]
    Hello(HelloError),
    /// The message is not one that the other end may send.
    #[error(transparent)]
    Message(MessageError),
    /// This end wanted to send what is not allowed.
    #[error("this end made a message that cannot be sent: {0}")]
    Unsendable(MessageError),
    /// 2^64 - 1 frames were sent.
    #[error("the link has used all of its nonces")]
    NoncesUsedUp,
    /// An error came before.
    #[error("the link has ended")]
    Closed,
}

impl LinkError {
    /// Who caused it.
    pub fn fault(self) -> Fault {
        match self {
            Self::Handshake | Self::FrameTooLong | Self::Forged | Self::Frame(_) | Self::Hello(_) | Self::Message(_) => Fault::Peer,
            Self::Unsendable(_) | Self::NoncesUsedUp | Self::Closed => Fault::Ours,
        }
    }

    /// The stable code that logs and people search for.
    pub fn code(self) -> &'static str {
        match self {
            Self::Handshake => "link_handshake",
            Self::FrameTooLong => "link_frame_too_long",
            Self::Forged => "link_forged",
            Self::Frame(error) => error.code(),
            Self::Hello(error) => error.code(),
            Self::Message(error) => error.code(),
            Self::Unsendable(_) => "link_unsendable",
            Self::NoncesUsedUp => "link_nonces_used_up",
            Self::Closed => "link_closed",
        }
    }
}

/// The server's end before it knows the device: it reads one hello and nothing else.
pub struct AwaitingHello(Channel);

impl AwaitingHello {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// What names this very handshake.
    pub fn handshake_hash(&self) -> &[u8; 32] {
        self.0.handshake_hash()
    }

    /// Takes the first frame, which must hold the whole hello.
    pub fn open_hello(mut self, frame: &[u8]) -> Result<(Hello, ServerLink), LinkError> {
        let plain = self.0.open(frame)?;
        let bytes = frame::open_whole(&plain, limits::HELLO_BYTES).map_err(LinkError::Frame)?;
        let hello = Hello::verify(bytes, self.0.handshake_hash()).map_err(LinkError::Hello)?;
        Ok((hello, ServerLink(Open::new(self.0, limits::HELLO_BYTES))))
    }
}

impl Channel {
    /// The agent's first message; its only one that is allowed before it is known. `seal_key` is the
    /// public half of its encryption key, `key` its device key.
    pub fn say_hello(mut self, claims: &HelloClaims, seal_key: &Hex<32>, key: &SigningKey) -> Result<(AgentLink, Vec<u8>), LinkError> {
        let hello = hello::sign(claims, seal_key, key, self.handshake_hash()).map_err(LinkError::Unsendable)?;
        let frame = self.seal_frame(&frame::whole(&hello))?;
        Ok((AgentLink(Open::new(self, limits::MESSAGE_BYTES)), frame))
    }
}

/// The server's end of a link whose device key is proved.
///
/// Anybody can make a key and prove it. So messages stay limited to [`limits::HELLO_BYTES`] until
/// the server has sent a welcome that says that the device belongs here.
pub struct ServerLink(Open);

impl ServerLink {
    /// Encrypts a message; each frame is one WebSocket message, in this order.
    pub fn send(&mut self, message: &ToAgent) -> Result<Vec<Vec<u8>>, LinkError> {
        let frames = self.0.send(message.encode())?;
        if belongs_here(message) {
            self.0.allow(limits::MESSAGE_BYTES);
        }
        Ok(frames)
    }

    /// Takes one frame; yields a message with its last piece.
    pub fn receive(&mut self, frame: &[u8]) -> Result<Option<ToServer>, LinkError> {
        self.0.receive(frame, ToServer::decode)
    }
}

fn belongs_here(message: &ToAgent) -> bool {
    let ToAgent::Unsigned(UnsignedToAgent::Welcome { state, .. }) = message else { return false };
    match state {
        DeviceState::Pending | DeviceState::Approved | DeviceState::Quarantined => true,
        DeviceState::Removed | DeviceState::Unknown => false,
    }
}

/// The agent's end of a link on which it has said hello.
pub struct AgentLink(Open);

impl AgentLink {
    /// Encrypts a message; each frame is one WebSocket message, in this order.
    pub fn send(&mut self, message: &ToServer) -> Result<Vec<Vec<u8>>, LinkError> {
        self.0.send(message.encode())
    }

    /// Takes one frame; yields a message with its last piece.
    pub fn receive(&mut self, frame: &[u8]) -> Result<Option<ToAgent>, LinkError> {
        self.0.receive(frame, ToAgent::decode)
    }
}

/// What both ends share; `None` after an error.
struct Open(Option<Live>);

struct Live {
    channel: Channel,
    reassembly: Reassembly,
    max_bytes: usize,
}

impl Open {
    fn new(channel: Channel, max_bytes: usize) -> Self {
        Self(Some(Live { channel, reassembly: Reassembly::default(), max_bytes }))
    }

    fn allow(&mut self, max_bytes: usize) {
        if let Some(live) = &mut self.0 {
            live.max_bytes = max_bytes;
        }
    }

    /// A message that cannot be encoded ends the link too: this end is not what it takes itself for.
    fn send(&mut self, message: Result<Vec<u8>, MessageError>) -> Result<Vec<Vec<u8>>, LinkError> {
        let mut live = self.0.take().ok_or(LinkError::Closed)?;
        let frames = live.channel.seal(&message.map_err(LinkError::Unsendable)?)?;
        self.0 = Some(live);
        Ok(frames)
    }

    fn receive<M>(&mut self, frame: &[u8], decode: impl Fn(&[u8]) -> Result<M, MessageError>) -> Result<Option<M>, LinkError> {
        let mut live = self.0.take().ok_or(LinkError::Closed)?;
        let plain = live.channel.open(frame)?;
        let whole = live.reassembly.add(plain, live.max_bytes).map_err(LinkError::Frame)?;
        let message = whole.map(|bytes| decode(&bytes)).transpose().map_err(LinkError::Message)?;
        self.0 = Some(live);
        Ok(message)
    }
}

#[cfg(test)]
mod tests;
