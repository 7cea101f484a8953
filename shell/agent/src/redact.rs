//! Keeps secret values out of a run's output, also where a value comes in pieces.

use zeroize::Zeroizing;

/// What stands in place of a secret.
const MARK: &[u8] = b"***";

/// One output stream on its way to the spool. Holds back what may be the beginning of a secret.
pub(crate) struct Redactor {
    secrets: Vec<Zeroizing<Vec<u8>>>,
    held: Zeroizing<Vec<u8>>,
}

impl Redactor {
    /// Secrets are also looked for without the line break at their end, as shells print them.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let trimmed = |secret: &'a [u8]| [secret, secret.trim_ascii_end()];
        let mut secrets: Vec<Zeroizing<Vec<u8>>> = secrets
            .into_iter()
            .flat_map(trimmed)
            .filter(|secret| !secret.is_empty())
            .map(|secret| Zeroizing::new(secret.to_vec()))
            .collect();
        secrets.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        secrets.dedup();
        Self { secrets, held: Zeroizing::default() }
    }

    /// Takes the next bytes and gives out what is known to be harmless.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        self.drain(End::Open)
    }

    /// Gives out the rest. A rest that is most of a secret is hidden too: the script was stopped within it.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.drain(End::Closed)
    }

    fn drain(&mut self, end: End) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(held.len());
        let mut at = 0;
        while at < held.len() {
            match self.look(&held[at..], end) {
                Seen::Secret(length) => {
                    out.extend_from_slice(MARK);
                    at += length;
                }
                Seen::PerhapsLater => break,
                Seen::Harmless => {
                    out.push(held[at]);
                    at += 1;
                }
            }
        }
        self.held.extend_from_slice(&held[at..]);
        out
    }

    /// The longest secret at the beginning of `rest`. A longer one that may still come is waited for.
    fn look(&self, rest: &[u8], end: End) -> Seen {
        for secret in &self.secrets {
            if rest.starts_with(secret) {
                return Seen::Secret(secret.len());
            }
            if secret.starts_with(rest) {
                match end {
                    End::Open => return Seen::PerhapsLater,
                    End::Closed if rest.len() * 2 >= secret.len() => return Seen::Secret(rest.len()),
                    End::Closed => {}
                }
            }
        }
        Seen::Harmless
    }
}

#[derive(Clone, Copy)]
enum End {
    Open,
    Closed,
}

enum Seen {
    Secret(usize),
    PerhapsLater,
    Harmless,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redact(secrets: &[&[u8]], pieces: &[&[u8]]) -> String {
        let mut redactor = Redactor::new(secrets.iter().copied());
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| redactor.pass(piece)).collect();
        out.extend(redactor.finish());
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_is_cut() {
        let text = b"the password is hunter22 and hunter22hunter22.";
        for first in 0..text.len() {
            for second in first..text.len() {
                let out = redact(&[b"hunter22"], &[&text[..first], &text[first..second], &text[second..]]);
                assert_eq!(out, "the password is *** and ******.", "{first} {second}");
            }
        }
    }

    #[test]
    fn the_longest_of_several_wins_and_line_breaks_do_not_help() {
        assert_eq!(redact(&[b"abc", b"abcdef\n"], &[b"abcd", b"ef ", b"abcx"]), "*** ***x");
    }

    #[test]
    fn a_prompt_that_only_begins_like_a_secret_is_shown_in_the_end() {
        assert_eq!(redact(&[b"password-1"], &[b"pass"]), "pass");
        assert_eq!(redact(&[b"password-1"], &[b"password-"]), "***", "most of the secret is as good as all of it");
    }

    #[test]
    fn nothing_secret_nothing_held() {
        assert_eq!(Redactor::new([]).pass(b"abc"), b"abc");
        assert_eq!(Redactor::new([b"".as_slice()]).pass(b"abc"), b"abc");
    }

    proptest! {
        #[test]
        fn no_secret_passes_in_any_cut(text in "[ab]{0,60}", secret in "[ab]{3,8}", cuts in proptest::collection::vec(0usize..61, 0..6)) {
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let out = redact(&[secret.as_bytes()], &pieces);
            prop_assert!(!out.contains(&secret), "{out}");
            prop_assert!(text.contains(&secret) || out == text || out.ends_with("***"));
        }
    }
}
