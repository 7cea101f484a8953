//! How a client wants its pixels, and turning ours into that.

/// A true-colour pixel format that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelFormat {
    bits_per_pixel: u8,
    depth: u8,
    big_endian: u8,
    /// Largest value of red, green and blue.
    max: [u16; 3],
    shift: [u8; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client wants pixels that this server cannot make")]
pub(crate) struct UnsupportedFormat;

impl PixelFormat {
    /// Our own: eight bits of each colour in four bytes, blue first.
    pub(crate) const OURS: Self = Self { bits_per_pixel: 32, depth: 24, big_endian: 0, max: [255; 3], shift: [16, 8, 0] };

    /// Reads the sixteen bytes of RFC 6143, section 7.4. Colour maps are refused: no client of this decade needs one.
    pub(crate) fn parse(bytes: &[u8; 16]) -> Result<Self, UnsupportedFormat> {
        let max = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let format = Self {
            bits_per_pixel: bytes[0],
            depth: bytes[1],
            big_endian: u8::from(bytes[2] != 0),
            max: [max(4), max(6), max(8)],
            shift: [bytes[10], bytes[11], bytes[12]],
        };
        if bytes[3] != 0 && format.is_sound() { Ok(format) } else { Err(UnsupportedFormat) }
    }

    fn is_sound(&self) -> bool {
        let colours_fit = self.max.iter().zip(self.shift).all(|(max, shift)| {
            let bits = 16 - max.leading_zeros();
            *max > 0 && (u32::from(*max) + 1).is_power_of_two() && u32::from(shift) + bits <= u32::from(self.bits_per_pixel)
        });
        matches!(self.bits_per_pixel, 8 | 16 | 32) && colours_fit
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[self.bits_per_pixel, self.depth, self.big_endian, 1]);
        for (index, max) in self.max.iter().enumerate() {
            bytes[4 + index * 2..6 + index * 2].copy_from_slice(&max.to_be_bytes());
        }
        bytes[10..13].copy_from_slice(&self.shift);
        bytes
    }

    /// Appends pixels as they are in Raw rectangles.
    pub(crate) fn write(&self, pixels: &[u32], out: &mut Vec<u8>) {
        if *self == Self::OURS {
            out.extend(pixels.iter().flat_map(|pixel| pixel.to_le_bytes()));
            return;
        }
        pixels.iter().for_each(|pixel| self.write_one(*pixel, out));
    }

    /// Appends pixels as they are in Tight rectangles: red, green, blue where the format has eight bits of each.
    pub(crate) fn write_tight(&self, pixels: &[u32], out: &mut Vec<u8>) {
        if !self.is_full_colour() {
            return self.write(pixels, out);
        }
        out.reserve(pixels.len() * 3);
        out.extend(pixels.iter().flat_map(|pixel| [(pixel >> 16) as u8, (pixel >> 8) as u8, *pixel as u8]));
    }

    /// Appends pixels as they are in ZRLE tiles: without the fourth byte where it says nothing.
    pub(crate) fn write_compact(&self, pixels: &[u32], out: &mut Vec<u8>) {
        let Some(unused) = self.unused_byte() else { return self.write(pixels, out) };
        out.reserve(pixels.len() * 3);
        for pixel in pixels {
            let bytes = self.bytes_of(*pixel);
            out.extend(bytes.iter().enumerate().filter(|(at, _)| *at != unused).map(|(_, byte)| *byte));
        }
    }

    /// Whether JPEG rectangles may be sent: it takes the same formats as the short pixels of Tight, and 16 bits.
    pub(crate) fn can_show_jpeg(&self) -> bool {
        self.bits_per_pixel >= 16
    }

    fn is_full_colour(&self) -> bool {
        self.bits_per_pixel == 32 && self.depth == 24 && self.max == [255; 3]
    }

    fn unused_byte(&self) -> Option<usize> {
        let used = (0..3).fold(0u32, |used, index| used | (u32::from(self.max[index]) << self.shift[index]));
        if self.bits_per_pixel != 32 || self.depth > 24 {
            return None;
        }
        // Where both ends are free, RFC 6143 (section 7.7.5) means the low three bytes.
        match (used & 0xff00_0000, used & 0xff) {
            (0, _) => Some(if self.big_endian == 0 { 3 } else { 0 }),
            (_, 0) => Some(if self.big_endian == 0 { 0 } else { 3 }),
            _ => None,
        }
    }

    fn write_one(&self, pixel: u32, out: &mut Vec<u8>) {
        let bytes = self.bytes_of(pixel);
        match (self.bits_per_pixel, self.big_endian) {
            (8, 0) => out.push(bytes[0]),
            (8, _) => out.push(bytes[3]),
            (16, 0) => out.extend(&bytes[..2]),
            (16, _) => out.extend(&bytes[2..]),
            _ => out.extend(bytes),
        }
    }

    fn bytes_of(&self, pixel: u32) -> [u8; 4] {
        let value = (0..3).fold(0u32, |value, index| {
            let eight_bits = (pixel >> (16 - 8 * index)) & 0xff;
            let scaled = (eight_bits * u32::from(self.max[index]) + 127) / 255;
            value | (scaled << self.shift[index])
        });
        if self.big_endian == 0 { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: [u8; 16]) -> PixelFormat {
        PixelFormat::parse(&bytes).expect("a sound format")
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        assert_eq!(PixelFormat::parse(&PixelFormat::OURS.to_bytes()), Ok(PixelFormat::OURS));
    }

    #[test]
    fn pixels_have_the_bytes_that_the_client_wants() {
        let rgb565 = parsed([16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0]);
        let mut out = Vec::new();
        rgb565.write(&[0x00ff_0000, 0x0000_00ff, 0x00ff_ffff], &mut out);
        assert_eq!(out, [0x00, 0xf8, 0x1f, 0x00, 0xff, 0xff]);
        let big = parsed([32, 24, 1, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        let (mut raw, mut compact, mut tight) = (Vec::new(), Vec::new(), Vec::new());
        big.write(&[0x0011_2233], &mut raw);
        big.write_compact(&[0x0011_2233], &mut compact);
        big.write_tight(&[0x0011_2233], &mut tight);
        assert_eq!((raw, compact, tight), (vec![0, 0x11, 0x22, 0x33], vec![0x11, 0x22, 0x33], vec![0x11, 0x22, 0x33]));
        let bgr233 = parsed([8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0]);
        let mut out = Vec::new();
        bgr233.write(&[0x00ff_ffff, 0x00ff_0000], &mut out);
        assert_eq!(out, [0xff, 0x07]);
    }

    #[test]
    fn formats_that_would_shift_bits_out_are_refused() {
        for (at, value) in [(0, 24), (0, 0), (3, 0), (5, 254), (10, 25), (10, 255)] {
            let mut bytes = PixelFormat::OURS.to_bytes();
            bytes[at] = value;
            assert_eq!(PixelFormat::parse(&bytes), Err(UnsupportedFormat), "byte {at} = {value}");
        }
    }
}
