//! Asking a list that lies elsewhere whether it has a password, without telling which (k-anonymity): only the first five hexadecimal
//! digits of its SHA-1 leave, and the answer has every hash that begins so, with padding so that its length says nothing
//! (<https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange>).

use sha1::{Digest as _, Sha1};

use super::{Breached, Password};

/// Digits of the hash that are told.
const PREFIX: usize = 5;

/// A password's hash, in the two parts that one question takes.
pub struct Asked {
    digits: String,
}

/// The answer is not one: its lines are not `SUFFIX:COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not a list of hashes")]
pub struct NotARange;

impl Asked {
    /// About a password.
    pub fn about(password: &Password) -> Self {
        Self { digits: data_encoding::HEXUPPER.encode(&Sha1::digest(password.as_bytes())) }
    }

    /// What is told: five digits, which about a thousand passwords share in a list of a thousand million.
    pub fn prefix(&self) -> &str {
        &self.digits[..PREFIX]
    }

    /// Looks for the rest in the answer. Lines that count nothing are padding.
    ///
    /// # Errors
    /// [`NotARange`] for anything but lines of 35 digits, a colon and a count, and for no line at all: there always are some.
    pub fn judge(&self, answer: &str) -> Result<Breached, NotARange> {
        let mut found = Breached::NotListed;
        let mut lines = 0;
        for line in answer.lines().filter(|line| !line.trim().is_empty()) {
            let (suffix, count) = line.trim().split_once(':').ok_or(NotARange)?;
            let count: u64 = count.trim().parse().map_err(|_| NotARange)?;
            if suffix.len() != 40 - PREFIX || !suffix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(NotARange);
            }
            lines += 1;
            if count > 0 && suffix.eq_ignore_ascii_case(&self.digits[PREFIX..]) {
                found = Breached::Listed;
            }
        }
        if lines == 0 { Err(NotARange) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked::about(&Password::parse("password").expect("short"))
    }

    #[test]
    fn pwd_04_five_digits_are_told_and_the_rest_is_found_here() {
        assert_eq!(asked().prefix(), "5BAA6");
        let other = "0018A45C4D1DEF81644B54AB7F969B88D65:1";
        let listed = format!("{other}\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n");
        assert_eq!(asked().judge(&listed), Ok(Breached::Listed));
        assert_eq!(asked().judge(&listed.to_lowercase()), Ok(Breached::Listed));
        assert_eq!(asked().judge(other), Ok(Breached::NotListed));
    }

    #[test]
    fn pwd_04_padding_counts_for_nothing() {
        assert_eq!(asked().judge("1E4C9B93F3F0682250B6CF8331B7EE68FD8:0"), Ok(Breached::NotListed));
    }

    #[test]
    fn pwd_04_what_is_no_range_says_nothing() {
        for answer in ["", "<html>", "1E4C9B93F3F0682250B6CF8331B7EE68FD8", "1E4C9B93F3F0682250B6CF8331B7EE68FD8:many", "1E4C:1"] {
            assert_eq!(asked().judge(answer), Err(NotARange), "{answer}");
        }
    }
}
