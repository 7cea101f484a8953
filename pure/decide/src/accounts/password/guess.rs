//! How many parts a guesser needs to put a password together.

use super::common::is_common;

/// Longest listed password that is looked for inside another, in characters.
const WORD_CHARS: usize = 20;
/// Shortest one: shorter ones are in every random text.
const WORD_MIN_CHARS: usize = 4;
/// Shortest run that counts as one part.
const RUN_MIN_CHARS: usize = 3;
/// No password needs more characters than these to show that it has enough parts.
const LOOKED_AT_CHARS: usize = 96;

const WORD_COST: usize = 2;
const ROWS: [&str; 4] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// Lower case, so that `Password` is `password`.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Length of the shortest text of which this one is a repetition; the last one may be cut off.
pub(super) fn period(chars: &[char]) -> usize {
    (1..chars.len()).find(|period| chars[*period..] == chars[..chars.len() - period]).unwrap_or(chars.len())
}

/// Fewest parts that make up the text. `known` words cost nothing, listed ones two, runs one, other characters one each.
pub(super) fn parts(chars: &[char], known: &[String]) -> usize {
    let chars = &chars[..chars.len().min(LOOKED_AT_CHARS)];
    let plain: Vec<char> = chars.iter().copied().map(unleet).collect();
    let mut fewest = vec![0; chars.len() + 1];
    for end in 1..=chars.len() {
        let pieces = (0..end).map(|start| fewest[start] + cost(&chars[start..end], &plain[start..end], known));
        fewest[end] = pieces.min().unwrap_or(end);
    }
    fewest[chars.len()]
}

/// What a piece costs as a whole; pieces that are nothing in particular cost what their characters do.
fn cost(piece: &[char], plain: &[char], known: &[String]) -> usize {
    if piece.len() == 1 {
        return 1;
    }
    if is_run(piece) || is_year(piece) {
        return 1;
    }
    if piece.len() < WORD_MIN_CHARS {
        return piece.len();
    }
    let (text, plain): (String, String) = (piece.iter().collect(), plain.iter().collect());
    if known.contains(&text) || known.contains(&plain) {
        return 0;
    }
    let listed = piece.len() <= WORD_CHARS && (is_common(&text) || is_common(&plain));
    if listed { WORD_COST } else { piece.len() }
}

/// The letter that a look-alike stands for.
fn unleet(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Whether each character is the same as the one before, or its neighbour in alphabet, digits or on a keyboard, always in one direction.
fn is_run(piece: &[char]) -> bool {
    let goes = |next: fn(char, char) -> bool| piece.windows(2).all(|pair| next(pair[0], pair[1]));
    piece.len() >= RUN_MIN_CHARS && (goes(|a, b| a == b) || goes(follows) || goes(|a, b| follows(b, a)))
}

/// What people put behind a word once a year.
fn is_year(piece: &[char]) -> bool {
    piece.len() == 4 && (piece.starts_with(&['1', '9']) || piece.starts_with(&['2', '0'])) && piece.iter().all(char::is_ascii_digit)
}

fn follows(a: char, b: char) -> bool {
    let in_alphabet = a.is_alphanumeric() && b.is_alphanumeric() && u32::from(a) + 1 == u32::from(b);
    in_alphabet || on_keyboard(a, b)
}

/// Rows run into each other: after `p` comes `a`; the row of digits has 0 after 9 and 1 after 0.
fn on_keyboard(a: char, b: char) -> bool {
    let at = |c: char| ROWS.iter().enumerate().find_map(|(row, keys)| keys.find(c).map(|column| (row, column)));
    match (at(a), at(b)) {
        (Some((row, column)), Some((next_row, next_column))) => {
            let same_row = row == next_row && column + 1 == next_column;
            let row_end = column + 1 == ROWS[row].len() && next_column == 0 && (next_row == row + 1 || next_row == row);
            same_row || row_end
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(text: &str) -> usize {
        parts(&text.chars().collect::<Vec<_>>(), &[])
    }

    fn period_of(text: &str) -> usize {
        period(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn runs_count_as_one() {
        for text in ["123456789012345", "543210987654321", "qwertyuiopasdfg", "abcdefghijklmno", "zyxwvutsrqponml", "!!!!!!!!!"] {
            assert_eq!(parts_of(text), 1, "{text}");
        }
        assert_eq!(parts_of("qwertyuiop123456789"), 2);
    }

    #[test]
    fn years_count_as_one() {
        assert_eq!((parts_of("2026"), parts_of("1987")), (1, 1));
        assert!(parts_of("passwordsunshine2024") < 6 && parts_of("8305") > 1);
    }

    #[test]
    fn listed_words_count_as_two() {
        assert_eq!(parts_of("correct horse battery staple"), 4 * 2 + 3);
        assert_eq!(parts_of("p@ssw0rd"), 2);
        assert_eq!(parts_of("vqxzkjwp"), 8);
    }

    #[test]
    fn known_words_count_as_nothing() {
        let chars: Vec<char> = "nordwind!9x".chars().collect();
        assert_eq!(parts(&chars, &["nordwind".to_owned()]), 3);
    }

    #[test]
    fn periods() {
        assert_eq!((period_of("aaaa"), period_of("abab"), period_of("ababa"), period_of("abc"), period_of("")), (1, 2, 2, 3, 0));
    }
}
