//! What a frame carries: an acknowledgement, a control message or data.

use sallyport_grant::json;
use sallyport_model::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{SendError, StreamError};

const ACK: u8 = 0;
const CONTROL: u8 = 1;
const DATA: u8 = 2;

/// What the ends say to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON of a kind's own messages; see [`Payload::control`] and [`read_control`].
    Control(Vec<u8>),
    /// Bytes of one of the stream's channels.
    Data {
        /// Which; 0 is the terminal's or the screen's.
        channel: u32,
        /// At most [`limits::STREAM_PAYLOAD_BYTES`].
        bytes: Vec<u8>,
    },
}

impl Payload {
    /// Writes a control message.
    pub fn control<T: Serialize>(message: &T) -> Self {
        Self::Control(serde_json::to_vec(message).expect("control messages are plain data"))
    }

    /// Data of a channel.
    pub fn data(channel: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::Data { channel, bytes: bytes.into() }
    }

    pub(super) fn to_plaintext(&self) -> Result<Vec<u8>, SendError> {
        let (head, body) = match self {
            Self::Control(json) => (vec![CONTROL], json),
            Self::Data { channel, bytes } => ([&[DATA][..], &channel.to_be_bytes()].concat(), bytes),
        };
        if body.len() > limits::STREAM_PAYLOAD_BYTES {
            return Err(SendError::TooLong);
        }
        Ok([head, body.clone()].concat())
    }
}

/// A frame's plaintext, read.
pub(super) enum Plain {
    Ack(u64),
    Payload(Payload),
}

impl Plain {
    pub(super) fn parse(plaintext: &[u8]) -> Result<Self, StreamError> {
        let (kind, rest) = plaintext.split_first().ok_or(StreamError::Payload)?;
        match *kind {
            ACK => rest.try_into().map(|next| Self::Ack(u64::from_be_bytes(next))).map_err(|_| StreamError::Payload),
            CONTROL if rest.len() <= limits::STREAM_PAYLOAD_BYTES => Ok(Self::Payload(Payload::Control(rest.to_vec()))),
            DATA => {
                let (channel, bytes) = rest.split_first_chunk::<4>().ok_or(StreamError::Payload)?;
                if bytes.len() > limits::STREAM_PAYLOAD_BYTES {
                    return Err(StreamError::Payload);
                }
                Ok(Self::Payload(Payload::data(u32::from_be_bytes(*channel), bytes)))
            }
            _ => Err(StreamError::Payload),
        }
    }

    pub(super) fn ack(next: u64) -> Vec<u8> {
        [&[ACK][..], &next.to_be_bytes()].concat()
    }
}

/// Reads a control message of a kind: strict JSON, unknown keys and messages refused.
pub fn read_control<T: DeserializeOwned>(json: &[u8]) -> Result<T, StreamError> {
    json::parse(json, limits::STREAM_PAYLOAD_BYTES).map_err(|_| StreamError::Payload)
}

/// Why a device ends an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// Somebody ended the session, or its program did.
    Ended,
    /// The server said so, because a right ended.
    Revoked,
    /// Nobody typed for too long.
    Idle,
    /// It reached its longest life, or did more than it may.
    Limit,
    /// The person at the machine said no, or nothing.
    ConsentRefused,
    /// The machine goes down, or the agent stops.
    Machine,
}
