//! An operator's own list of breached passwords: the file of SHA-1 hashes, sorted by hash, of haveibeenpwned.com.
//!
//! The file stays on disk; a look-up reads a few dozen lines of it. Nothing ever leaves the server.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sallyport_decide::accounts::password::{Breached, Password};
use sha1::{Digest as _, Sha1};

/// Longest line: 40 digits, a colon, a count.
const LINE_BYTES: u64 = 64;

/// The list, open.
pub(super) struct SortedList {
    file: Mutex<BufReader<File>>,
    bytes: u64,
}

impl SortedList {
    /// Opens a list and checks that it looks like one.
    ///
    /// # Errors
    /// When the file cannot be read, or does not begin with a line of the form `HASH:COUNT`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        if hash_of_line(&read_line(&mut reader)?).is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "expected lines of the form SHA1:COUNT, sorted by hash"));
        }
        Ok(Self { file: Mutex::new(reader), bytes })
    }

    /// Looks a password up. A list that cannot be read any more counts as empty; the built-in one still holds.
    pub(super) fn look_up(&self, password: &Password) -> Breached {
        let wanted: String = Sha1::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match search(&mut file, self.bytes, &wanted) {
            Ok(true) => Breached::Listed,
            Ok(false) => Breached::NotListed,
            Err(error) => {
                tracing::error!(%error, "the list of breached passwords cannot be read");
                Breached::NotListed
            }
        }
    }
}

/// Binary search over byte positions: from each one the next whole line is read.
fn search(file: &mut BufReader<File>, bytes: u64, wanted: &str) -> io::Result<bool> {
    let (mut low, mut high) = (0, bytes);
    while low < high {
        let middle = low + (high - low) / 2;
        match line_from(file, middle)? {
            Some(line) if hash_of_line(&line).is_some_and(|hash| hash.as_str() < wanted) => low = middle + 1,
            Some(line) if hash_of_line(&line).is_some_and(|hash| hash == wanted) => return Ok(true),
            _ => high = middle,
        }
    }
    Ok(line_from(file, low)?.is_some_and(|line| hash_of_line(&line).is_some_and(|hash| hash == wanted)))
}

/// The first line that begins at a position or after it.
fn line_from(file: &mut BufReader<File>, position: u64) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(position.saturating_sub(1)))?;
    if position > 0 {
        read_line(file)?;
    }
    let line = read_line(file)?;
    Ok((!line.is_empty()).then_some(line))
}

fn read_line(file: &mut BufReader<File>) -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(file, LINE_BYTES).read_line(&mut line)?;
    Ok(line)
}

fn hash_of_line(line: &str) -> Option<String> {
    let hash = line.trim_end().split(':').next()?;
    (hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hash.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn list(passwords: &[&str]) -> SortedList {
        let hex = |text: &str| -> String { Sha1::digest(text).iter().map(|byte| format!("{byte:02X}")).collect() };
        let mut lines: Vec<String> = passwords.iter().zip(1..).map(|(text, n)| format!("{}:{}\r\n", hex(text), n * 7919)).collect();
        lines.sort();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
        SortedList::open(file.path()).unwrap()
    }

    #[test]
    fn pwd_04_every_listed_password_is_found_and_no_other() {
        let words: Vec<String> = (0..300).map(|n| format!("a breached password {n}")).collect();
        let list = list(&words.iter().map(String::as_str).collect::<Vec<_>>());
        for word in &words {
            assert_eq!(list.look_up(&Password::parse(word).unwrap()), Breached::Listed, "{word}");
        }
        for n in 300..600 {
            assert_eq!(list.look_up(&Password::parse(&format!("a breached password {n}")).unwrap()), Breached::NotListed);
        }
    }

    #[test]
    fn pwd_04_a_file_of_another_kind_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"password\n123456\n").unwrap();
        assert!(SortedList::open(file.path()).is_err());
    }
}
