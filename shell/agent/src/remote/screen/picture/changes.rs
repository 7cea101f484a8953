//! What is different between a fresh capture and what a client has.
//!
//! Compared exactly, tile by tile: nothing is sent that the client has already, and there is no hash that could be wrong.

use super::frame::{COLOUR, Frame, Fresh};
use super::rect::{Rect, merge};

/// Side of a tile, in pixels.
pub(crate) const TILE: u16 = 64;
/// More colours than this within one tile are a photograph or a film; text has fewer, smoothed edges included.
const TEXT_COLOURS: usize = 96;
/// So many unchanged pixels may be sent along where that saves a rectangle.
const SLACK: usize = 1024;

/// What a rectangle looks like, which says how it is best packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Text,
    Photo,
}

/// Changed rectangles by their look.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) text: Vec<Rect>,
    pub(crate) photo: Vec<Rect>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.photo.is_empty()
    }

    pub(crate) fn merge(&mut self) {
        merge(&mut self.text, SLACK);
        merge(&mut self.photo, 0);
    }

    /// Adds what a rectangle of the frame looks like, tile by tile, changed or not.
    pub(crate) fn add_all(&mut self, frame: &Frame, rect: Rect) {
        rect.pieces(TILE, TILE).for_each(|tile| self.add(frame, tile));
    }

    fn add(&mut self, frame: &Frame, rect: Rect) {
        match look(frame, rect) {
            Look::Text => self.text.push(rect),
            Look::Photo => self.photo.push(rect),
        }
    }
}

/// Puts the fresh pixels into the frame, and adds what is different now.
pub(crate) fn take_over(frame: &mut Frame, fresh: &Fresh, changes: &mut Changes) {
    for tile in fresh.rect.pieces(TILE, TILE) {
        let changed = take_tile(frame, fresh, tile);
        if !changed.is_empty() {
            changes.add(frame, changed);
        }
    }
}

/// The smallest rectangle around all differences within one tile.
fn take_tile(frame: &mut Frame, fresh: &Fresh, tile: Rect) -> Rect {
    let mut changed = Rect::default();
    let left = usize::from(tile.x - fresh.rect.x);
    for row in 0..tile.height {
        let new = &fresh.row(tile.y - fresh.rect.y + row)[left..left + usize::from(tile.width)];
        let old = frame.row_mut(tile, row);
        if old == new {
            continue;
        }
        if let Some((first, last)) = differing(old, new) {
            let y = u32::from(tile.y + row);
            let from = u32::from(tile.x) + first as u32;
            changed = changed.around(Rect::between((from, y), (u32::from(tile.x) + last as u32 + 1, y + 1)));
        }
        old.copy_from_slice(new);
    }
    changed
}

fn differing(old: &[u32], new: &[u32]) -> Option<(usize, usize)> {
    let differ = |(old, new): (&u32, &u32)| (old ^ new) & COLOUR != 0;
    let first = old.iter().zip(new).position(differ)?;
    let last = old.iter().zip(new).rposition(differ)?;
    Some((first, last))
}

fn look(frame: &Frame, rect: Rect) -> Look {
    let mut colours = ColourCount::default();
    for row in 0..rect.height {
        let mut last = None;
        for pixel in frame.row(rect, row) {
            if last != Some(pixel) && colours.add(pixel & COLOUR) > TEXT_COLOURS {
                return Look::Photo;
            }
            last = Some(pixel);
        }
    }
    Look::Text
}

/// Counts distinct colours up to a few hundred, in a table on the stack.
struct ColourCount {
    places: [u32; 512],
    count: usize,
}

impl Default for ColourCount {
    fn default() -> Self {
        Self { places: [u32::MAX; 512], count: 0 }
    }
}

impl ColourCount {
    fn add(&mut self, colour: u32) -> usize {
        let mut at = (colour.wrapping_mul(0x9E37_79B1) >> 23) as usize;
        // The table is never more than half full: counting stops long before.
        while self.places[at] != colour {
            if self.places[at] == u32::MAX {
                self.places[at] = colour;
                self.count += 1;
                break;
            }
            at = (at + 1) % self.places.len();
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh(rect: Rect, pixel: impl Fn(u16, u16) -> u32) -> Fresh {
        let pixels = (0..rect.height).flat_map(|y| (0..rect.width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect();
        Fresh { rect, pixels }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut frame = Frame::black((300, 200));
        let mut changes = Changes::default();
        let all = frame.whole();
        take_over(&mut frame, &fresh(all, |x, y| if (x, y) == (70, 70) { 0xff } else { 0xff00_0000 }), &mut changes);
        assert_eq!(changes.text, [Rect { x: 70, y: 70, width: 1, height: 1 }]);
        assert!(changes.photo.is_empty());
    }

    #[test]
    fn many_colours_are_a_photograph() {
        let mut frame = Frame::black((64, 64));
        let mut changes = Changes::default();
        let all = frame.whole();
        take_over(&mut frame, &fresh(all, |x, y| u32::from(x) * 4 + u32::from(y) * 0x400 + 1), &mut changes);
        assert_eq!((changes.text.len(), changes.photo.len()), (0, 1));
    }

    proptest! {
        /// Whoever gets just the changed rectangles has the same picture.
        #[test]
        fn changes_are_enough(points in prop::collection::vec((0u16..200, 0u16..150, any::<u32>()), 0..30)) {
            let mut client = Frame::black((200, 150));
            let mut frame = client.clone();
            let mut wanted = Frame::black((200, 150));
            let whole = wanted.whole();
            for (x, y, pixel) in points {
                wanted.row_mut(whole, y)[usize::from(x)] = pixel & COLOUR;
            }
            let mut changes = Changes::default();
            let mut pixels = Vec::new();
            wanted.copy_out(whole, &mut pixels);
            take_over(&mut frame, &Fresh { rect: whole, pixels }, &mut changes);
            changes.merge();
            for rect in changes.text.iter().chain(&changes.photo) {
                for row in 0..rect.height {
                    client.row_mut(*rect, row).copy_from_slice(frame.row(*rect, row));
                }
            }
            prop_assert_eq!(&client, &wanted);
            prop_assert_eq!(&frame, &wanted);
        }
    }
}
