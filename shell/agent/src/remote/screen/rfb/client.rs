//! What clients say. Reads byte by byte as they come; what is wrong ends the attachment.

use sallyport_model::limits;

use super::clipboard::{Notice, read_notice};
use super::format::{PixelFormat, UnsupportedFormat};
use super::number;
use crate::remote::screen::picture::rect::Rect;

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientMessage {
    Version(Version),
    /// Chosen security type; there is only "none", because the stream around it is what keeps others out.
    SecurityNone,
    Init,
    PixelFormat(PixelFormat),
    Encodings(Wanted),
    UpdateRequest(Asked, Rect),
    Key(Press, u32),
    Pointer {
        buttons: u8,
        x: u16,
        y: u16,
    },
    CutText(String),
    ExtendedCutText(Notice),
    ContinuousUpdates(Continuous, Rect),
    Fence {
        flags: u32,
        payload: Vec<u8>,
    },
    Resize {
        width: u16,
        height: u16,
    },
}

/// What the client speaks; they differ in how a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Version {
    /// The server says how it goes on.
    V3,
    /// The client chooses, and is not told that it may.
    V7,
    #[default]
    V8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What changed since the last time.
    Changes,
    /// Everything anew.
    Everything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    Down,
    Up,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuous {
    On,
    Off,
}

/// What a client can read, of what this server can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    pub(crate) picture: Coding,
    pub(crate) copy_rect: bool,
    /// 0 to 9 where the client takes JPEG.
    pub(crate) quality: Option<u8>,
    pub(crate) last_rect: bool,
    pub(crate) cursor: bool,
    pub(crate) size: Resizable,
    pub(crate) fence: bool,
    pub(crate) continuous: bool,
    pub(crate) clipboard: bool,
}

/// The first of these in a client's list is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Coding {
    #[default]
    Raw,
    Tight,
    Zrle,
}

/// Whether a client follows when the size changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(crate) enum Resizable {
    #[default]
    No,
    Follows,
    /// It may also ask for a size.
    Asks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the client does not speak version 3 of the protocol")]
    Version,
    #[error("the client chose a security type that was not offered")]
    Security,
    #[error(transparent)]
    Format(#[from] UnsupportedFormat),
    #[error("the client sent a message of unknown type {0}")]
    UnknownMessage(u8),
    #[error("the client sent more than a message may have")]
    TooLarge,
    #[error("the client sent a clipboard that cannot be read")]
    Clipboard,
}

/// Bytes of one client that are not a whole message yet.
#[derive(Debug, Default)]
pub(crate) struct ClientReader {
    kept: Vec<u8>,
    at: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Version,
    Security,
    Init,
    Messages,
}

/// A message and its length, or how many bytes it takes to know more.
enum Parsed {
    Message(ClientMessage, usize),
    Nothing(usize),
    Needs,
}

impl ClientReader {
    /// Takes bytes as they came. The caller takes all messages with [`Self::next`] before it gives more.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.kept.drain(..self.at);
        self.at = 0;
        self.kept.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<ClientMessage>, ClientError> {
        loop {
            let parsed = self.parse(&self.kept[self.at..])?;
            match parsed {
                Parsed::Needs => return Ok(None),
                Parsed::Nothing(len) => self.at += len,
                Parsed::Message(message, len) => {
                    self.at += len;
                    self.advance(&message);
                    return Ok(Some(message));
                }
            }
        }
    }

    fn advance(&mut self, message: &ClientMessage) {
        self.stage = match self.stage {
            Stage::Version if *message == ClientMessage::Version(Version::V3) => Stage::Init,
            Stage::Version => Stage::Security,
            Stage::Security => Stage::Init,
            Stage::Init | Stage::Messages => Stage::Messages,
        };
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed, ClientError> {
        match self.stage {
            Stage::Version => version(bytes),
            Stage::Security => one_byte(bytes, |kind| if kind == 1 { Ok(ClientMessage::SecurityNone) } else { Err(ClientError::Security) }),
            // The byte asks whether others may stay; who may watch is not the client's to decide.
            Stage::Init => one_byte(bytes, |_| Ok(ClientMessage::Init)),
            Stage::Messages => message(bytes),
        }
    }
}

fn version(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(line) = bytes.get(..super::VERSION.len()) else { return Ok(Parsed::Needs) };
    let spoken = match line {
        b"RFB 003.008\n" => Version::V8,
        b"RFB 003.007\n" => Version::V7,
        // Whatever else there was counts as the oldest (RFC 6143, section 7.1.1).
        _ if line.starts_with(b"RFB 003.") && line.ends_with(b"\n") => Version::V3,
        _ => return Err(ClientError::Version),
    };
    Ok(Parsed::Message(ClientMessage::Version(spoken), line.len()))
}

fn one_byte(bytes: &[u8], read: impl Fn(u8) -> Result<ClientMessage, ClientError>) -> Result<Parsed, ClientError> {
    bytes.first().map_or(Ok(Parsed::Needs), |byte| Ok(Parsed::Message(read(*byte)?, 1)))
}

fn message(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(kind) = bytes.first().copied() else { return Ok(Parsed::Needs) };
    match kind {
        0 => pixel_format(bytes),
        2 => encodings(bytes),
        3 => Ok(fixed::<10>(bytes, |b| {
            ClientMessage::UpdateRequest(if b[1] == 0 { Asked::Everything } else { Asked::Changes }, rect(&b[2..]))
        })),
        4 => Ok(fixed::<8>(bytes, |b| ClientMessage::Key(if b[1] == 0 { Press::Up } else { Press::Down }, u32_at(b, 4)))),
        5 => Ok(fixed::<6>(bytes, |b| ClientMessage::Pointer { buttons: b[1], x: u16_at(b, 2), y: u16_at(b, 4) })),
        6 => cut_text(bytes),
        150 => Ok(fixed::<10>(bytes, |b| {
            ClientMessage::ContinuousUpdates(if b[1] == 0 { Continuous::Off } else { Continuous::On }, rect(&b[2..]))
        })),
        248 => fence(bytes),
        251 => resize(bytes),
        other => Err(ClientError::UnknownMessage(other)),
    }
}

fn fixed<const N: usize>(bytes: &[u8], read: impl Fn(&[u8; N]) -> ClientMessage) -> Parsed {
    bytes.first_chunk::<N>().map_or(Parsed::Needs, |whole| Parsed::Message(read(whole), N))
}

fn pixel_format(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(whole) = bytes.first_chunk::<20>() else { return Ok(Parsed::Needs) };
    let format = whole.last_chunk::<16>().map_or(Err(UnsupportedFormat), PixelFormat::parse)?;
    Ok(Parsed::Message(ClientMessage::PixelFormat(format), 20))
}

fn encodings(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(Parsed::Needs) };
    let count = usize::from(u16_at(head, 2));
    if count > limits::SCREEN_ENCODINGS {
        return Err(ClientError::TooLarge);
    }
    let Some(list) = bytes.get(4..4 + count * 4) else { return Ok(Parsed::Needs) };
    let numbers = list.chunks_exact(4).map(|four| u32_at(four, 0) as i32);
    Ok(Parsed::Message(ClientMessage::Encodings(Wanted::of(numbers)), 4 + count * 4))
}

impl Wanted {
    /// What stands first in the list is liked best.
    pub(crate) fn of(numbers: impl IntoIterator<Item = i32>) -> Self {
        let mut wanted = Self::default();
        let mut coding = None;
        for number in numbers {
            match number {
                number::RAW => coding = coding.or(Some(Coding::Raw)),
                number::TIGHT => coding = coding.or(Some(Coding::Tight)),
                number::ZRLE => coding = coding.or(Some(Coding::Zrle)),
                number::COPY_RECT => wanted.copy_rect = true,
                number::QUALITY_LOWEST..=number::QUALITY_HIGHEST => wanted.quality = Some((number - number::QUALITY_LOWEST) as u8),
                number::LAST_RECT => wanted.last_rect = true,
                number::CURSOR => wanted.cursor = true,
                number::DESKTOP_SIZE => wanted.size = wanted.size.max(Resizable::Follows),
                number::EXTENDED_DESKTOP_SIZE => wanted.size = Resizable::Asks,
                number::FENCE => wanted.fence = true,
                number::CONTINUOUS_UPDATES => wanted.continuous = true,
                number::EXTENDED_CLIPBOARD => wanted.clipboard = true,
                _ => {}
            }
        }
        wanted.picture = coding.unwrap_or_default();
        wanted
    }
}

fn cut_text(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(head) = bytes.first_chunk::<8>() else { return Ok(Parsed::Needs) };
    let said = u32_at(head, 4) as i32;
    let length = said.unsigned_abs() as usize;
    if length > limits::SCREEN_CLIPBOARD_BYTES {
        return Err(ClientError::TooLarge);
    }
    let Some(body) = bytes.get(8..8 + length) else { return Ok(Parsed::Needs) };
    let message = if said < 0 {
        ClientMessage::ExtendedCutText(read_notice(body).ok_or(ClientError::Clipboard)?)
    } else {
        // Latin-1 is what RFC 6143 has here.
        ClientMessage::CutText(body.iter().map(|byte| char::from(*byte)).collect())
    };
    Ok(Parsed::Message(message, 8 + length))
}

fn fence(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(head) = bytes.first_chunk::<9>() else { return Ok(Parsed::Needs) };
    let length = usize::from(head[8]);
    if length > 64 {
        return Err(ClientError::TooLarge);
    }
    let Some(payload) = bytes.get(9..9 + length) else { return Ok(Parsed::Needs) };
    Ok(Parsed::Message(ClientMessage::Fence { flags: u32_at(head, 4), payload: payload.to_vec() }, 9 + length))
}

fn resize(bytes: &[u8]) -> Result<Parsed, ClientError> {
    let Some(head) = bytes.first_chunk::<8>() else { return Ok(Parsed::Needs) };
    let length = 8 + usize::from(head[6]) * 16;
    if bytes.len() < length {
        return Ok(Parsed::Needs);
    }
    let (width, height) = (u16_at(head, 2), u16_at(head, 4));
    // How screens would be arranged inside is not looked at: only the size is offered.
    if width == 0 || height == 0 {
        Ok(Parsed::Nothing(length))
    } else {
        Ok(Parsed::Message(ClientMessage::Resize { width, height }, length))
    }
}

fn rect(bytes: &[u8]) -> Rect {
    Rect { x: u16_at(bytes, 0), y: u16_at(bytes, 2), width: u16_at(bytes, 4), height: u16_at(bytes, 6) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
