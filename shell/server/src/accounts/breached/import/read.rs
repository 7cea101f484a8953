//! A list's lines as keys.

use std::io::{BufRead, Read as _};

use sallyport_decide::accounts::password::Password;

use super::super::imported::key_of;
use super::ImportError;

/// Longest line that is read whole: longer ones are no password.
const LINE_BYTES: u64 = 4096;

/// What a list's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// `HASH` or `HASH:COUNT`, 40 hexadecimal digits.
    Sha1,
    /// One password in a line.
    Plain,
}

/// One line after the other: a key, or none where no password can be so.
pub(super) struct Keys<R> {
    list: R,
    format: ListFormat,
    first: Option<Vec<u8>>,
    line: u64,
}

/// Begins to read; the first line tells what the list is, where nobody said so.
pub(super) fn keys<R: BufRead>(mut list: R, format: Option<ListFormat>) -> Result<Keys<R>, ImportError> {
    let first = next_line(&mut list)?;
    let looks = first.as_deref().and_then(hash);
    if format != Some(ListFormat::Plain) && first.as_deref().is_some_and(is_ntlm) {
        return Err(ImportError::Ntlm);
    }
    let guessed = if looks.is_some() { ListFormat::Sha1 } else { ListFormat::Plain };
    Ok(Keys { list, format: format.unwrap_or(guessed), first, line: 0 })
}

impl<R: BufRead> Iterator for Keys<R> {
    type Item = Result<Option<u64>, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.first.take() {
            Some(line) => line,
            None => match next_line(&mut self.list) {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            },
        };
        self.line += 1;
        Some(match self.format {
            ListFormat::Sha1 if line.is_empty() => Ok(None),
            ListFormat::Sha1 => hash(&line).map(Some).ok_or(ImportError::NotAHash(self.line)),
            ListFormat::Plain => Ok(plain(&line)),
        })
    }
}

/// A line without its end; what is longer than a password may be is cut, and no password is so.
fn next_line(list: &mut impl BufRead) -> Result<Option<Vec<u8>>, ImportError> {
    let mut line = Vec::new();
    let read = list.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line).map_err(ImportError::Read)?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 == LINE_BYTES && line.last() != Some(&b'\n') {
        list.skip_until(b'\n').map_err(ImportError::Read)?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line))
}

/// The first 64 bits of a line's hash.
fn hash(line: &[u8]) -> Option<u64> {
    let (hash, rest) = line.split_at_checked(40)?;
    let counted = rest.is_empty() || rest.strip_prefix(b":").is_some_and(|count| count.iter().all(u8::is_ascii_digit));
    let digits = |part: &[u8]| u64::from_str_radix(std::str::from_utf8(part).ok()?, 16).ok();
    let is_hex = hash.iter().all(u8::is_ascii_hexdigit);
    (counted && is_hex).then(|| digits(&hash[..16])).flatten()
}

fn is_ntlm(line: &[u8]) -> bool {
    let hash = line.split(|byte| *byte == b':').next().unwrap_or_default();
    hash.len() == 32 && hash.iter().all(u8::is_ascii_hexdigit)
}

/// In the form in which passwords are hashed and looked up.
fn plain(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok().filter(|text| !text.is_empty())?;
    Password::parse(text).ok().map(|password| key_of(password.as_bytes()))
}
