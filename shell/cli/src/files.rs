//! Files that people name: read as far as such a file can be long, whatever stands behind the name.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Largest file of certificates that is read.
pub(crate) const CERTIFICATES_BYTES: usize = 4 * 1024 * 1024;

/// The bytes of a file that has at most so many.
pub(crate) fn bytes(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > most { Err(Failure::Content { path: path.to_owned(), why: "is larger than such a file may be" }) } else { Ok(bytes) }
}

/// The same as text.
pub(crate) fn text(path: &Path, most: usize) -> Result<Zeroizing<String>, Failure> {
    let bytes = bytes(path, most)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::Content { path: path.to_owned(), why: "is not UTF-8 text" })?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_read_to_its_end() {
        assert!(matches!(bytes(Path::new("/dev/zero"), 1000), Err(Failure::Content { .. })));
        assert!(matches!(bytes(Path::new("/"), 1000), Err(Failure::File { .. })));
        assert_eq!(bytes(Path::new("/dev/null"), 0).unwrap().len(), 0);
    }
}
