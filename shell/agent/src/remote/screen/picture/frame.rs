//! A picture in memory: what one client has on its screen.

use super::rect::Rect;

/// Pixels as the X server gives them: blue in the lowest byte; the highest byte means nothing.
pub(crate) const COLOUR: u32 = 0x00ff_ffff;

/// A picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    size: (u16, u16),
    pixels: Vec<u32>,
}

impl Frame {
    pub(crate) fn black(size: (u16, u16)) -> Self {
        Self { size, pixels: vec![0; Rect::of_size(size).area()] }
    }

    pub(crate) fn size(&self) -> (u16, u16) {
        self.size
    }

    pub(crate) fn whole(&self) -> Rect {
        Rect::of_size(self.size)
    }

    /// One row of a rectangle that lies inside.
    pub(crate) fn row(&self, rect: Rect, row: u16) -> &[u32] {
        let from = self.place(rect.x, rect.y + row);
        &self.pixels[from..from + usize::from(rect.width)]
    }

    pub(crate) fn row_mut(&mut self, rect: Rect, row: u16) -> &mut [u32] {
        let from = self.place(rect.x, rect.y + row);
        &mut self.pixels[from..from + usize::from(rect.width)]
    }

    /// Colours of a rectangle that lies inside, row by row.
    pub(crate) fn copy_out(&self, rect: Rect, into: &mut Vec<u32>) {
        into.clear();
        into.reserve(rect.area());
        for row in 0..rect.height {
            into.extend(self.row(rect, row).iter().map(|pixel| pixel & COLOUR));
        }
    }

    /// Moves rows within a rectangle, as a client does it for CopyRect: what stands `from` goes to `to`.
    pub(crate) fn move_rows(&mut self, to: Rect, from_y: u16) {
        let width = usize::from(to.width);
        let mut copy = |row: u16| {
            let (source, target) = (self.place(to.x, from_y + row), self.place(to.x, to.y + row));
            self.pixels.copy_within(source..source + width, target);
        };
        if from_y > to.y { (0..to.height).for_each(&mut copy) } else { (0..to.height).rev().for_each(&mut copy) }
    }

    fn place(&self, x: u16, y: u16) -> usize {
        usize::from(y) * usize::from(self.size.0) + usize::from(x)
    }
}

/// A rectangle of new pixels, as it was just captured.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    pub(crate) rect: Rect,
    pub(crate) pixels: Vec<u32>,
}

impl Fresh {
    /// Row `row` of the rectangle.
    pub(crate) fn row(&self, row: u16) -> &[u32] {
        let width = usize::from(self.rect.width);
        &self.pixels[usize::from(row) * width..(usize::from(row) + 1) * width]
    }
}
