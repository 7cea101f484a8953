//! Recovery codes: ten codes of 120 bits that stand for the second factor once each.
//!
//! With 112 bits or more NIST SP 800-63B-4 (section 3.1.2.2) takes a plain hash; ours is keyed with the pepper, so that the database
//! alone is no place to search in. No slow hash means that ten codes cannot be used to keep the server busy.

use hmac::{Hmac, KeyInit, Mac};
use sallyport_model::{Digest, UserId, limits};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Bytes of a code: 120 bits.
pub const CODE_BYTES: usize = 15;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 24;
const GROUP: usize = 6;
const LABEL: &[u8] = b"sallyport.recovery-code/1\n";

/// Why a text is not a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code has 24 letters and digits")]
pub struct NotARecoveryCode;

/// One code. Shown once; neither printed nor compared.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; CODE_BYTES]>);

impl RecoveryCode {
    /// Takes 120 bits from a cryptographic random source.
    pub fn from_bytes(bytes: [u8; CODE_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter, O is 0, I and L are 1 (Crockford's rules).
    pub fn parse(text: &str) -> Result<Self, NotARecoveryCode> {
        // Longer than any honest spelling of 24 digits: not worth normalising.
        if text.len() > 256 {
            return Err(NotARecoveryCode);
        }
        let mut value = 0u128;
        let mut digits = 0;
        for c in text.nfkc().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')) {
            value = (value << 5) | u128::from(digit(c).filter(|_| digits < DIGITS).ok_or(NotARecoveryCode)?);
            digits += 1;
        }
        if digits != DIGITS {
            return Err(NotARecoveryCode);
        }
        let mut bytes = [0u8; CODE_BYTES];
        bytes.copy_from_slice(&value.to_be_bytes()[1..]);
        Ok(Self::from_bytes(bytes))
    }

    /// Four groups of six digits, for showing once.
    pub fn to_text(&self) -> Zeroizing<String> {
        let value = self.0.iter().fold(0u128, |value, byte| (value << 8) | u128::from(*byte));
        let mut text = String::with_capacity(DIGITS + DIGITS / GROUP);
        for place in 0..DIGITS {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            let digit = (value >> ((DIGITS - 1 - place) * 5)) & 31;
            text.push(char::from(CROCKFORD[digit as usize]));
        }
        Zeroizing::new(text)
    }

    /// What is stored: HMAC-SHA-256 under the pepper over the owner and the code, so that equal rows of two users say nothing.
    pub fn stored(&self, pepper: &[u8; 32], user: UserId) -> Digest {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(pepper).expect("HMAC takes keys of every length");
        Digest::from_bytes(mac.chain_update(LABEL).chain_update(user.as_bytes()).chain_update(*self.0).finalize().into_bytes().into())
    }
}

fn digit(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    CROCKFORD.iter().position(|known| char::from(*known) == c).and_then(|at| u8::try_from(at).ok())
}

/// The ten codes of a user, from random bytes.
pub fn codes(random: &[[u8; CODE_BYTES]; limits::RECOVERY_CODES]) -> [RecoveryCode; limits::RECOVERY_CODES] {
    random.map(RecoveryCode::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEPPER: [u8; 32] = [9; 32];

    fn code() -> RecoveryCode {
        RecoveryCode::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252, 253, 254])
    }

    fn user(last: u8) -> UserId {
        UserId::from_bytes([last; 16])
    }

    #[test]
    fn rec_01_a_code_has_120_bits_and_is_read_back() {
        let text = code().to_text();
        assert_eq!(*text, "000G40-R40M30-E209ZB-XZSZFY");
        assert_eq!(RecoveryCode::parse(&text).map(|read| *read.0), Ok(*code().0));
        assert_eq!(code().0.len() * 8, 120);
    }

    #[test]
    fn rec_01_ten_codes_are_ten_codes() {
        let mut random = [[0u8; CODE_BYTES]; limits::RECOVERY_CODES];
        (0u8..).zip(&mut random).for_each(|(n, bytes)| bytes[14] = n);
        let mut texts: Vec<String> = codes(&random).iter().map(|code| code.to_text().to_string()).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 10);
    }

    #[test]
    fn rec_01_other_spellings_of_a_code() {
        for text in [
            "000g40r40m30e209zbxzszfy",
            " OooG40 R4OM3O e2O9ZB\tXZSZFY ",
            "000G-40R4-0M30-E209-ZBXZ-SZFY",
            "０００G40‐R40M30‐E209ZB‐XZSZFY",
        ] {
            assert_eq!(RecoveryCode::parse(text).map(|read| *read.0), Ok(*code().0), "{text:?}");
        }
        let ones = RecoveryCode::parse("1lLiI1000000000000000000").expect("i and l are 1");
        assert_eq!(*ones.to_text(), "111111-000000-000000-000000");
    }

    #[test]
    fn rec_01_what_is_no_code() {
        let long = "0".repeat(10_000);
        for text in [
            "",
            "123456",
            "000G40-R40M30-E209ZB-XZSZF",
            "000G40-R40M30-E209ZB-XZSZFYY",
            "U00G40-R40M30-E209ZB-XZSZFY",
            "000G40.R40M30.E209ZB.XZSZFY",
            &long,
        ] {
            assert!(RecoveryCode::parse(text).is_err(), "{text:.40?}");
        }
    }

    #[test]
    fn rec_02_the_stored_form_is_keyed_and_belongs_to_one_user() {
        let stored = code().stored(&PEPPER, user(1));
        assert_eq!(stored, code().stored(&PEPPER, user(1)));
        assert_ne!(stored, code().stored(&PEPPER, user(2)));
        assert_ne!(stored, code().stored(&[8; 32], user(1)));
    }
}
