//! Text out of bytes that were cut anywhere: a character whose bytes lie in two chunks comes out whole.

/// Reads chunks of one stream one after the other.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character whose rest has not come yet; never more than three bytes.
    begun: Vec<u8>,
}

impl Decoder {
    /// Continues after these bytes of the stream, of which the last three are enough.
    pub(super) fn after(bytes: &[u8]) -> Self {
        let mut decoder = Self::default();
        decoder.read(bytes);
        decoder
    }

    /// The text of the next bytes. What is no UTF-8 becomes U+FFFD; the beginning of a character is kept for the next chunk.
    pub(super) fn read(&mut self, bytes: &[u8]) -> String {
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        let begun = begun_at_end(&whole);
        self.begun = whole.split_off(whole.len() - begun);
        String::from_utf8_lossy(&whole).into_owned()
    }

    /// The text of a character that never came to its end, once the stream has ended.
    pub(super) fn end(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned()
    }
}

/// How many bytes at the end are the beginning of a character and nothing wrong yet.
fn begun_at_end(bytes: &[u8]) -> usize {
    let begins = |tail: &[u8]| std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
    (1..=3.min(bytes.len())).find(|length| begins(&bytes[bytes.len() - length..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "aé€\u{1f600}\u{fffd}z\r\n";

    #[test]
    fn however_it_is_cut_the_text_is_the_same() {
        for size in 1..=TEXT.len() {
            let mut decoder = Decoder::default();
            let read: String = TEXT.as_bytes().chunks(size).map(|chunk| decoder.read(chunk)).collect();
            assert_eq!(read + &decoder.end(), TEXT, "chunks of {size}");
        }
    }

    #[test]
    fn a_page_may_begin_at_any_byte() {
        let bytes = TEXT.as_bytes();
        for at in 0..=bytes.len() {
            let mut first = Decoder::default();
            let before = first.read(&bytes[..at]);
            let mut second = Decoder::after(&bytes[at.saturating_sub(3)..at]);
            assert_eq!(before + &second.read(&bytes[at..]), TEXT, "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_if_it_had_come_whole() {
        let bytes = b"a\xff\xe2\x82b\xf0\x9f\x98\xc3\xa9\xe2\x82";
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::default();
            let read: String = bytes.chunks(size).map(|chunk| decoder.read(chunk)).collect();
            assert_eq!(read + &decoder.end(), String::from_utf8_lossy(bytes), "chunks of {size}");
        }
    }
}
