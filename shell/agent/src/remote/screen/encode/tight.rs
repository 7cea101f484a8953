//! Tight: one colour, few colours as indices, many as plain pixels, and JPEG.
//!
//! The layout is that of the RFB community wiki, "Tight Encoding", the one that TightVNC, TigerVNC and noVNC share.

use jpeg_encoder::{ColorType, SamplingFactor};

use super::palette::COLOURS;
use super::zlib::Zlib;
use super::{Fidelity, Scratch};
use crate::remote::screen::rfb::format::PixelFormat;

const FILL: u8 = 0x80;
const JPEG: u8 = 0x90;
const WITH_FILTER: u8 = 0x40;
const FILTER_PALETTE: u8 = 1;
/// Fewer bytes than this are sent as they are.
const PACK_FROM: usize = 12;
/// Smaller photographs are not worth the tables of a JPEG file.
const JPEG_FROM_PIXELS: usize = 400;

/// Streams of one client: plain pixels, two colours, several colours. The protocol has a fourth.
#[derive(Default)]
pub(crate) struct Tight {
    plain: Zlib,
    two: Zlib,
    several: Zlib,
}

impl Tight {
    /// Appends the body of one rectangle, whose pixels are in the scratch.
    pub(crate) fn encode(&mut self, size: (u16, u16), format: &PixelFormat, fidelity: Fidelity, scratch: &mut Scratch, out: &mut Vec<u8>) {
        if let Fidelity::Quality(quality) = fidelity
            && scratch.pixels.len() >= JPEG_FROM_PIXELS
            && jpeg(size, quality, scratch, out).is_some()
        {
            return;
        }
        let Scratch { pixels, indices, plain, palette } = scratch;
        plain.clear();
        match palette.index(pixels, COLOURS.min(pixels.len() / 4).max(2), indices) {
            Some([one]) => {
                out.push(FILL);
                format.write_tight(&[*one], out);
            }
            Some(colours) if colours.len() == 2 => {
                begin_palette(1, colours, format, out);
                write_bits(indices, usize::from(size.0), plain);
                pack(&mut self.two, plain, out);
            }
            Some(colours) => {
                begin_palette(2, colours, format, out);
                pack(&mut self.several, indices, out);
            }
            None => {
                out.push(0);
                format.write_tight(pixels, plain);
                pack(&mut self.plain, plain, out);
            }
        }
    }
}

fn begin_palette(stream: u8, colours: &[u32], format: &PixelFormat, out: &mut Vec<u8>) {
    out.extend_from_slice(&[WITH_FILTER | (stream << 4), FILTER_PALETTE, (colours.len() - 1) as u8]);
    format.write_tight(colours, out);
}

/// One bit each, rows padded to bytes, the leftmost pixel highest.
pub(super) fn write_bits(indices: &[u8], width: usize, out: &mut Vec<u8>) {
    for row in indices.chunks(width) {
        out.extend(row.chunks(8).map(|eight| eight.iter().enumerate().fold(0, |byte, (at, index)| byte | (index << (7 - at)))));
    }
}

fn pack(stream: &mut Zlib, plain: &[u8], out: &mut Vec<u8>) {
    if plain.len() < PACK_FROM {
        return out.extend_from_slice(plain);
    }
    let mut packed = Vec::new();
    stream.pack(plain, &mut packed);
    write_length(packed.len(), out);
    out.extend_from_slice(&packed);
}

/// Seven bits a byte, and eight in the third.
fn write_length(length: usize, out: &mut Vec<u8>) {
    let low = |shift: u32| ((length >> shift) & 0x7f) as u8;
    match length {
        0..=0x7f => out.push(low(0)),
        0x80..=0x3fff => out.extend_from_slice(&[low(0) | 0x80, low(7)]),
        _ => out.extend_from_slice(&[low(0) | 0x80, low(7) | 0x80, (length >> 14) as u8]),
    }
}

/// JPEG's quality for each of the protocol's, as TigerVNC has them.
const QUALITY: [u8; 10] = [15, 29, 41, 42, 62, 77, 79, 86, 92, 98];

fn jpeg(size: (u16, u16), quality: u8, scratch: &mut Scratch, out: &mut Vec<u8>) -> Option<()> {
    let Scratch { pixels, plain, .. } = scratch;
    plain.clear();
    plain.extend(pixels.iter().flat_map(|pixel| [(pixel >> 16) as u8, (pixel >> 8) as u8, *pixel as u8]));
    let mut packed = Vec::with_capacity(plain.len() / 8);
    let quality = usize::from(quality).min(QUALITY.len() - 1);
    let mut encoder = jpeg_encoder::Encoder::new(&mut packed, QUALITY[quality]);
    encoder.set_sampling_factor(if quality >= 8 { SamplingFactor::F_1_1 } else { SamplingFactor::F_2_2 });
    encoder.encode(plain, size.0, size.1, ColorType::Rgb).ok()?;
    // Longer than the length field can say: plain pixels then.
    (packed.len() < 1 << 22).then_some(())?;
    out.push(JPEG);
    write_length(packed.len(), out);
    out.extend_from_slice(&packed);
    Some(())
}
