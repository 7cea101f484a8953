//! Reads what this server writes, straight from the specifications: it shares nothing with the writers.

use flate2::{Decompress, FlushDecompress};

/// What a client has on its screen.
pub(crate) struct ClientPicture {
    pub(crate) size: (u16, u16),
    pub(crate) pixels: Vec<u32>,
    pub(crate) cursor: Option<(u16, u16)>,
    pub(crate) copied: usize,
    pub(crate) sizes: Vec<(u16, u16, u16, u16)>,
    tight: [Decompress; 4],
    zrle: Decompress,
}

impl ClientPicture {
    pub(crate) fn black(size: (u16, u16)) -> Self {
        let stream = || Decompress::new(true);
        Self {
            size,
            pixels: vec![0; usize::from(size.0) * usize::from(size.1)],
            cursor: None,
            copied: 0,
            sizes: Vec::new(),
            tight: [stream(), stream(), stream(), stream()],
            zrle: stream(),
        }
    }

    fn set(&mut self, x: usize, y: usize, pixel: u32) {
        let width = usize::from(self.size.0);
        assert!(x < width && y < usize::from(self.size.1), "inside of the picture");
        self.pixels[y * width + x] = pixel;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at + count)?;
        self.at += count;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Red, green, blue.
    fn tight_pixel(&mut self) -> Option<u32> {
        self.take(3).map(|bytes| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]))
    }

    /// The three low bytes, lowest first.
    fn compact_pixel(&mut self) -> Option<u32> {
        self.take(3).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
    }

    fn compact_length(&mut self) -> Option<usize> {
        let mut length = 0;
        for (at, shift) in [0, 7, 14].into_iter().enumerate() {
            let byte = usize::from(self.u8()?);
            length |= if at == 2 { byte << shift } else { (byte & 0x7f) << shift };
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(length)
    }
}

fn unpack(stream: &mut Decompress, packed: &[u8], length: usize) -> Vec<u8> {
    let mut plain = Vec::with_capacity(length + 64);
    stream.decompress_vec(packed, &mut plain, FlushDecompress::Sync).expect("a sound stream");
    plain
}

/// Draws whole rectangles; returns how many bytes they took. Panics on what is no rectangle.
pub(crate) fn decode_rects(picture: &mut ClientPicture, count: usize, bytes: &[u8]) -> usize {
    decode_some(picture, count, bytes).expect("whole rectangles")
}

/// One framebuffer update's rectangles, or nothing where they are not complete. Compressed streams advance only for complete
/// rectangles, so callers give the same bytes again with more behind them only after checking [`measure`].
pub(crate) fn decode_some(picture: &mut ClientPicture, count: usize, bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes, at: 0 };
    for _ in 0..count {
        if decode_rect(Some(picture), &mut reader)?.is_none() {
            break;
        }
    }
    Some(reader.at)
}

/// How many bytes so many rectangles take, where they are complete.
pub(crate) fn measure(count: usize, bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes, at: 0 };
    for _ in 0..count {
        if decode_rect(None, &mut reader)?.is_none() {
            break;
        }
    }
    Some(reader.at)
}

/// `Some(None)` is the last rectangle.
fn decode_rect(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>) -> Option<Option<()>> {
    let (x, y, width, height) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    let encoding = reader.u32()? as i32;
    let place = Place { x: x.into(), y: y.into(), width: width.into(), height: height.into() };
    match encoding {
        0 => raw(picture, reader, place)?,
        1 => copy(picture, reader, place)?,
        7 => tight(picture, reader, place)?,
        16 => zrle(picture, reader, place)?,
        -224 => return Some(None),
        -239 => {
            reader.take(place.area() * 4 + width.div_ceil(8) as usize * place.height)?;
            if let Some(picture) = picture {
                picture.cursor = Some((width, height));
            }
        }
        -223 | -308 => {
            if encoding == -308 {
                let screens = reader.take(4)?[0];
                reader.take(usize::from(screens) * 16)?;
            }
            if let Some(picture) = picture {
                picture.sizes.push((x, y, width, height));
                if picture.size != (width, height) {
                    picture.size = (width, height);
                    picture.pixels = vec![0; place.area()];
                }
            }
        }
        other => panic!("encoding {other} was not asked for"),
    }
    Some(Some(()))
}

#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Place {
    fn area(&self) -> usize {
        self.width * self.height
    }
}

fn draw(picture: Option<&mut ClientPicture>, place: Place, pixels: impl Iterator<Item = u32>) {
    let Some(picture) = picture else { return };
    let mut drawn = 0;
    for (at, pixel) in pixels.enumerate() {
        picture.set(place.x + at % place.width, place.y + at / place.width, pixel);
        drawn = at + 1;
    }
    assert_eq!(drawn, place.area(), "every pixel");
}

fn raw(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>, place: Place) -> Option<()> {
    let bytes = reader.take(place.area() * 4)?;
    draw(picture, place, bytes.chunks(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], 0])));
    Some(())
}

fn copy(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>, place: Place) -> Option<()> {
    let (from_x, from_y) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
    let Some(picture) = picture else { return Some(()) };
    let before = picture.pixels.clone();
    let stride = usize::from(picture.size.0);
    let moved = (0..place.area()).map(|at| before[(from_y + at / place.width) * stride + from_x + at % place.width]);
    picture.copied += 1;
    draw(Some(picture), place, moved.collect::<Vec<_>>().into_iter());
    Some(())
}

fn tight(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>, place: Place) -> Option<()> {
    let control = reader.u8()?;
    assert_eq!(control & 0x0f, 0, "no stream begins anew");
    match control >> 4 {
        8 => {
            let pixel = reader.tight_pixel()?;
            draw(picture, place, std::iter::repeat_n(pixel, place.area()));
        }
        9 => {
            let length = reader.compact_length()?;
            assert_eq!(reader.take(length)?[..2], [0xff, 0xd8]);
        }
        0..=7 => basic(picture, reader, place, control >> 4)?,
        other => panic!("compression {other} does not exist"),
    }
    Some(())
}

fn basic(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>, place: Place, control: u8) -> Option<()> {
    let filter = if control & 4 != 0 { reader.u8()? } else { 0 };
    let mut palette = Vec::new();
    if filter == 1 {
        for _ in 0..=reader.u8()? {
            palette.push(reader.tight_pixel()?);
        }
    }
    let length = match palette.len() {
        0 => place.area() * 3,
        2 => place.width.div_ceil(8) * place.height,
        _ => place.area(),
    };
    let packed = if length < 12 {
        reader.take(length)?.to_vec()
    } else {
        let packed = reader.compact_length()?;
        reader.take(packed)?.to_vec()
    };
    let Some(picture) = picture else { return Some(()) };
    let plain = if length < 12 { packed } else { unpack(&mut picture.tight[usize::from(control & 3)], &packed, length) };
    assert_eq!(plain.len(), length);
    let pixels: Vec<u32> = match palette.len() {
        0 => plain.chunks(3).map(|rgb| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]])).collect(),
        2 => bits(&plain, place, 1).map(|index| palette[index]).collect(),
        _ => plain.iter().map(|index| palette[usize::from(*index)]).collect(),
    };
    draw(Some(picture), place, pixels.into_iter());
    Some(())
}

fn bits(plain: &[u8], place: Place, bits: usize) -> impl Iterator<Item = usize> {
    let stride = (place.width * bits).div_ceil(8);
    (0..place.area()).map(move |at| {
        let (x, y) = (at % place.width, at / place.width);
        let byte = plain[y * stride + x * bits / 8];
        usize::from(byte >> (8 - bits - (x * bits) % 8)) & ((1 << bits) - 1)
    })
}

fn zrle(picture: Option<&mut ClientPicture>, reader: &mut Reader<'_>, place: Place) -> Option<()> {
    let length = reader.u32()? as usize;
    let packed = reader.take(length)?.to_vec();
    let Some(picture) = picture else { return Some(()) };
    let plain = unpack(&mut picture.zrle, &packed, place.area() * 5 + 4096);
    let mut tiles = Reader { bytes: &plain, at: 0 };
    for top in (0..place.height).step_by(64) {
        for left in (0..place.width).step_by(64) {
            let tile = Place { x: place.x + left, y: place.y + top, width: 64.min(place.width - left), height: 64.min(place.height - top) };
            let pixels = zrle_tile(&mut tiles, tile).expect("a whole tile");
            draw(Some(&mut *picture), tile, pixels.into_iter());
        }
    }
    assert_eq!(tiles.at, plain.len());
    Some(())
}

fn zrle_tile(reader: &mut Reader<'_>, tile: Place) -> Option<Vec<u32>> {
    match reader.u8()? {
        0 => (0..tile.area()).map(|_| reader.compact_pixel()).collect(),
        1 => Some(vec![reader.compact_pixel()?; tile.area()]),
        colours @ 2..=16 => {
            let palette: Vec<u32> = (0..colours).map(|_| reader.compact_pixel()).collect::<Option<_>>()?;
            let size = match colours {
                2 => 1,
                3..=4 => 2,
                _ => 4,
            };
            let plain = reader.take((tile.width * size).div_ceil(8) * tile.height)?.to_vec();
            Some(bits(&plain, tile, size).map(|index| palette[index]).collect())
        }
        128 => {
            let mut pixels = Vec::new();
            while pixels.len() < tile.area() {
                let pixel = reader.compact_pixel()?;
                let mut run = 1;
                loop {
                    let byte = reader.u8()?;
                    run += usize::from(byte);
                    if byte != 255 {
                        break;
                    }
                }
                pixels.extend(std::iter::repeat_n(pixel, run));
            }
            Some(pixels)
        }
        other => panic!("tile type {other} is not used"),
    }
}
