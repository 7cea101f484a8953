//! Streams of remote sessions, end to end between a client and a device.
//!
//! The server relays the messages of a stream and can neither read nor make one. [`StreamEnd`] is either end, without
//! io: what arrives goes in by [`StreamEnd::receive`], what is to be sent comes out of [`StreamEnd::next_message`].
//! From the outside in:
//! - `answer`: the device's ephemeral key, signed by the device ([`Terms`] say what it answers to);
//! - `keys`: from both ephemeral keys and the grant to one key per direction and purpose;
//! - `frame`: numbered and encrypted payloads, each kept until the other end has it;
//! - `resume`: where each end stands when a connection begins, so that a lost link loses and doubles nothing;
//! - `message`: what a payload is; `terminal` and its neighbours say which control messages a kind of session has.

mod answer;
pub mod background;
mod error;
pub mod files;
mod frame;
mod keys;
mod link;
pub mod message;
pub mod path;
mod resume;
pub mod terminal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
pub mod viewer;

pub use answer::{Terms, TermsError};
pub use error::{SendError, StreamError};
pub use keys::StreamSecret;
pub use link::{Flow, StreamEnd};
pub use message::{ByeReason, Payload};

/// The WebSocket subprotocol of streams; a ticket stands beside it as `ticket.<base64url>`.
pub const SUBPROTOCOL: &str = "sallyport.stream.v1";
/// What the ticket's subprotocol begins with.
pub const TICKET_PREFIX: &str = "ticket.";

/// Why the server closed a stream, as WebSocket close codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 4001: a right ended. A client does not dial again.
    Revoked,
    /// 4002: the remote session ended.
    Ended,
    /// 4003: the other end's connection is gone. A client may dial again with a new ticket.
    OtherEndLost,
    /// 4004: a limit was reached.
    Limit,
}

impl CloseCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::Revoked => 4001,
            Self::Ended => 4002,
            Self::OtherEndLost => 4003,
            Self::Limit => 4004,
        }
    }

    /// For people who read a connection's log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Revoked => "a right ended",
            Self::Ended => "the remote session ended",
            Self::OtherEndLost => "the other end is gone",
            Self::Limit => "a limit was reached",
        }
    }

    /// Reads the number.
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Revoked, Self::Ended, Self::OtherEndLost, Self::Limit].into_iter().find(|code| code.number() == number)
    }
}

/// Whether a message may be input, from its length alone: neither an acknowledgement nor a resume. What it says only its
/// ends can read.
pub fn is_input(message: &[u8]) -> bool {
    const ACK_BYTES: usize = frame::OVERHEAD_BYTES + 9;
    message.len() != ACK_BYTES && message.len() != resume::BYTES
}
