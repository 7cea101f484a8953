//! Text from devices and people on its way to a terminal: nothing in it moves the cursor, changes colours, sends keys or hides.

/// A single line: every control, invisible or direction-changing character is replaced by something to see.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Several lines: tabs and line ends stay. A lone carriage return would overwrite what was said before; it becomes a line end.
pub(crate) fn lines(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    unix.chars().map(|c| if matches!(c, '\n' | '\t') { c } else { harmless(c) }).collect()
}

/// JSON with the same characters escaped: nothing is lost, and nothing reaches a terminal.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_deceptive(c) {
            safe.push(c);
        } else {
            let mut units = [0u16; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        }
    }
    safe
}

fn harmless(c: char) -> char {
    match c {
        // The control pictures of Unicode show which one it was.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        _ if is_deceptive(c) => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &[&str] = &[
        "\x1b[2J\x1b[H",
        "\x1b]0;title\x07",
        "\x1b]52;c;cm0gLXJm\x07",
        "\u{9b}31m",
        "\u{90}q\u{9c}",
        "safe\r\x1b[Kevil",
        "a\u{202e}txt.exe",
        "ze\u{200b}ro",
        "\u{e0041}\u{feff}",
        "back\x08\x08\x7f",
    ];

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for text in HOSTILE {
            for shown in [one_line(text), lines(text), json(text)] {
                assert!(shown.chars().all(|c| c == '\n' || !is_deceptive(c)), "{text:?} became {shown:?}");
            }
            assert!(!one_line(text).contains('\n'), "{text:?}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["web-1", "Müller & Söhne", "日本語", "😀 ok", "a b"] {
            assert_eq!((one_line(text), lines(text), json(text)), (text.to_owned(), text.to_owned(), text.to_owned()));
        }
        assert_eq!(lines("a\tb\nc\r\nd\re"), "a\tb\nc\nd\ne");
    }

    #[test]
    fn one_sees_what_was_there() {
        assert_eq!(one_line("a\nb\x1b[0m"), "a␊b␛[0m");
    }

    #[test]
    fn escaped_json_means_the_same() {
        for text in HOSTILE {
            let value = serde_json::json!({ "text": text });
            let written = json(&serde_json::to_string_pretty(&value).unwrap());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
        }
    }
}
