//! The outermost shape of every message: exactly one field that holds one body.
//!
//! A decoder first checks the size, then walks the fields against [`crate::shape`] without
//! allocating, and only then decodes. What it allocates is so bounded by the message's size and
//! by the counts of its lists.

use prost::Message;
use sallyport_model::{AgentText, Digest, Timestamp, limits};

use crate::shape::{self, Field};

/// Why bytes are not a message, or a message may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than messages may be.
    #[error("the message is longer than {0} bytes")]
    TooLong(usize),
    /// Not protobuf, or cut off.
    #[error("the message is not well-formed")]
    Malformed,
    /// None, several or unknown bodies.
    #[error("the message does not have exactly one known body")]
    NotOneBody,
    /// A hello after the first message, or something else before it.
    #[error("the message is not expected in this phase of the link")]
    OutOfPhase,
    /// A field occurs more often than it may.
    #[error("the field {0} occurs too often")]
    TooMany(&'static str),
    /// A field is longer than it may be.
    #[error("the field {0} is too long")]
    FieldTooLong(&'static str),
    /// A field that must be there is not.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field has a value that it cannot have.
    #[error("the field {0} has an impossible value")]
    Invalid(&'static str),
}

impl MessageError {
    /// The stable code that logs and people search for.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong(_) => "message_too_long",
            Self::Malformed => "message_malformed",
            Self::NotOneBody => "message_not_one_body",
            Self::OutOfPhase => "message_out_of_phase",
            Self::TooMany(_) => "message_field_too_many",
            Self::FieldTooLong(_) => "message_field_too_long",
            Self::Missing(_) => "message_field_missing",
            Self::Invalid(_) => "message_field_invalid",
        }
    }
}

/// Checks size and shape, then decodes.
pub(crate) fn decode<M: Message + Default>(bytes: &[u8], fields: &[Field], max_bytes: usize) -> Result<M, MessageError> {
    if bytes.len() > max_bytes {
        return Err(MessageError::TooLong(max_bytes));
    }
    shape::check(bytes, fields)?;
    M::decode(bytes).map_err(|_| MessageError::Malformed)
}

/// Like [`decode`], for the outermost shape.
pub(crate) fn decode_outer<M: Message + Default>(bytes: &[u8], fields: &[Field], max_bytes: usize) -> Result<M, MessageError> {
    if bytes.len() > max_bytes {
        return Err(MessageError::TooLong(max_bytes));
    }
    shape::check_single(bytes, fields)?;
    decode(bytes, fields, max_bytes)
}

/// Encodes, and refuses to make what the other side would refuse for its size or shape.
pub(crate) fn encode<M: Message>(message: &M, fields: &[Field], max_bytes: usize) -> Result<Vec<u8>, MessageError> {
    if message.encoded_len() > max_bytes {
        return Err(MessageError::TooLong(max_bytes));
    }
    let bytes = message.encode_to_vec();
    shape::check(&bytes, fields)?;
    Ok(bytes)
}

/// A short text of an agent: host name, user name, version.
pub(crate) fn name(text: &str) -> AgentText {
    AgentText::tame(text, limits::AGENT_NAME_CHARS)
}

/// A long text of an agent: command line, description.
pub(crate) fn text(text: &str) -> AgentText {
    AgentText::tame(text, limits::AGENT_TEXT_CHARS)
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(crate) fn id<T: std::str::FromStr>(text: &str, field: &'static str) -> Result<T, MessageError> {
    text.parse().map_err(|_| MessageError::Invalid(field))
}

pub(crate) fn present<T>(value: Option<T>, field: &'static str) -> Result<T, MessageError> {
    value.ok_or(MessageError::Missing(field))
}

pub(crate) fn bytes_32(bytes: &[u8], field: &'static str) -> Result<[u8; 32], MessageError> {
    bytes.try_into().map_err(|_| MessageError::Invalid(field))
}

pub(crate) fn digest(bytes: &[u8], field: &'static str) -> Result<Digest, MessageError> {
    bytes_32(bytes, field).map(Digest::from_bytes)
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
