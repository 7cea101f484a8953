//! The extended clipboard: text in UTF-8, announced first and sent when it is asked for.
//!
//! The layout is that of the RFB community wiki, "Extended Clipboard Pseudo-Encoding". Only text is spoken.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sallyport_model::limits;

const TEXT: u32 = 1;
const CAPS: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const PEEK: u32 = 1 << 26;
const NOTIFY: u32 = 1 << 27;
const PROVIDE: u32 = 1 << 28;

/// What the other side says of its clipboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// What it understands; nothing follows from it here.
    Caps,
    /// It wants our text.
    Request,
    /// It asks whether we have text.
    Peek,
    /// It has text, or nothing that we could use.
    HasText,
    HasNone,
    Text(String),
}

/// Reads the body of an extended cut-text message; `None` for what cannot be read.
pub(crate) fn read_notice(body: &[u8]) -> Option<Notice> {
    let (flags, rest) = body.split_first_chunk::<4>()?;
    let flags = u32::from_be_bytes(*flags);
    let text = flags & TEXT != 0;
    match flags & 0xff00_0000 {
        // Capabilities name all actions that are understood, so more bits than this one are set.
        bits if bits & CAPS != 0 => Some(Notice::Caps),
        REQUEST => Some(if text { Notice::Request } else { Notice::Caps }),
        PEEK => Some(Notice::Peek),
        NOTIFY => Some(if text { Notice::HasText } else { Notice::HasNone }),
        PROVIDE if text => provided(rest).map(Notice::Text),
        PROVIDE => Some(Notice::HasNone),
        _ => None,
    }
}

fn provided(packed: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(limits::SCREEN_CLIPBOARD_BYTES + 5);
    // Stops at the capacity: a small message cannot become a large one here.
    Decompress::new(true).decompress_vec(packed, &mut plain, FlushDecompress::Sync).ok()?;
    let (length, text) = plain.split_first_chunk::<4>()?;
    let text = text.get(..u32::from_be_bytes(*length) as usize)?;
    let text = std::str::from_utf8(text).ok()?;
    Some(text.trim_end_matches('\0').replace("\r\n", "\n"))
}

/// What we understand: text up to the limit, and every action.
pub(crate) fn caps() -> Vec<u8> {
    let flags = CAPS | REQUEST | PEEK | NOTIFY | PROVIDE | TEXT;
    // Unasked, clients send at most so much; zero asks them to announce it first.
    [flags.to_be_bytes(), 0u32.to_be_bytes()].concat()
}

pub(crate) fn notify(what: Option<&str>) -> Vec<u8> {
    (NOTIFY | what.map_or(0, |_| TEXT)).to_be_bytes().to_vec()
}

pub(crate) fn request() -> Vec<u8> {
    (REQUEST | TEXT).to_be_bytes().to_vec()
}

pub(crate) fn provide(text: &str) -> Vec<u8> {
    let text = text.replace('\n', "\r\n") + "\0";
    let plain = [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    let mut out = (PROVIDE | TEXT).to_be_bytes().to_vec();
    out.reserve(plain.len() + plain.len() / 8 + 128);
    // It cannot fail with room enough, and what is short is a clipboard that the client does not take.
    let _ = Compress::new(Compression::fast(), true).compress_vec(&plain, &mut out, FlushCompress::Finish);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_survives_the_way_there_and_back() {
        let text = "Grüße, 日本\nzweite Zeile";
        assert_eq!(read_notice(&provide(text)), Some(Notice::Text(text.to_owned())));
        assert_eq!(read_notice(&notify(Some(text))), Some(Notice::HasText));
        assert_eq!(read_notice(&notify(None)), Some(Notice::HasNone));
        assert_eq!(read_notice(&request()), Some(Notice::Request));
        assert_eq!(read_notice(&caps()), Some(Notice::Caps));
    }

    #[test]
    fn a_small_message_does_not_become_a_large_one() {
        let bomb = provide(&"x".repeat(64 * 1024 * 1024));
        assert!(bomb.len() < limits::SCREEN_CLIPBOARD_BYTES);
        assert_eq!(read_notice(&bomb), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), provides: bool) {
            let mut body = body;
            if provides && body.len() > 6 {
                body[..6].copy_from_slice(&[0x10, 0, 0, 1, 0x78, 0x01]);
            }
            if let Some(Notice::Text(text)) = read_notice(&body) {
                prop_assert!(text.len() <= limits::SCREEN_CLIPBOARD_BYTES);
            }
        }
    }
}
