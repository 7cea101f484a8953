//! The embedded list of common passwords (`README.md` says where it is from).

use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 5;
static KEYS: &[u8] = include_bytes!("common.bin");

/// Whether a text, in lower case, is on the list. Wrongly yes once in twenty million times.
pub fn is_common(lower_case: &str) -> bool {
    let digest = Sha256::digest(lower_case.as_bytes());
    KEYS.as_chunks::<KEY_BYTES>().0.binary_search_by(|key| key.as_slice().cmp(&digest[..KEY_BYTES])).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pwd_04_the_list_is_whole_and_sorted() {
        let (keys, rest) = KEYS.as_chunks::<KEY_BYTES>();
        assert!(rest.is_empty() && keys.is_sorted());
        assert_eq!(keys.len(), 49_233, "more than the 3000 that ASVS 6.2.4 asks for");
    }

    #[test]
    fn pwd_04_listed_and_not_listed() {
        assert!(is_common("password") && is_common("letmein") && is_common("1q2w3e4r5t"));
        assert!(!is_common("vrolijke fietsers"));
    }
}
