//! What a password must be (NIST SP 800-63B-4, section 3.1.1.2): long, and not one that guessers try first.
//!
//! There are no rules about kinds of characters and no expiry. A refusal says why.

mod common;
mod guess;
pub mod range;

use sallyport_model::{Email, Name, limits};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

pub use common::is_common;

/// Fewest parts that a password must be made of. A listed password or word counts as two, a year or a run of neighbours on keyboard or
/// alphabet as one, everything else as one for each character: four common words are enough.
pub const PARTS: usize = 8;

/// Why a password is refused. Each text is a reason for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer characters than [`limits::PASSWORD_MIN_CHARS`].
    #[error("must have at least {} characters", limits::PASSWORD_MIN_CHARS)]
    TooShort,
    /// More bytes than [`limits::PASSWORD_BYTES`].
    #[error("must have at most {} bytes", limits::PASSWORD_BYTES)]
    TooLong,
    /// On the list of common passwords.
    #[error("is a common password")]
    Common,
    /// On a list of breached passwords.
    #[error("has appeared in a data breach")]
    Breached,
    /// Something shorter, again and again.
    #[error("repeats something shorter")]
    Repeats,
    /// Little more than the names of product, organisation or person.
    #[error("is little more than a name that an attacker knows")]
    Personal,
    /// Common words and runs of keys, fewer than [`PARTS`] parts.
    #[error("is made of common words and runs of keys")]
    Guessable,
}

/// What was found on the operator's lists, if there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breached {
    /// On the list.
    Listed,
    /// Not on the list, or no list.
    NotListed,
}

/// A typed password in the form that is hashed: NFKC, entire. Neither printed nor compared.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Normalises what was typed; the limit bounds the work. A password that signs in is checked no further.
    pub fn parse(typed: &str) -> Result<Self, PasswordError> {
        if typed.len() > limits::PASSWORD_BYTES {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(Zeroizing::new(typed.nfkc().collect())))
    }

    /// The bytes to hash: all of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The normalised text, for looking it up on a list.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Words that an attacker of this very account tries first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(Vec<String>);

impl Context {
    /// From the names of tenant and person and the e-mail address; the product's name is always one of them.
    pub fn new(tenant: &Name, person: &Name, email: &Email) -> Self {
        let spoken = ["sallyport", tenant.as_str(), person.as_str(), email.as_str()].join(" ");
        let spoken = guess::fold(&spoken);
        let mut words: Vec<String> =
            spoken.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= 4).map(str::to_owned).collect();
        words.sort();
        words.dedup();
        Self(words)
    }
}

/// Whether a password that signs in is known to guessers: on one of the operator's lists, or on the built-in one.
pub fn known_to_guessers(password: &Password, breached: Breached) -> Breached {
    let text = Zeroizing::new(guess::fold(password.as_str()));
    if is_common(&text) { Breached::Listed } else { breached }
}

/// Judges a password that somebody wants to set.
pub fn check(password: &Password, context: &Context, breached: Breached) -> Result<(), PasswordError> {
    let text = Zeroizing::new(guess::fold(password.as_str()));
    let chars: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
    if password.as_str().chars().count() < limits::PASSWORD_MIN_CHARS {
        return Err(PasswordError::TooShort);
    }
    if is_common(&text) {
        return Err(PasswordError::Common);
    }
    if breached == Breached::Listed {
        return Err(PasswordError::Breached);
    }
    if guess::period(&chars) < limits::PASSWORD_MIN_CHARS && guess::period(&chars) * 2 <= chars.len() {
        return Err(PasswordError::Repeats);
    }
    if guess::parts(&chars, &[]) < PARTS {
        return Err(PasswordError::Guessable);
    }
    if guess::parts(&chars, &context.0) < PARTS {
        return Err(PasswordError::Personal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_typed(typed: &str) -> Result<(), PasswordError> {
        let context = Context::new(
            &Name::parse("Nordwind IT").expect("name"),
            &Name::parse("Amelie Schäfer").expect("name"),
            &Email::parse("amelie@nordwind-it.example").expect("email"),
        );
        check(&Password::parse(typed)?, &context, Breached::NotListed)
    }

    #[test]
    fn pwd_01_fifteen_characters_at_least() {
        assert_eq!(check_typed("kT9#vLq2!xWz7m"), Err(PasswordError::TooShort));
        assert_eq!(check_typed("kT9#vLq2!xWz7mR"), Ok(()));
        assert_eq!(check_typed(""), Err(PasswordError::TooShort));
    }

    #[test]
    fn pwd_02_long_ones_are_accepted_and_kept_entire() {
        let long: String =
            ('a'..='z').cycle().zip("31415926535897932384626433".chars().cycle()).flat_map(|(a, b)| [a, b]).take(900).collect();
        assert_eq!(check_typed(&long[..64]), Ok(()));
        let other = format!("{}Z", &long[..899]);
        assert_eq!(check_typed(&other), Ok(()));
        assert_ne!(Password::parse(&long).expect("short enough").as_bytes(), Password::parse(&other).expect("short enough").as_bytes());
        assert_eq!(check_typed(&"x".repeat(1025)), Err(PasswordError::TooLong));
    }

    #[test]
    fn pwd_03_no_rules_about_kinds_of_characters() {
        for typed in [
            "correct horse battery staple",
            "vrolijke fietsers zingen graag",
            "813409571268430",
            "пустынный верблюд идёт",
            "犬猫鳥魚花木山川海空雨雪風雷星",
        ] {
            assert_eq!(check_typed(typed), Ok(()), "{typed}");
        }
    }

    #[test]
    fn pwd_04_common_passwords_are_refused_with_the_reason() {
        for typed in ["passwordpassword", "PasswordPassword", "1qaz2wsx3edc4rfv", "momsanaladventure", "qwerty123456789"] {
            assert_eq!(check_typed(typed), Err(PasswordError::Common), "{typed}");
        }
    }

    #[test]
    fn pwd_04_breached_passwords_are_refused_with_the_reason() {
        let context = Context(Vec::new());
        let password = Password::parse("kT9#vLq2!xWz7mR").expect("short enough");
        assert_eq!(check(&password, &context, Breached::Listed), Err(PasswordError::Breached));
    }

    #[test]
    fn pwd_04_repeats_and_runs_of_keys_are_refused() {
        for typed in ["aaaaaaaaaaaaaaaa", "letmeinletmeinl", "kT9#vLqkT9#vLqkT9#vLq"] {
            assert_eq!(check_typed(typed), Err(PasswordError::Repeats), "{typed}");
        }
        for typed in [
            "123456789012345",
            "987654321098765",
            "qwertyuiopasdfg",
            "abcdefghijklmno",
            "Password1234567!",
            "p@ssw0rd1234567",
            "password.Monkey1",
            "letmeinletmein22",
            "qwertyuiop123456789",
        ] {
            assert!(
                matches!(check_typed(typed), Err(PasswordError::Guessable | PasswordError::Repeats | PasswordError::Common)),
                "{typed}: {:?}",
                check_typed(typed)
            );
        }
    }

    #[test]
    fn pwd_04_names_that_an_attacker_knows_are_refused() {
        for typed in ["sallyport-admin-1", "Nordwind-Nordwind-1", "AmelieSchäfer2024!", "amelie@nordwind-it.example", "S4llyport-2026-x"] {
            assert!(
                matches!(check_typed(typed), Err(PasswordError::Personal | PasswordError::Guessable)),
                "{typed}: {:?}",
                check_typed(typed)
            );
        }
        assert_eq!(check_typed("amelie likes violet teapots"), Ok(()), "a name among enough other parts does no harm");
    }

    #[test]
    fn pwd_05_one_normal_form_is_hashed_and_code_points_are_counted() {
        let (composed, decomposed) = (Password::parse("ﬁancé").expect("short"), Password::parse("fiance\u{301}").expect("short"));
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
        assert_eq!(check_typed("ŧ¢æßðđŋħłøþ«»€←"), Ok(()), "fifteen code points");
    }

    #[test]
    fn pwd_06_nothing_that_a_password_manager_types_is_refused() {
        assert_eq!(check_typed("  V9}~\t&\"'<>\\%00;--  "), Ok(()));
    }
}
