//! What this server says, as bytes.

use super::client::Version;
use super::format::PixelFormat;
use super::{VERSION, number};
use crate::remote::screen::picture::rect::Rect;

/// Why a new size is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizeNews {
    /// It changed by itself.
    Changed,
    /// This client asked for it.
    Done,
    Refused,
}

/// The mark of fences that this server sends to measure the way there and back.
pub(crate) const FENCE_REQUEST: u32 = 1 << 31;
/// What a fence may ask of us that we can do: everything before it is finished first.
pub(crate) const FENCE_KNOWN: u32 = 0b11;

pub(crate) fn greeting(out: &mut Vec<u8>) {
    out.extend_from_slice(VERSION);
}

/// One security type: none. The stream that carries this is encrypted and belongs to one grant.
pub(crate) fn security_types(version: Version, out: &mut Vec<u8>) {
    match version {
        Version::V3 => out.extend_from_slice(&1u32.to_be_bytes()),
        Version::V7 | Version::V8 => out.extend_from_slice(&[1, 1]),
    }
}

pub(crate) fn security_ok(version: Version, out: &mut Vec<u8>) {
    if version == Version::V8 {
        out.extend_from_slice(&0u32.to_be_bytes());
    }
}

pub(crate) fn init(size: (u16, u16), name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&size.0.to_be_bytes());
    out.extend_from_slice(&size.1.to_be_bytes());
    out.extend_from_slice(&PixelFormat::OURS.to_bytes());
    out.extend_from_slice(&(name.len() as u32).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Begins an update of `count` rectangles; more of them than fit mean that a last one will say so.
pub(crate) fn update(count: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&count.to_be_bytes());
}

pub(crate) fn rect_head(rect: Rect, encoding: i32, out: &mut Vec<u8>) {
    for value in [rect.x, rect.y, rect.width, rect.height] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    out.extend_from_slice(&encoding.to_be_bytes());
}

pub(crate) fn copy_rect(to: Rect, from: (u16, u16), out: &mut Vec<u8>) {
    rect_head(to, number::COPY_RECT, out);
    out.extend_from_slice(&from.0.to_be_bytes());
    out.extend_from_slice(&from.1.to_be_bytes());
}

pub(crate) fn last_rect(out: &mut Vec<u8>) {
    rect_head(Rect::default(), number::LAST_RECT, out);
}

pub(crate) fn desktop_size(size: (u16, u16), out: &mut Vec<u8>) {
    rect_head(Rect { x: 0, y: 0, width: size.0, height: size.1 }, number::DESKTOP_SIZE, out);
}

/// The newer form says why, and describes one screen that covers everything.
pub(crate) fn extended_desktop_size(size: (u16, u16), news: SizeNews, out: &mut Vec<u8>) {
    let (reason, result) = match news {
        SizeNews::Changed => (0, 0),
        SizeNews::Done => (1, 0),
        SizeNews::Refused => (1, 1),
    };
    rect_head(Rect { x: reason, y: result, width: size.0, height: size.1 }, number::EXTENDED_DESKTOP_SIZE, out);
    out.extend_from_slice(&[1, 0, 0, 0]);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&size.0.to_be_bytes());
    out.extend_from_slice(&size.1.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
}

pub(crate) fn cut_text(text: &str, out: &mut Vec<u8>) {
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    out.extend_from_slice(&[3, 0, 0, 0]);
    out.extend_from_slice(&(latin.len() as u32).to_be_bytes());
    out.extend_from_slice(&latin);
}

/// A body of the extended clipboard; the negative length tells it from plain text.
pub(crate) fn extended_cut_text(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[3, 0, 0, 0]);
    out.extend_from_slice(&(-(body.len() as i32)).to_be_bytes());
    out.extend_from_slice(body);
}

pub(crate) fn fence(flags: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[248, 0, 0, 0]);
    out.extend_from_slice(&flags.to_be_bytes());
    out.push(payload.len() as u8);
    out.extend_from_slice(payload);
}

/// Says that continuous updates ended, and, the first time, that they exist.
pub(crate) fn end_of_continuous_updates(out: &mut Vec<u8>) {
    out.push(150);
}
