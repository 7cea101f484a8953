//! Finds what only moved up or down, so that it is told in a few bytes instead of being sent again.
//!
//! Rows are compared by a hash, and a wrong guess harms nothing: the client's picture is moved just as the client itself moves
//! it, and the exact comparison comes after that.

use std::collections::HashMap;

use super::frame::{COLOUR, Frame, Fresh};
use super::rect::Rect;

/// Smaller areas are cheap to send.
const WIDTH_AT_LEAST: u16 = 96;
const HEIGHT_AT_LEAST: u16 = 48;
/// So many rows must have moved together.
const ROWS_AT_LEAST: usize = 24;

/// Rows of the client's picture that it is told to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) to: Rect,
    pub(crate) from_y: u16,
}

/// The largest block of rows that stands elsewhere in the fresh pixels than in the frame.
pub(crate) fn find(frame: &Frame, fresh: &Fresh) -> Option<Move> {
    let rect = fresh.rect;
    if rect.width < WIDTH_AT_LEAST || rect.height < HEIGHT_AT_LEAST {
        return None;
    }
    let old: Vec<u64> = (0..rect.height).map(|row| hash(frame.row(rect, row))).collect();
    let new: Vec<u64> = (0..rect.height).map(|row| hash(fresh.row(row))).collect();
    let shift = most_voted(&old, &new)?;
    let (first, rows) = longest_run(&old, &new, shift)?;
    let to = Rect { y: rect.y + first as u16, height: rows as u16, ..rect };
    Some(Move { to, from_y: (i64::from(to.y) + shift) as u16 })
}

/// Rows that occur once in both say how far they moved.
fn most_voted(old: &[u64], new: &[u64]) -> Option<i64> {
    let (old_places, new_places) = (places(old), places(new));
    let mut votes: HashMap<i64, usize> = HashMap::new();
    for (hash, place) in &new_places {
        if let (Some(to), Some(Some(from))) = (place, old_places.get(hash)) {
            *votes.entry(*from as i64 - *to as i64).or_default() += 1;
        }
    }
    let stayed = votes.remove(&0).unwrap_or(0);
    let (shift, count) = votes.into_iter().max_by_key(|(shift, count)| (*count, *shift))?;
    // Where most rows stayed, the few that differ are better sent.
    (count >= 4 && count > stayed).then_some(shift)
}

fn places(rows: &[u64]) -> HashMap<u64, Option<usize>> {
    let mut places = HashMap::with_capacity(rows.len());
    for (at, hash) in rows.iter().enumerate() {
        places.entry(*hash).and_modify(|place| *place = None).or_insert(Some(at));
    }
    places
}

fn longest_run(old: &[u64], new: &[u64], shift: i64) -> Option<(usize, usize)> {
    let mut best = (0, 0);
    let mut begun = 0;
    for row in 0..=new.len() {
        let source = usize::try_from(row as i64 + shift).ok();
        let same = row < new.len() && source.and_then(|source| old.get(source)) == new.get(row);
        if !same {
            if row - begun > best.1 {
                best = (begun, row - begun);
            }
            begun = row + 1;
        }
    }
    (best.1 >= ROWS_AT_LEAST).then_some(best)
}

/// Four lanes, so that a row costs little more than reading it.
fn hash(row: &[u32]) -> u64 {
    const PRIMES: [u64; 4] = [0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5];
    let mut lanes = PRIMES;
    let chunks = row.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, (pixel, prime)) in lanes.iter_mut().zip(chunk.iter().zip(PRIMES)) {
            *lane = (*lane ^ u64::from(pixel & COLOUR)).wrapping_mul(prime).rotate_left(23);
        }
    }
    let tail = rest.iter().fold(0, |tail: u64, pixel| (tail ^ u64::from(pixel & COLOUR)).wrapping_mul(PRIMES[0]).rotate_left(23));
    lanes.iter().fold(tail, |sum, lane| (sum ^ lane).wrapping_mul(PRIMES[1]).rotate_left(31))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(size: (u16, u16), seed: u32) -> Frame {
        let mut frame = Frame::black(size);
        let whole = frame.whole();
        for y in 0..size.1 {
            for (x, pixel) in frame.row_mut(whole, y).iter_mut().enumerate() {
                // Text has empty rows between its lines.
                *pixel = if y % 16 < 12 { (u32::from(y) ^ seed).wrapping_mul(0x9E37_79B1).wrapping_add(x as u32) & COLOUR } else { 0 };
            }
        }
        frame
    }

    fn capture(frame: &Frame) -> Fresh {
        let mut pixels = Vec::new();
        frame.copy_out(frame.whole(), &mut pixels);
        Fresh { rect: frame.whole(), pixels }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_moved_is_found_and_moved_alike(by in 1u16..60, down: bool) {
            let before = lines((128, 128), 7);
            let mut after = lines((128, 128), 99);
            let whole = before.whole();
            for row in 0..128 - by {
                let (from, to) = if down { (row, row + by) } else { (row + by, row) };
                after.row_mut(whole, to).copy_from_slice(before.row(whole, from));
            }
            let found = find(&before, &capture(&after)).expect("found");
            prop_assert!(found.to.height >= 128 - by);
            prop_assert_eq!(i32::from(found.from_y) - i32::from(found.to.y), if down { -i32::from(by) } else { i32::from(by) });
            let mut client = before.clone();
            client.move_rows(found.to, found.from_y);
            for row in 0..found.to.height {
                prop_assert_eq!(client.row(found.to, row), after.row(found.to, row));
            }
        }
    }

    #[test]
    fn what_stayed_or_is_all_new_moved_nowhere() {
        let before = lines((128, 128), 7);
        assert_eq!(find(&before, &capture(&before)), None);
        assert_eq!(find(&before, &capture(&lines((128, 128), 8_000_000))), None);
        assert_eq!(find(&Frame::black((128, 128)), &capture(&Frame::black((128, 128)))), None);
    }
}
