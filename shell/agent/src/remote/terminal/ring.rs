//! The latest output of a terminal, by its place since the beginning.

use sallyport_model::limits;

/// How far a beginning is moved to come to the start of a line.
const LINE_BYTES: usize = 4 * 1024;
const RING_BYTES: u64 = limits::SCROLLBACK_BYTES as u64;

/// The last [`limits::SCROLLBACK_BYTES`] of output. Grows with what is written, not before.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Each byte at its place modulo the ring's length.
    bytes: Vec<u8>,
    end: u64,
}

impl Ring {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let surplus = bytes.len().saturating_sub(limits::SCROLLBACK_BYTES);
        self.end += surplus as u64;
        let mut rest = &bytes[surplus..];
        while !rest.is_empty() {
            let at = index(self.end);
            let (now, later) = rest.split_at(rest.len().min(limits::SCROLLBACK_BYTES - at));
            if self.bytes.len() < at + now.len() {
                self.bytes.resize(at + now.len(), 0);
            }
            self.bytes[at..at + now.len()].copy_from_slice(now);
            self.end += now.len() as u64;
            rest = later;
        }
    }

    /// The place behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The place of the first byte that is there.
    pub(super) fn start(&self) -> u64 {
        self.end.saturating_sub(RING_BYTES)
    }

    /// Bytes from a place on, as many as lie together; empty at the end.
    pub(super) fn from(&self, place: u64) -> &[u8] {
        let place = place.clamp(self.start(), self.end);
        let (at, left) = (index(place), usize::try_from(self.end - place).unwrap_or(usize::MAX));
        self.bytes.get(at..self.bytes.len().min(at.saturating_add(left))).unwrap_or_default()
    }

    /// The first place from `place` on where one may begin to read: the start of a line nearby, else of a character. The very
    /// beginning is one.
    pub(super) fn beginning(&self, place: u64) -> u64 {
        let place = place.max(self.start());
        if place == 0 {
            return 0;
        }
        let (first, second) = (self.from(place), self.from(place + self.from(place).len() as u64));
        let nearby = || first.iter().chain(second).take(LINE_BYTES);
        let line = nearby().position(|byte| *byte == b'\n').map(|newline| newline + 1);
        let character = || nearby().take(3).take_while(|byte| is_continuation(**byte)).count();
        place + line.unwrap_or_else(character) as u64
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place % RING_BYTES).unwrap_or_default()
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(ring: &Ring, mut place: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let piece = ring.from(place);
            if piece.is_empty() {
                return bytes;
            }
            bytes.extend(piece);
            place += piece.len() as u64;
        }
    }

    #[test]
    fn an_empty_ring_holds_no_memory_and_a_full_one_its_limit() {
        let mut ring = Ring::default();
        assert_eq!(ring.bytes.capacity(), 0);
        for _ in 0..100 {
            ring.push(&[b'y'; 100_000]);
        }
        assert_eq!((ring.bytes.len(), ring.end()), (limits::SCROLLBACK_BYTES, 10_000_000));
        assert!(ring.bytes.capacity() <= 2 * limits::SCROLLBACK_BYTES);
        ring.push(&vec![b'z'; 3 * limits::SCROLLBACK_BYTES]);
        assert_eq!(ring.end() - ring.start(), limits::SCROLLBACK_BYTES as u64);
    }

    #[test]
    fn one_begins_at_a_line_or_at_least_at_a_character() {
        let mut ring = Ring::default();
        ring.push("ab\ncd\n日本".as_bytes());
        assert_eq!((ring.beginning(0), ring.beginning(1), ring.beginning(3)), (0, 3, 6));
        assert_eq!((ring.beginning(6), ring.beginning(7), ring.beginning(10)), (6, 9, 12));
        assert_eq!((ring.beginning(12), ring.beginning(99)), (12, 99));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_read_is_the_end_of_what_was_written(pieces in proptest::collection::vec(0usize..700_000, 1..8), back in 0usize..1_500_000) {
            let (mut ring, mut written) = (Ring::default(), Vec::new());
            for length in pieces {
                let piece = [written.len().to_le_bytes().as_slice(), &vec![written.len() as u8; length]].concat();
                ring.push(&piece);
                written.extend(piece);
            }
            prop_assert_eq!(ring.end(), written.len() as u64);
            let place = ring.start().max(ring.end().saturating_sub(back as u64));
            prop_assert_eq!(all(&ring, place), &written[place as usize..]);
        }
    }
}
