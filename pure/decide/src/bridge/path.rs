//! Paths below a connection's address, read so that no two readers see two paths: whatever the vendor's server does with dots, slashes, signs
//! of percent or parameters of segments, there is nothing of the kind left in what is sent.

use sallyport_model::limits;

/// A path whose segments are what they look like. Written back, each byte that could mean something else is escaped once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafePath {
    segments: Vec<String>,
    ends_with_slash: bool,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SafePathError {
    /// Longer than paths are.
    #[error("the path is too long")]
    Long,
    /// `%` without two digits, or bytes that are no text.
    #[error("the path has a % that is not followed by two hexadecimal digits, or bytes that are no UTF-8")]
    Escape,
    /// `//`, or nothing at all where something must be.
    #[error("the path has an empty segment")]
    Empty,
    /// `.` or `..`, however they are written.
    #[error("the path has a segment of dots")]
    Dots,
    /// A slash, backslash, percent sign, semicolon or control character inside of a segment, however it is written.
    #[error("a segment of the path has a slash, a backslash, a %, a semicolon or a control character in it")]
    Inside,
}

impl SafePath {
    /// Reads a path as it stands in a request line, without the slash that it begins with.
    ///
    /// # Errors
    /// Says why it is refused.
    pub fn parse(raw: &str) -> Result<Self, SafePathError> {
        if raw.len() > limits::OUTBOUND_URL_BYTES / 2 {
            return Err(SafePathError::Long);
        }
        let (body, ends_with_slash) = raw.strip_suffix('/').map_or((raw, false), |body| (body, true));
        if body.is_empty() {
            return if ends_with_slash { Err(SafePathError::Empty) } else { Ok(Self { segments: Vec::new(), ends_with_slash }) };
        }
        let segments = body.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, ends_with_slash })
    }

    /// As it is sent, with the slash that it begins with; nothing at all where it has no segments.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            text.push('/');
            escape(segment, &mut text);
        }
        text + if self.ends_with_slash { "/" } else { "" }
    }
}

fn segment(raw: &str) -> Result<String, SafePathError> {
    let text = unescape(raw)?;
    let inside = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%' | ';');
    match text.as_str() {
        "" => Err(SafePathError::Empty),
        "." | ".." => Err(SafePathError::Dots),
        text if text.contains(inside) => Err(SafePathError::Inside),
        _ => Ok(text),
    }
}

fn unescape(raw: &str) -> Result<String, SafePathError> {
    let (mut bytes, mut rest) = (Vec::with_capacity(raw.len()), raw.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, others) = rest.split_at_checked(2).ok_or(SafePathError::Escape)?;
        let value = |digit: u8| (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(SafePathError::Escape);
        bytes.push(value(digits[0])? << 4 | value(digits[1])?);
        rest = others;
    }
    String::from_utf8(bytes).map_err(|_| SafePathError::Escape)
}

/// RFC 3986, section 3.3: what a segment may have unescaped, without the semicolon.
fn escape(segment: &str, text: &mut String) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) {
            text.push(byte as char);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Which paths are meant: `/tickets/*/notes`, where `*` is exactly one segment, and `/**` at the end whatever follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Piece>,
    rest: Rest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Any,
    Exactly(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with a slash.
    #[error("must begin with /")]
    Slash,
    /// A star that is not a whole segment, or two of them before the end.
    #[error("* stands for one whole segment, and ** for the rest at the end")]
    Star,
    /// A segment that no path can have.
    #[error(transparent)]
    Path(#[from] SafePathError),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let body = text.strip_prefix('/').ok_or(PatternError::Slash)?;
        let (body, rest) = match body.strip_suffix("**") {
            Some("") => ("", Rest::Anything),
            Some(before) => (before.strip_suffix('/').ok_or(PatternError::Star)?, Rest::Anything),
            None => (body, Rest::Nothing),
        };
        let segments = if body.is_empty() { Vec::new() } else { body.split('/').map(piece).collect::<Result<_, _>>()? };
        Ok(Self { segments, rest })
    }

    /// Whether it means this path. A slash at the end of a path changes nothing.
    pub fn means(&self, path: &SafePath) -> bool {
        let enough = match self.rest {
            Rest::Nothing => path.segments.len() == self.segments.len(),
            Rest::Anything => path.segments.len() >= self.segments.len(),
        };
        let fits = |(piece, segment): (&Piece, &String)| match piece {
            Piece::Any => true,
            Piece::Exactly(text) => text == segment,
        };
        enough && self.segments.iter().zip(&path.segments).all(fits)
    }
}

fn piece(text: &str) -> Result<Piece, PatternError> {
    match text {
        "*" => Ok(Piece::Any),
        text if text.contains('*') => Err(PatternError::Star),
        text => Ok(Piece::Exactly(segment(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> SafePath {
        SafePath::parse(raw).unwrap_or_else(|why| panic!("{raw}: {why}"))
    }

    #[test]
    fn paths_are_written_in_one_way() {
        for (raw, sent) in [
            ("", ""),
            ("tickets/5", "/tickets/5"),
            ("tickets/", "/tickets/"),
            ("%74ickets/a%20b", "/tickets/a%20b"),
            ("users/a@b.example", "/users/a@b.example"),
            ("users/a%40b.example", "/users/a@b.example"),
            ("%C3%A4", "/%C3%A4"),
            ("a?b", "/a%3Fb"),
            ("...", "/..."),
        ] {
            assert_eq!(path(raw).to_text(), sent, "{raw}");
        }
    }

    #[test]
    fn what_could_mean_another_path_is_refused() {
        use SafePathError::{Dots, Empty, Escape, Inside};
        for (raw, why) in [
            ("..", Dots),
            ("a/../b", Dots),
            ("a/./b", Dots),
            ("a/%2e%2e/b", Dots),
            ("a/.%2E", Dots),
            ("a/..;/b", Inside),
            ("a/..%3B/b", Inside),
            ("a//b", Empty),
            ("/a", Empty),
            ("/", Empty),
            ("a//", Empty),
            ("http://other.example/", Empty),
            ("//other.example/", Empty),
            ("a%2fb", Inside),
            ("a%5cb", Inside),
            ("a\\b", Inside),
            ("a%252e", Inside),
            ("a%00", Inside),
            ("a%0d%0aHost:x", Inside),
            ("a%7f", Inside),
            ("a%", Escape),
            ("a%2", Escape),
            ("a%+1", Escape),
            ("a%zz", Escape),
            ("%ff", Escape),
        ] {
            assert_eq!(SafePath::parse(raw), Err(why), "{raw:?}");
        }
    }

    #[test]
    fn patterns_mean_what_they_say() {
        for (pattern, good, bad) in [
            ("/tickets", vec!["tickets", "tickets/"], vec!["", "tickets/5", "ticket", "Tickets"]),
            ("/tickets/*", vec!["tickets/5", "tickets/%35/"], vec!["tickets", "tickets/5/notes"]),
            ("/tickets/*/notes", vec!["tickets/5/notes"], vec!["tickets/5", "tickets/notes"]),
            ("/tickets/**", vec!["tickets", "tickets/5", "tickets/5/notes"], vec!["", "ticketsx", "users"]),
            ("/**", vec!["", "anything/at/all"], vec![]),
        ] {
            let read = Pattern::parse(pattern).unwrap();
            assert!(good.iter().all(|one| read.means(&path(one))), "{pattern}: {good:?}");
            assert!(!bad.iter().any(|one| read.means(&path(one))), "{pattern}: {bad:?}");
        }
        for bad in ["tickets", "", "/a*", "/**/a", "/a**", "/a//b", "/../a", "/a/%2e%2e"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_alike_and_has_nothing_to_resolve(raw in "[a-z.%/;\\\\@:2eEfFcC5 ]{0,30}") {
            if let Ok(read) = SafePath::parse(&raw) {
                let text = read.to_text();
                prop_assert_eq!(SafePath::parse(text.strip_prefix('/').unwrap_or(&text)), Ok(read));
                prop_assert!(!text.contains("//") && !text.contains('\\') && !text.contains(';') && !text.contains(' '), "{}", text);
                prop_assert!(!text.to_ascii_lowercase().contains("%2e") && !text.to_ascii_lowercase().contains("%2f"), "{}", text);
                prop_assert!(!text.split('/').any(|segment| segment == "." || segment == ".."), "{}", text);
            }
        }
    }
}
