//! Time-based codes: RFC 4226 (HOTP) and RFC 6238 (TOTP), and the one decision about a code that somebody typed.
//!
//! What authenticator apps agree on is in use: SHA-1, six digits, thirty seconds. A code is accepted one step around now, and only
//! forward: the step of an accepted code must be later than that of every code accepted before, whatever the route was.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sallyport_model::{Email, Name, Timestamp};
use subtle::{ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Length of a step, in seconds.
pub const STEP_SECS: i64 = 30;
/// Steps before and after now whose codes are accepted: room for a clock and a hand that are late, not a longer life of a code.
pub const SKEW_STEPS: u64 = 1;
/// Bytes of a secret: the 160 bits that RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;

const DIGITS: u32 = 6;

/// The hash functions that RFC 6238 knows. Only SHA-1 is put into QR codes: several apps ignore the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// A counter of thirty seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u64);

impl Step {
    /// The step that `now` is in.
    pub fn at(now: Timestamp) -> Self {
        Self(u64::try_from(now.secs() / STEP_SECS).unwrap_or_default())
    }

    /// Takes the stored number back; one that was never stored is the first step.
    pub fn from_stored(number: i64) -> Self {
        Self(u64::try_from(number).unwrap_or_default())
    }

    /// The number to store.
    pub fn to_stored(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

/// The secret that server and authenticator share. Neither printed nor compared.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

impl Secret {
    /// Takes 160 bits from a cryptographic random source, or from the sealed store.
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for sealing them.
    pub fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// 32 characters of base32 for typing, without padding: some apps refuse the padding.
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&*self.0))
    }

    /// What the QR code says (Google Authenticator's key URI format); parameters that apps assume anyway are said.
    pub fn to_uri(&self, issuer: &Name, account: &Email) -> Zeroizing<String> {
        let (issuer, account) = (percent_encode(issuer.as_str()), percent_encode(account.as_str()));
        let secret = self.to_base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECS}",
            *secret
        ))
    }
}

/// Leaves RFC 3986's unreserved characters as they are.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has exactly six digits")]
pub struct NotACode;

/// Six digits, in the one form that is compared.
#[derive(Clone, Copy)]
pub struct Code([u8; DIGITS as usize]);

impl Code {
    /// Reads what a person typed: spaces and hyphens go, digits of any width become ASCII (NFKC); leading zeros stay.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        // Longer than any honest spelling of six digits: not worth normalising.
        if text.len() > 64 {
            return Err(NotACode);
        }
        let mut digits = text.nfkc().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'));
        let mut code = [0u8; DIGITS as usize];
        for place in &mut code {
            *place = digits.next().filter(char::is_ascii_digit).and_then(|c| u8::try_from(c).ok()).ok_or(NotACode)?;
        }
        match digits.next() {
            None => Ok(Self(code)),
            Some(_) => Err(NotACode),
        }
    }

    /// The code that an authenticator shows during a step.
    pub fn at(secret: &Secret, step: Step) -> Self {
        let number = hotp(Algorithm::Sha1, secret.as_bytes(), step.0, DIGITS);
        let mut code = [b'0'; DIGITS as usize];
        let mut rest = number;
        for place in code.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self(code)
    }

    /// The six digits, as shown.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// RFC 4226, section 5.3, with the hash functions of RFC 6238; `digits` is 1 to 9.
pub fn hotp(algorithm: Algorithm, key: &[u8], counter: u64, digits: u32) -> u32 {
    let message = counter.to_be_bytes();
    let truncated = match algorithm {
        Algorithm::Sha1 => truncate(mac::<Hmac<sha1::Sha1>>(key, &message).as_slice()),
        Algorithm::Sha256 => truncate(mac::<Hmac<sha2::Sha256>>(key, &message).as_slice()),
        Algorithm::Sha512 => truncate(mac::<Hmac<sha2::Sha512>>(key, &message).as_slice()),
    };
    truncated % 10u32.pow(digits.clamp(1, 9))
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

/// Dynamic truncation: 31 bits from where the last half-byte points to.
fn truncate(digest: &[u8]) -> u32 {
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let word = digest.get(offset..offset + 4).map_or([0; 4], |four| [four[0], four[1], four[2], four[3]]);
    u32::from_be_bytes(word) & 0x7fff_ffff
}

/// A code that counts, and the step that it uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the step must be stored as used, or the code works twice"]
#[non_exhaustive]
pub struct Accepted {
    /// To be stored as the factor's last step, on condition that the stored one is still earlier.
    pub step: Step,
}

/// The one answer to a code that is wrong, too old or already used: telling them apart would say that a used code was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code is not accepted")]
pub struct CodeRefused;

/// Judges a code: `last_step` is the step of the last accepted one. All candidates are compared, in constant time.
pub fn judge(secret: &Secret, code: &Code, last_step: Option<Step>, now: Timestamp) -> Result<Accepted, CodeRefused> {
    let current = Step::at(now).0;
    let floor = last_step.map_or(0, |step| step.0 + 1);
    // Zero is no step that a clock of this century can be in, so it stands for "none".
    let mut found = 0u64;
    for step in (current.saturating_sub(SKEW_STEPS)..=current + SKEW_STEPS).rev() {
        let same = Code::at(secret, Step(step)).0.ct_eq(&code.0);
        let forward = !floor.ct_gt(&step);
        found.conditional_assign(&step, same & forward);
    }
    if found == 0 { Err(CodeRefused) } else { Ok(Accepted { step: Step(found) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_010;

    fn secret() -> Secret {
        Secret::from_bytes(*b"12345678901234567890")
    }

    fn now() -> Timestamp {
        Timestamp::from_secs(NOW)
    }

    fn code_of(steps_from_now: i64) -> Code {
        Code::at(&secret(), Step::at(Timestamp::from_secs(NOW + steps_from_now * STEP_SECS)))
    }

    #[test]
    fn totp_01_vectors_of_rfc_6238() {
        let keys: [(Algorithm, usize); 3] = [(Algorithm::Sha1, 20), (Algorithm::Sha256, 32), (Algorithm::Sha512, 64)];
        let table = [
            (59, [94287082, 46119246, 90693936]),
            (1111111109, [7081804, 68084774, 25091201]),
            (1111111111, [14050471, 67062674, 99943326]),
            (1234567890, [89005924, 91819424, 93441116]),
            (2000000000, [69279037, 90698825, 38618901]),
            (20000000000, [65353130, 77737706, 47863826]),
        ];
        for (time, codes) in table {
            for ((algorithm, length), code) in keys.into_iter().zip(codes) {
                let key: Vec<u8> = (1..=9u8).chain([0]).cycle().map(|d| b'0' + d).take(length).collect();
                let step = Step::at(Timestamp::from_secs(time));
                assert_eq!(hotp(algorithm, &key, step.0, 8), code, "{algorithm:?} at {time}");
            }
        }
    }

    #[test]
    fn totp_02_vectors_of_rfc_4226() {
        let codes = [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489];
        for (counter, code) in (0u64..).zip(codes) {
            assert_eq!(hotp(Algorithm::Sha1, secret().as_bytes(), counter, 6), code, "counter {counter}");
        }
    }

    #[test]
    fn totp_03_a_secret_has_160_bits() {
        assert_eq!(secret().as_bytes().len() * 8, 160);
        assert_eq!(*secret().to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn totp_03_the_uri_says_everything_that_apps_need() {
        let uri = secret().to_uri(&Name::parse("Müller & Co: IT").expect("name"), &Email::parse("a+b@example.test").expect("email"));
        assert_eq!(
            *uri,
            "otpauth://totp/M%C3%BCller%20%26%20Co%3A%20IT:a%2Bb%40example.test?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=M%C3%BCller%20%26%20Co%3A%20IT&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn totp_04_the_same_code_counts_once() {
        let Accepted { step } = judge(&secret(), &code_of(0), None, now()).expect("a fresh code");
        assert_eq!(judge(&secret(), &code_of(0), Some(step), now()), Err(CodeRefused));
    }

    #[test]
    fn totp_09_only_forward() {
        let Accepted { step } = judge(&secret(), &code_of(0), None, now()).expect("a fresh code");
        assert_eq!(judge(&secret(), &code_of(-1), Some(step), now()), Err(CodeRefused), "an earlier one is still inside the window");
        assert!(judge(&secret(), &code_of(1), Some(step), now()).is_ok());
    }

    #[test]
    fn totp_09_a_clock_that_goes_back_accepts_nothing_again() {
        let Accepted { step } = judge(&secret(), &code_of(0), None, now()).expect("a fresh code");
        let hour_ago = now().plus_secs(-3600);
        assert_eq!(judge(&secret(), &code_of(-120), Some(step), hour_ago), Err(CodeRefused));
    }

    #[test]
    fn totp_10_one_step_around_now_and_no_more() {
        for (steps, accepted) in [(-3, false), (-2, false), (-1, true), (0, true), (1, true), (2, false), (3, false)] {
            assert_eq!(judge(&secret(), &code_of(steps), None, now()).is_ok(), accepted, "{steps} steps from now");
        }
    }

    #[test]
    fn totp_10_borders_of_a_step() {
        let step = |secs| Step::at(Timestamp::from_secs(secs));
        assert_eq!(step(29), step(0));
        assert!(step(30) > step(29));
        assert_eq!(Step::from_stored(step(NOW).to_stored()), step(NOW));
    }

    #[test]
    fn totp_13_spellings_of_one_code_are_one_code() {
        for text in ["012345", "012 345", " 012345\n", "0 1 2 3 4 5", "012-345", "０１２３４５", "０１２\u{3000}345", "012\u{a0}345"]
        {
            assert_eq!(Code::parse(text).map(|code| code.as_str().to_owned()), Ok("012345".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn totp_13_what_is_not_six_digits_is_no_code() {
        let long = "0".repeat(100_000);
        for text in
            ["", "12345", "1234567", "12345a", "+12345", "-1234５６7", "1e5", "0x1234", "12.345", "१२३४५६", "①②③④⑤⑥⑦", "12345\u{0}", &long]
        {
            assert!(Code::parse(text).is_err(), "{text:.40?}");
        }
    }

    #[test]
    fn totp_16_all_three_candidates_are_compared_and_the_earliest_forward_one_is_used_up() {
        // Whatever the place of the match is, the loop has no early exit: it yields the step of the match.
        for steps in [-1, 0, 1] {
            let Accepted { step } = judge(&secret(), &code_of(steps), None, now()).expect("inside the window");
            assert_eq!(step, Step::at(Timestamp::from_secs(NOW + steps * STEP_SECS)));
        }
    }

    #[test]
    fn totp_17_a_used_code_and_a_wrong_one_get_the_same_answer() {
        let Accepted { step } = judge(&secret(), &code_of(0), None, now()).expect("a fresh code");
        let wrong = Code::parse("000000").expect("digits");
        assert_eq!(judge(&secret(), &code_of(0), Some(step), now()), judge(&secret(), &wrong, None, now()));
    }
}
