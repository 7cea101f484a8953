//! ZRLE (RFC 6143, section 7.7.6): tiles of 64 by 64 pixels, each in the form that suits it, in one zlib stream.

use super::Scratch;
use super::zlib::Zlib;
use crate::remote::screen::rfb::format::PixelFormat;

const TILE: usize = 64;
const PLAIN_RLE: u8 = 128;
/// Most colours that are packed in four bits or less.
const PACKED_COLOURS: usize = 16;

/// Appends the body of one rectangle, whose pixels are in the scratch.
pub(crate) fn encode(size: (u16, u16), format: &PixelFormat, stream: &mut Zlib, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let (width, height) = (usize::from(size.0), usize::from(size.1));
    let pixels = std::mem::take(&mut scratch.pixels);
    let mut plain = std::mem::take(&mut scratch.plain);
    plain.clear();
    let mut tile = Vec::with_capacity(TILE * TILE);
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let right = (left + TILE).min(width);
            tile.clear();
            (top..(top + TILE).min(height)).for_each(|row| tile.extend_from_slice(&pixels[row * width + left..row * width + right]));
            write_tile(&tile, right - left, format, scratch, &mut plain);
        }
    }
    let mut packed = Vec::with_capacity(plain.len() / 4);
    stream.pack(&plain, &mut packed);
    out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    out.extend_from_slice(&packed);
    (scratch.pixels, scratch.plain) = (pixels, plain);
}

fn write_tile(tile: &[u32], width: usize, format: &PixelFormat, scratch: &mut Scratch, out: &mut Vec<u8>) {
    match scratch.palette.index(tile, PACKED_COLOURS, &mut scratch.indices) {
        Some(colours) => {
            out.push(colours.len() as u8);
            format.write_compact(colours, out);
            if colours.len() > 1 {
                write_indices(&scratch.indices, width, colours.len(), out);
            }
        }
        // A run takes at least one pixel and a byte, so half as many runs as pixels are shorter.
        None if tile.chunk_by(|a, b| a == b).count() * 2 < tile.len() => {
            out.push(PLAIN_RLE);
            write_runs(tile, format, out);
        }
        None => {
            out.push(0);
            format.write_compact(tile, out);
        }
    }
}

fn write_indices(indices: &[u8], width: usize, colours: usize, out: &mut Vec<u8>) {
    let bits = match colours {
        0..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    let per_byte = 8 / bits;
    for row in indices.chunks(width) {
        let byte = |some: &[u8]| some.iter().enumerate().fold(0, |byte, (at, index)| byte | (index << (8 - bits * (at + 1))));
        out.extend(row.chunks(per_byte).map(byte));
    }
}

fn write_runs(tile: &[u32], format: &PixelFormat, out: &mut Vec<u8>) {
    for run in tile.chunk_by(|a, b| a == b) {
        format.write_compact(&run[..1], out);
        let mut rest = run.len() - 1;
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(rest as u8);
    }
}
