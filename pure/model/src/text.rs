//! Checked text. What people type is refused when it is wrong; what agents say is made harmless.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing is left after trimming.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit, in characters.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A control, invisible or direction-changing character.
    #[error("must not contain control or invisible characters")]
    Unprintable,
    /// Not of the form local@domain.
    #[error("must be an e-mail address")]
    NotAnEmail,
    /// Tags have a-z, 0-9, '-', '_', '.', ':' only.
    #[error("must have only a-z, 0-9 and - _ . :")]
    NotATag,
}

/// Whether a character could hide or reorder what a person reads.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The checked text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The checked text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }
    )*};
}

text! {
    /// A name that people gave: 1 to 100 printable characters in NFC, trimmed.
    Name;
    /// Why somebody did something, in their words: 1 to 300 printable characters in NFC on one line, trimmed.
    Note;
    /// An e-mail address as a sign-in name: lower case, at most 254 characters.
    Email;
    /// A label on a device: 1 to 40 of `a-z 0-9 - _ . :`.
    Tag;
    /// Text from an agent: cut to a limit, with every deceptive character replaced. Never markup.
    AgentText;
}

impl Name {
    /// Trims, normalises and checks a name.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        printable(text, limits::NAME_CHARS).map(Self)
    }
}

impl Note {
    /// Trims, normalises and checks a note.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        printable(text, limits::NOTE_CHARS).map(Self)
    }
}

fn printable(text: &str, max_chars: usize) -> Result<String, TextError> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.chars().count() > max_chars {
        return Err(TextError::TooLong(max_chars));
    }
    if text.chars().any(is_deceptive) {
        return Err(TextError::Unprintable);
    }
    Ok(text)
}

impl Email {
    /// Checks the shape only; that an address receives mail is shown by mail.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let address: String = text.trim().nfc().collect::<String>().to_lowercase();
        if address.len() > limits::EMAIL_BYTES {
            return Err(TextError::TooLong(limits::EMAIL_BYTES));
        }
        if address.chars().any(|c| is_deceptive(c) || c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';')) {
            return Err(TextError::NotAnEmail);
        }
        match address.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => Ok(Self(address)),
            _ => Err(TextError::NotAnEmail),
        }
    }
}

impl Tag {
    /// Checks a label.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        match text.len() {
            0 => Err(TextError::Empty),
            n if n > limits::TAG_BYTES => Err(TextError::TooLong(limits::TAG_BYTES)),
            _ if text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':')) => Ok(Self(text.to_owned())),
            _ => Err(TextError::NotATag),
        }
    }
}

impl AgentText {
    /// Cuts to `max_chars` and replaces deceptive characters by U+FFFD; never fails, never trusts.
    pub fn tame(text: &str, max_chars: usize) -> Self {
        Self(text.chars().take(max_chars).map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_deceptive_ones_refused() {
        assert_eq!(Name::parse("  Lyon ").map(Name::into_string), Ok("Lyon".to_owned()));
        assert_eq!(Name::parse(" "), Err(TextError::Empty));
        assert_eq!(Name::parse("a\u{202e}b"), Err(TextError::Unprintable));
        assert_eq!(Name::parse(&"x".repeat(101)), Err(TextError::TooLong(100)));
    }

    #[test]
    fn agents_text_is_made_harmless() {
        assert_eq!(AgentText::tame("a\nb\u{202e}c", 9).as_str(), "a\u{fffd}b\u{fffd}c");
        assert_eq!(AgentText::tame("<b>long", 3).as_str(), "<b>");
    }

    #[test]
    fn emails_have_two_parts() {
        assert_eq!(Email::parse(" Owner@Example.test ").map(Email::into_string), Ok("owner@example.test".to_owned()));
        for wrong in ["", "a", "@b", "a@", "a@b@c", "a b@c", "<a@b>"] {
            assert_eq!(Email::parse(wrong), Err(TextError::NotAnEmail), "{wrong}");
        }
    }
}
