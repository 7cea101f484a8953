//! Programs on computers without a browser (RFC 8628), where a tenant allows it: the program shows a code, its person types it on a page of the
//! console wherever they are, looks at what asks, and answers with a passkey over exactly that.
//!
//! Whoever asked is a stranger, and victims of phishing have typed such codes for strangers (Storm-2372). So the address of the program must be
//! that of the browser, or both lie in one trusted network, and what comes of it proves nothing ([`Stage::DeviceCode`](crate::policy::Stage)).

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sallyport_grant::{pae, sha256};
use sallyport_model::{Digest, Timestamp, UserId, limits};
use serde::Serialize;
use sha2::Sha256;

use super::proof::{ProvenKey, Thumbprint};
use super::sign_in::HasPasskey;
use crate::networks::{Capability, Rules, within};
use crate::people::DeviceCodes;

/// `grant_type` (RFC 8628, section 3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Letters without vowels (RFC 8628, section 6.1): no words come of them.
pub const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code: 20^8 are 2.56e10 codes, 34.57 bits.
pub const USER_CODE_CHARS: usize = 8;
/// How many codes there are.
pub const USER_CODES: u64 = 25_600_000_000;
const LABEL: &[u8] = b"sallyport.user-code/1\n";
const TYPE: &str = "application/vnd.sallyport.device-request.v1+json";

/// Why a text is not a user code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has eight letters, and none of them is A, E, I, O, U or Y")]
pub struct NotAUserCode;

/// What a person types. Shown by the program that asked, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; USER_CODE_CHARS]);

impl UserCode {
    /// Takes 128 bits from a cryptographic random source: that they are no multiple of 20^8 prefers no code by more than 2^-93.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut left = u128::from_be_bytes(bytes);
        Self(std::array::from_fn(|_| {
            let letter = ALPHABET[(left % 20) as usize];
            left /= 20;
            letter
        }))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    ///
    /// # Errors
    /// Where it cannot be one.
    pub fn parse(text: &str) -> Result<Self, NotAUserCode> {
        // Longer than any honest spelling.
        if text.len() > 64 {
            return Err(NotAUserCode);
        }
        let typed = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'));
        let letters: Option<Vec<u8>> = typed.map(letter).collect();
        letters.and_then(|letters| letters.try_into().ok()).map(Self).ok_or(NotAUserCode)
    }

    /// Two groups of four letters.
    pub fn to_text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let (first, second) = text.split_at(USER_CODE_CHARS / 2);
        format!("{first}-{second}")
    }

    /// What is stored and looked up. 34.57 bits are soon searched, so the hash is keyed: the database alone is no place to search in.
    pub fn stored(&self, pepper: &[u8; 32]) -> Digest {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(pepper).expect("HMAC takes keys of every length");
        Digest::from_bytes(mac.chain_update(LABEL).chain_update(self.0).finalize().into_bytes().into())
    }
}

fn letter(c: char) -> Option<u8> {
    let upper = u8::try_from(c.to_ascii_uppercase()).ok()?;
    ALPHABET.contains(&upper).then_some(upper)
}

/// A program that waits for its person, as it is shown to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Hash of the program's own code: no two requests have the same.
    pub code: Digest,
    /// The key that the session will be bound to.
    pub key: Thumbprint,
    /// What it calls itself.
    pub program: String,
    /// Where it asked from.
    pub address: String,
    /// What it sent as its user agent.
    pub user_agent: String,
    /// When it asked.
    pub asked: Timestamp,
    /// Until when it waits.
    pub expires: Timestamp,
}

#[derive(Serialize)]
struct Said<'a> {
    user: UserId,
    code: Digest,
    key: &'a [u8; 32],
    program: &'a str,
    address: &'a str,
    user_agent: &'a str,
    asked: Timestamp,
    expires: Timestamp,
}

impl DeviceRequest {
    /// What a person's passkey signs: everything that they are shown, the program's key, and who they are.
    pub fn digest(&self, user: UserId) -> Digest {
        let Self { code, key, program, address, user_agent, asked, expires } = self;
        let said = Said { user, code: *code, key: key.as_bytes(), program, address, user_agent, asked: *asked, expires: *expires };
        sha256(&[&pae(TYPE, &serde_json::to_vec(&said).expect("plain data"))])
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Nobody has answered yet.
    Waiting,
    /// A person said yes.
    Yes,
    /// A person said no.
    No,
    /// The program has its session: nothing more comes of it.
    Spent,
}

impl Answered {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Yes => "yes",
            Self::No => "no",
            Self::Spent => "spent",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Yes, Self::No, Self::Spent].into_iter().find(|one| one.as_str() == word)
    }
}

/// A request as the program that polls for it finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// The key that asked.
    pub key: Thumbprint,
    /// What became of it.
    pub answered: Answered,
    /// Until when it waits, and its answer.
    pub expires: Timestamp,
    /// How long the program has to wait between two polls.
    pub interval_secs: i64,
    /// When it polled last.
    pub last_poll: Option<Timestamp>,
}

/// What a poll is answered with (RFC 8628, section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// `authorization_pending`.
    Pending,
    /// `slow_down`: from now on the program waits longer.
    TooFast,
    /// `access_denied`.
    Denied,
    /// `expired_token`.
    Expired,
    /// The session, once.
    Approved,
    /// `invalid_grant`: it was used, or another key asks. Nothing changes by it.
    Nothing,
}

impl Polled {
    /// Judges a poll.
    pub fn judge(&self, proof: &ProvenKey, now: Timestamp) -> Poll {
        if *proof.key() != self.key || self.answered == Answered::Spent {
            return Poll::Nothing;
        }
        if now >= self.expires {
            return Poll::Expired;
        }
        match self.answered {
            Answered::Yes => Poll::Approved,
            Answered::No => Poll::Denied,
            Answered::Waiting if self.is_early(now) => Poll::TooFast,
            Answered::Waiting | Answered::Spent => Poll::Pending,
        }
    }

    fn is_early(&self, now: Timestamp) -> bool {
        // A clock that went back makes nobody early.
        self.last_poll.is_some_and(|last| last <= now && now < last.plus_secs(self.interval_secs))
    }

    /// How long it has to wait after this poll: five seconds more after each that came too early, and that is remembered.
    pub fn interval_after(&self, poll: Poll) -> i64 {
        if poll == Poll::TooFast { self.interval_secs + limits::DEVICE_POLL_SECS } else { self.interval_secs }
    }
}

/// Why nobody may say yes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MayNot {
    /// The tenant does not allow it.
    #[error("Your tenant does not let programs in by a code. Nothing was done.")]
    Off,
    /// They have no passkey.
    #[error("Letting a program in by a code takes a passkey, and there is none in your account: add one on your profile page.")]
    NoPasskey,
    /// The program is where nobody of this tenant may sign in.
    #[error("Your tenant's networks allow no sign-in from where the program is.")]
    Forbidden,
    /// The program is somewhere else than the browser.
    #[error("The program is at another address than you are, and no trusted network of your tenant has both.")]
    Apart,
}

/// What a yes is judged by.
#[derive(Debug)]
pub struct Ground<'a> {
    /// The tenant's policy.
    pub allowed: DeviceCodes,
    /// Whether the person has a passkey.
    pub passkey: HasPasskey,
    /// The tenant's rules about addresses.
    pub rules: &'a Rules,
}

impl Ground<'_> {
    /// Whether this person may say yes at all: asked before a code is looked up, so that nobody is told about codes for nothing.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub fn begins(&self) -> Result<(), MayNot> {
        match (self.allowed, self.passkey) {
            (DeviceCodes::Refused, _) => Err(MayNot::Off),
            (DeviceCodes::Allowed, HasPasskey::No) => Err(MayNot::NoPasskey),
            (DeviceCodes::Allowed, HasPasskey::Yes) => Ok(()),
        }
    }

    /// Whether a yes from a browser counts for a program, by where the two are.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub fn judge(&self, program: IpAddr, browser: IpAddr) -> Result<(), MayNot> {
        self.begins()?;
        if !self.rules.allows(Capability::SignIn, program) {
            return Err(MayNot::Forbidden);
        }
        // Both in one network: an office is not let in by another one.
        let has_both = |ranges: &[_]| within(ranges, program) && within(ranges, browser);
        let near = program == browser || self.rules.trusted.iter().any(|network| has_both(&network.ranges));
        if near { Ok(()) } else { Err(MayNot::Apart) }
    }
}

/// Wrong codes of one person, or from one address, within an hour.
///
/// Codes are 2.56e10, and [`limits::DEVICE_REQUESTS`] of them at most are good at a time: one guess hits one with 3.9e-8. A person has ten guesses in
/// an hour and so, over a year without sleep, 87,600: a chance of 0.4 % to see somebody's request, while the table is always full. What is
/// hit can be answered from the program's own address alone, and lets that program in as whoever guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guesses {
    /// Charged since `since`.
    pub count: u32,
    /// When the first of them was charged.
    pub since: Timestamp,
}

/// Too many wrong codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MustWait {
    /// Seconds until the next one, at least 1.
    pub secs: u32,
}

impl Guesses {
    /// Charges a code before it is compared. What was right gives its charge back.
    ///
    /// # Errors
    /// [`MustWait`] where there were `most` within the hour.
    pub fn charge(before: Option<Self>, most: u32, now: Timestamp) -> Result<Self, MustWait> {
        let live = before.filter(|one| one.since <= now && now < one.since.plus_secs(limits::DEVICE_GUESS_WINDOW_SECS));
        let Some(one) = live else { return Ok(Self { count: 1, since: now }) };
        if one.count >= most {
            let left = one.since.plus_secs(limits::DEVICE_GUESS_WINDOW_SECS).micros_since(now);
            return Err(MustWait { secs: u32::try_from((left + 999_999) / 1_000_000).unwrap_or(u32::MAX) });
        }
        Ok(Self { count: one.count + 1, ..one })
    }
}

#[cfg(test)]
mod tests;
