//! The pointer's shape, which clients draw themselves so that it never lags.

use x11rb::protocol::xfixes;

use super::{Link, ScreenError};

/// A pointer's picture and the point of it that points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) size: (u16, u16),
    pub(crate) hot: (u16, u16),
    /// Colours, row by row.
    pub(crate) pixels: Vec<u32>,
    /// One bit each, rows padded to bytes: what of it is to be seen.
    pub(crate) mask: Vec<u8>,
}

impl Cursor {
    /// The shape that is shown now.
    pub(crate) fn now(link: &Link) -> Result<Self, ScreenError> {
        let image = xfixes::get_cursor_image(&link.connection)?.reply()?;
        let hot = (image.xhot.min(image.width.saturating_sub(1)), image.yhot.min(image.height.saturating_sub(1)));
        Ok(Self::of((image.width, image.height), hot, &image.cursor_image))
    }

    fn of(size: (u16, u16), hot: (u16, u16), argb: &[u32]) -> Self {
        let row = |row: &[u32]| -> Vec<u8> {
            row.chunks(8).map(|eight| eight.iter().enumerate().fold(0, |byte, (at, pixel)| byte | (shown(*pixel) << (7 - at)))).collect()
        };
        let mask = argb.chunks(usize::from(size.0).max(1)).flat_map(row).collect();
        Self { size, hot, pixels: argb.iter().map(|pixel| plain(*pixel)).collect(), mask }
    }
}

/// Half seen is seen: the protocol has nothing between.
fn shown(argb: u32) -> u8 {
    u8::from(argb >> 24 >= 0x80)
}

/// The colour before it was multiplied by how much of it is seen.
fn plain(argb: u32) -> u32 {
    let alpha = argb >> 24;
    if alpha == 0 {
        return 0;
    }
    let part = |shift: u32| ((((argb >> shift) & 0xff) * 255 / alpha).min(255)) << shift;
    part(16) | part(8) | part(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_a_bit_and_colours_are_whole() {
        let cursor = Cursor::of((3, 2), (0, 0), &[0xff11_2233, 0, 0x8040_0000, 0, 0xffff_ffff, 0x1000_0000]);
        assert_eq!(cursor.mask, [0b1010_0000, 0b0100_0000]);
        assert_eq!(cursor.pixels[..3], [0x0011_2233, 0, 0x007f_0000]);
    }
}
