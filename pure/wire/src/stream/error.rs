//! What ends a stream.

use super::answer::TermsError;

/// Why a stream is over. Whatever it is, the other end or whoever is between did it, and there is no way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The answer is not the device's, or not to this grant.
    #[error("the device's answer is refused: {0}")]
    Answer(#[from] TermsError),
    /// Another answer than the first one.
    #[error("the device answered otherwise than before")]
    OtherAnswer,
    /// The other end's key is of small order.
    #[error("the other end's key is not usable")]
    WeakKey,
    /// Something came before its turn: a frame before the resume, or a second resume.
    #[error("a message came out of turn")]
    OutOfTurn,
    /// Shorter or longer than messages are.
    #[error("a message has an impossible length")]
    Length,
    /// A frame was dropped, repeated or moved.
    #[error("a message is missing or was repeated")]
    OutOfOrder,
    /// A message that neither end made.
    #[error("a message was forged")]
    Forged,
    /// A resume of an earlier connection.
    #[error("the beginning of a connection was replayed")]
    Replayed,
    /// The other end has what was never sent, or misses what it had.
    #[error("the other end stands where it cannot")]
    Position,
    /// A payload of no known kind.
    #[error("a message has no known content")]
    Payload,
    /// The other end sends and sends, and takes note of nothing.
    #[error("the other end acknowledges nothing")]
    NoAcknowledgement,
}

impl StreamError {
    /// The stable code that logs and people search for.
    pub fn code(self) -> &'static str {
        match self {
            Self::Answer(_) | Self::OtherAnswer | Self::WeakKey => "answer_refused",
            _ => "stream_broken",
        }
    }
}

/// Why a payload is not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No room until the other end acknowledges, or no keys yet.
    #[error("there is no room until the other end acknowledges")]
    Full,
    /// Above [`sallyport_model::limits::STREAM_PAYLOAD_BYTES`].
    #[error("the payload is too long")]
    TooLong,
    /// The stream is over.
    #[error("the stream is over: {0}")]
    Over(StreamError),
}
