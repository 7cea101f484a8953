//! As much CBOR (RFC 8949) as authenticators speak, in CTAP2's canonical form: definite lengths, shortest heads, no tags, no floats.
//!
//! Every length is checked against the bytes that are there before anything is kept, and depth is bounded, so that no input costs more
//! than its own size.

use sallyport_model::limits;

/// Why bytes are not an item of the agreed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical CBOR")]
pub(super) struct NotCbor;

/// An item, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// Major types 0 and 1.
    Int(i64),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3.
    Text(&'a str),
    /// Major type 4.
    Array(Vec<Item<'a>>),
    /// Major type 5, in the order as written.
    Map(Vec<(Item<'a>, Item<'a>)>),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
}

impl<'a> Item<'a> {
    /// Reads one item and gives back what follows it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), NotCbor> {
        let mut reader = Reader { rest: bytes, items: limits::CBOR_ITEMS };
        let item = reader.item(limits::CBOR_DEPTH)?;
        Ok((item, reader.rest))
    }

    /// Reads one item with nothing behind it.
    pub(super) fn whole(bytes: &'a [u8]) -> Result<Self, NotCbor> {
        match Self::read(bytes)? {
            (item, []) => Ok(item),
            _ => Err(NotCbor),
        }
    }

    /// The value under a number, where this is a map that has it.
    pub(super) fn at(&self, key: i64) -> Option<&Item<'a>> {
        self.find(&Item::Int(key))
    }

    /// The value under a text, where this is a map that has it.
    pub(super) fn named(&self, key: &'static str) -> Option<&Item<'a>> {
        self.find(&Item::Text(key))
    }

    fn find(&self, key: &Item<'_>) -> Option<&Item<'a>> {
        let Item::Map(entries) = self else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// How many entries a map has.
    pub(super) fn entries(&self) -> Option<usize> {
        match self {
            Item::Map(entries) => Some(entries.len()),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Item::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Item::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How many more items there may be: an item takes one byte and, read, thirty and more.
    items: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Item<'a>, NotCbor> {
        let deeper = depth.checked_sub(1).ok_or(NotCbor)?;
        self.items = self.items.checked_sub(1).ok_or(NotCbor)?;
        let head = self.take(1)?[0];
        let (major, low) = (head >> 5, head & 0x1f);
        match major {
            0 => Ok(Item::Int(i64::try_from(self.number(low)?).map_err(|_| NotCbor)?)),
            1 => Ok(Item::Int(-1 - i64::try_from(self.number(low)?).map_err(|_| NotCbor)?)),
            2 => self.string(low).map(Item::Bytes),
            3 => std::str::from_utf8(self.string(low)?).map(Item::Text).map_err(|_| NotCbor),
            4 => self.array(low, deeper),
            5 => self.map(low, deeper),
            7 => simple(low),
            _ => Err(NotCbor),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], NotCbor> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(NotCbor)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A head's number, in its shortest form alone: one value has one spelling.
    fn number(&mut self, low: u8) -> Result<u64, NotCbor> {
        let (length, least) = match low {
            0..=23 => return Ok(u64::from(low)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(NotCbor),
        };
        let number = self.take(length)?.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        if number < least { Err(NotCbor) } else { Ok(number) }
    }

    /// A number of things of which each takes a byte at least.
    fn length(&mut self, low: u8) -> Result<usize, NotCbor> {
        let length = usize::try_from(self.number(low)?).map_err(|_| NotCbor)?;
        if length > self.rest.len() { Err(NotCbor) } else { Ok(length) }
    }

    fn string(&mut self, low: u8) -> Result<&'a [u8], NotCbor> {
        let length = self.length(low)?;
        self.take(length)
    }

    fn array(&mut self, low: u8, depth: usize) -> Result<Item<'a>, NotCbor> {
        let length = self.length(low)?;
        (0..length).map(|_| self.item(depth)).collect::<Result<_, _>>().map(Item::Array)
    }

    /// A key that comes twice would let two readers see two values.
    fn map(&mut self, low: u8, depth: usize) -> Result<Item<'a>, NotCbor> {
        let length = self.length(low)?;
        if length > limits::CBOR_ENTRIES {
            return Err(NotCbor);
        }
        let mut entries: Vec<(Item<'a>, Item<'a>)> = Vec::new();
        for _ in 0..length {
            let key = self.item(depth)?;
            if !matches!(key, Item::Int(_) | Item::Text(_)) || entries.iter().any(|(known, _)| *known == key) {
                return Err(NotCbor);
            }
            entries.push((key, self.item(depth)?));
        }
        Ok(Item::Map(entries))
    }
}

fn simple<'a>(low: u8) -> Result<Item<'a>, NotCbor> {
    match low {
        20 => Ok(Item::Flag(false)),
        21 => Ok(Item::Flag(true)),
        22 => Ok(Item::Null),
        _ => Err(NotCbor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Result<String, NotCbor> {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        Item::whole(&bytes).map(|item| format!("{item:?}"))
    }

    #[test]
    fn items_of_rfc_8949_appendix_a_are_read() {
        for (hex, wanted) in [
            ("00", "Int(0)"),
            ("1818", "Int(24)"),
            ("1b000000e8d4a51000", "Int(1000000000000)"),
            ("29", "Int(-10)"),
            ("3903e7", "Int(-1000)"),
            ("f5", "Flag(true)"),
            ("f6", "Null"),
            ("4401020304", "Bytes([1, 2, 3, 4])"),
            ("6449455446", "Text(\"IETF\")"),
            ("83010203", "Array([Int(1), Int(2), Int(3)])"),
            ("a201020304", "Map([(Int(1), Int(2)), (Int(3), Int(4))])"),
        ] {
            assert_eq!(read(hex).as_deref(), Ok(wanted), "{hex}");
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for hex in [
            "",
            "1817",
            "190017",
            "1a00000017",
            "1b0000000000000017",
            "5f42010243030405ff",
            "9fff",
            "bfff",
            "c11a514b67b0",
            "f93c00",
            "f7",
            "a2010201ff",
            "a201020103",
            "6261ff",
            "0000",
            "44010203",
            "9b7fffffffffffffff",
            "bb7fffffffffffffff",
            "1bffffffffffffffff",
            "a1f501",
        ] {
            assert_eq!(read(hex), Err(NotCbor), "{hex}");
        }
        assert_eq!(read(&format!("{}00", "81".repeat(100))), Err(NotCbor), "too deep");
        let zeros = |count: usize| format!("99{count:04x}{}", "00".repeat(count));
        assert!(read(&zeros(limits::CBOR_ITEMS - 1)).is_ok());
        assert_eq!(read(&zeros(limits::CBOR_ITEMS)), Err(NotCbor), "too many");
    }
}
