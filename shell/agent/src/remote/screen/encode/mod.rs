//! Packs changed rectangles for one client: photographs as JPEG where it takes that, everything else without loss.

mod palette;
mod tight;
mod zlib;
mod zrle;

use super::picture::changes::Look;
use super::picture::frame::Frame;
use super::picture::rect::Rect;
use super::rfb::client::{Coding, Wanted};
use super::rfb::format::PixelFormat;
use super::rfb::{number, server};
use palette::Palette;
use tight::Tight;
use zlib::Zlib;

/// What one client reads, and the compression streams that it has with us.
pub(crate) struct Encoder {
    pub(crate) format: PixelFormat,
    pub(crate) wanted: Wanted,
    tight: Tight,
    zrle: Zlib,
    scratch: Scratch,
}

/// Buffers that are used again for every rectangle.
#[derive(Default)]
struct Scratch {
    pixels: Vec<u32>,
    indices: Vec<u8>,
    plain: Vec<u8>,
    palette: Palette,
}

/// How photographs are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fidelity {
    Exact,
    /// 0 to 9, as clients ask for it.
    Quality(u8),
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            format: PixelFormat::OURS,
            wanted: Wanted::default(),
            tight: Tight::default(),
            zrle: Zlib::default(),
            scratch: Scratch::default(),
        }
    }
}

impl Encoder {
    /// Whether rectangles of this look lose something.
    pub(crate) fn loses(&self, look: Look, fidelity: Fidelity) -> bool {
        let jpeg = self.wanted.picture == Coding::Tight && self.wanted.quality.is_some() && self.format.can_show_jpeg();
        jpeg && look == Look::Photo && fidelity != Fidelity::Exact
    }

    /// Appends a rectangle of the frame; returns how many it became.
    pub(crate) fn encode(&mut self, frame: &Frame, rect: Rect, look: Look, fidelity: Fidelity, out: &mut Vec<u8>) -> u16 {
        let fidelity = if self.loses(look, fidelity) { fidelity } else { Fidelity::Exact };
        let (width, height) = largest_piece(self.wanted.picture, rect);
        let mut count = 0;
        for piece in rect.pieces(width, height) {
            frame.copy_out(piece, &mut self.scratch.pixels);
            self.encode_piece(piece, fidelity, out);
            count += 1;
        }
        count
    }

    fn encode_piece(&mut self, piece: Rect, fidelity: Fidelity, out: &mut Vec<u8>) {
        match self.wanted.picture {
            Coding::Raw => {
                server::rect_head(piece, number::RAW, out);
                self.format.write(&self.scratch.pixels, out);
            }
            Coding::Tight => {
                server::rect_head(piece, number::TIGHT, out);
                self.tight.encode((piece.width, piece.height), &self.format, fidelity, &mut self.scratch, out);
            }
            Coding::Zrle => {
                server::rect_head(piece, number::ZRLE, out);
                zrle::encode((piece.width, piece.height), &self.format, &mut self.zrle, &mut self.scratch, out);
            }
        }
    }

    /// Appends pixels that are in no frame, a pointer's, as Raw has them.
    pub(crate) fn write_raw(&self, pixels: &[u32], out: &mut Vec<u8>) {
        self.format.write(pixels, out);
    }
}

/// Tight counts lengths in 22 bits and widths up to 2048; the others just stay small enough to be sent piece by piece.
fn largest_piece(coding: Coding, rect: Rect) -> (u16, u16) {
    const PIXELS: u32 = 65_536;
    let width = if coding == Coding::Zrle { rect.width } else { rect.width.min(2048) };
    let height = (PIXELS / u32::from(width.max(1))).clamp(1, u32::from(u16::MAX)) as u16;
    // Tiles of ZRLE begin anew in each piece, so whole ones are best.
    if coding == Coding::Zrle { (width, (height / 64).max(1) * 64) } else { (width, height) }
}

#[cfg(test)]
mod tests;
