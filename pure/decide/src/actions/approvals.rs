//! What keeps a second person from pressing a button because it came again and again (MFA fatigue): few requests at once, a pause after a
//! no, and a number that only the asker sees, so that the two have talked.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sallyport_model::{RequestId, Timestamp, limits};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const LABEL: &[u8] = b"sallyport.approval-number/1\n";
const DIGITS: usize = 3;

/// The number on the asker's screen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number([u8; DIGITS]);

/// Why a text is no number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the three digits on the asker's screen")]
pub struct NotANumber;

impl Number {
    /// Reads what the second person typed; spaces do not matter.
    ///
    /// # Errors
    /// For everything but three digits.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take(DIGITS + 1).collect();
        match <[u8; DIGITS]>::try_from(digits) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(NotANumber),
        }
    }

    /// Compares without telling by time where the first difference is.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(..)")
    }
}

/// Makes the number of each request from a key that no person has.
pub struct Numbers([u8; 32]);

impl Numbers {
    /// The key is the installation's, the same in all of its processes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The number of a request.
    pub fn of(&self, request: RequestId) -> Number {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        let mac = mac.chain_update(LABEL).chain_update(request.as_bytes()).finalize().into_bytes();
        // Four bytes over a thousand: no number is more likely than another by more than a millionth.
        let mut rest = u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]) % 1000;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        Number(digits)
    }
}

/// What an asker has put before others already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// Their requests that wait for a second person.
    pub open: u64,
    /// Until when nobody hears from them, where somebody said no.
    pub muted_until: Option<Timestamp>,
}

/// Why others are not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// [`limits::OPEN_APPROVALS`] wait already.
    #[error("as many requests as may wait for a second person do")]
    TooMany,
    /// Somebody said no a moment ago.
    #[error("a second person said no; nobody is asked before {0}")]
    Muted(Timestamp),
}

/// Whether others may be asked to be the second person once more.
///
/// # Errors
/// Says whether it is too many, or too soon after a no.
pub fn may_ask_others(pressure: Pressure, now: Timestamp) -> Result<(), NotNow> {
    match pressure {
        Pressure { muted_until: Some(until), .. } if now < until => Err(NotNow::Muted(until)),
        Pressure { open, .. } if open >= limits::OPEN_APPROVALS => Err(NotNow::TooMany),
        Pressure { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    #[test]
    fn a10_few_requests_at_once_and_none_after_a_no() {
        let ask = |open, muted_until| may_ask_others(Pressure { open, muted_until }, at(0));
        assert_eq!(ask(0, None), Ok(()));
        assert_eq!(ask(limits::OPEN_APPROVALS - 1, None), Ok(()));
        assert_eq!(ask(limits::OPEN_APPROVALS, None), Err(NotNow::TooMany));
        assert_eq!(ask(0, Some(at(1))), Err(NotNow::Muted(at(1))));
        assert_eq!(ask(0, Some(at(0))), Ok(()), "over");
        assert_eq!(limits::OPEN_APPROVALS, 3);
        assert_eq!(limits::APPROVAL_MUTE_SECS, 15 * 60);
    }

    #[test]
    fn a10_each_request_has_a_number_that_its_id_does_not_tell() {
        let (ours, theirs) = (Numbers::new([1; 32]), Numbers::new([2; 32]));
        let ids: Vec<RequestId> = (0..200u8).map(|last| RequestId::from_bytes([last; 16])).collect();
        let distinct =
            |numbers: &Numbers| ids.iter().map(|id| numbers.of(*id).to_string()).collect::<std::collections::BTreeSet<_>>().len();
        assert!(distinct(&ours) > 150, "{}", distinct(&ours));
        let same = ids.iter().filter(|id| ours.of(**id).is(&theirs.of(**id))).count();
        assert!(same < 10, "another key, other numbers: {same}");
        assert!(ids.iter().all(|id| ours.of(*id).to_string().len() == 3 && Number::parse(&ours.of(*id).to_string()) == Ok(ours.of(*id))));
    }

    #[test]
    fn a10_what_is_typed_is_three_digits() {
        assert_eq!(Number::parse(" 04 2").map(|number| number.to_string()), Ok("042".to_owned()));
        for text in ["", "42", "0421", "4 2", "abc", "٠٤٢", "-42"] {
            assert!(Number::parse(text).is_err(), "{text:?}");
        }
    }
}
