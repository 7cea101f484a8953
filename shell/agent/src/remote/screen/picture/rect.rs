//! Rectangles of pixels. Those that clients send may reach outside of every picture.

/// A rectangle; empty where a side is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rect {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Rect {
    pub(crate) fn of_size(size: (u16, u16)) -> Self {
        Self { x: 0, y: 0, width: size.0, height: size.1 }
    }

    /// From corners, the second one outside; empty where they are the wrong way round.
    pub(crate) fn between(from: (u32, u32), to: (u32, u32)) -> Self {
        let side = |from: u32, to: u32| to.saturating_sub(from).min(u32::from(u16::MAX)) as u16;
        let place = |from: u32| from.min(u32::from(u16::MAX)) as u16;
        Self { x: place(from.0), y: place(from.1), width: side(from.0, to.0), height: side(from.1, to.1) }
    }

    pub(crate) fn right(self) -> u32 {
        u32::from(self.x) + u32::from(self.width)
    }

    pub(crate) fn bottom(self) -> u32 {
        u32::from(self.y) + u32::from(self.height)
    }

    pub(crate) fn area(self) -> usize {
        usize::from(self.width) * usize::from(self.height)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.area() == 0
    }

    /// What both cover.
    pub(crate) fn intersect(self, other: Self) -> Self {
        let from = (u32::from(self.x.max(other.x)), u32::from(self.y.max(other.y)));
        Self::between(from, (self.right().min(other.right()), self.bottom().min(other.bottom())))
    }

    /// The smallest rectangle around both.
    pub(crate) fn around(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let from = (u32::from(self.x.min(other.x)), u32::from(self.y.min(other.y)));
        Self::between(from, (self.right().max(other.right()), self.bottom().max(other.bottom())))
    }

    /// Pieces of at most this size that cover it without overlap, row by row.
    pub(crate) fn pieces(self, width: u16, height: u16) -> impl Iterator<Item = Self> {
        let whole = self;
        let tops = (u32::from(whole.y)..whole.bottom()).step_by(usize::from(height.max(1)));
        tops.flat_map(move |top| {
            let lefts = (u32::from(whole.x)..whole.right()).step_by(usize::from(width.max(1)));
            lefts.map(move |left| {
                Self::between((left, top), (left + u32::from(width.max(1)), top + u32::from(height.max(1)))).intersect(whole)
            })
        })
    }
}

/// Makes fewer rectangles of many, where that costs few pixels more.
pub(crate) fn merge(rects: &mut Vec<Rect>, slack: usize) {
    let mut merged: Vec<Rect> = Vec::with_capacity(rects.len());
    for rect in rects.drain(..).filter(|rect| !rect.is_empty()) {
        let near = merged.iter_mut().rev().take(NEIGHBOURS).find(|other| other.around(rect).area() <= other.area() + rect.area() + slack);
        match near {
            Some(other) => *other = other.around(rect),
            None => merged.push(rect),
        }
    }
    *rects = merged;
}

/// How far back a neighbour is looked for, so that thousands of rectangles stay cheap.
const NEIGHBOURS: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_rect() -> impl Strategy<Value = Rect> {
        (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
    }

    proptest! {
        #[test]
        fn what_both_cover_lies_in_both(a in any_rect(), b in any_rect()) {
            let both = a.intersect(b);
            prop_assert!(both.is_empty() || (both.intersect(a) == both && both.intersect(b) == both));
        }

        #[test]
        fn pieces_cover_everything_once(x in 0u16..500, y in 0u16..500, width in 0u16..300, height in 0u16..300, side in 1u16..90) {
            let whole = Rect { x, y, width, height };
            let pieces: Vec<Rect> = whole.pieces(side, side).collect();
            prop_assert_eq!(pieces.iter().map(|piece| piece.area()).sum::<usize>(), whole.area());
            prop_assert!(pieces.iter().all(|piece| piece.intersect(whole) == *piece && piece.width <= side && piece.height <= side));
        }
    }

    #[test]
    fn neighbours_become_one_and_far_ones_stay_apart() {
        let tile = |x, y| Rect { x, y, width: 64, height: 64 };
        let mut rects = vec![tile(0, 0), tile(64, 0), tile(640, 640)];
        merge(&mut rects, 0);
        assert_eq!(rects, [Rect { x: 0, y: 0, width: 128, height: 64 }, tile(640, 640)]);
    }
}
