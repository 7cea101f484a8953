//! Challenges: random, for one purpose, one person and one session or browser, for a few minutes, and once.
//!
//! A challenge carries its own expiry and a keyed hash over everything that it is for. So strangers who ask for many fill nothing, an answer
//! to one purpose means nothing for another, and what is stored is which challenges were spent: spent before anything is verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sallyport_model::{Digest, SessionId, Timestamp, UserId, limits};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::accounts::proof::Thumbprint;

const RANDOM_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
const BYTES: usize = 8 + RANDOM_BYTES + MAC_BYTES;
const LABEL: &[u8] = b"sallyport.passkey-challenge/1\n";

/// What a challenge is for. Requests are not among them: their challenge is the digest of what they authorize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Sign in; bound to the browser's key, for there is no session yet.
    SignIn(Thumbprint),
    /// Recover by the authority kit; bound to the browser's key. No passkey answers it.
    Recover(Thumbprint),
    /// Register a passkey.
    Register(SessionId, UserId),
    /// Prove oneself to add or change factors.
    Factors(SessionId, UserId),
    /// Prove oneself to change the password.
    Password(SessionId, UserId),
    /// Prove oneself to lift the session or to open its step-up window.
    Elevate(SessionId, UserId),
    /// Show that the passkey still works.
    CheckUp(SessionId, UserId),
    /// Bind a session to a key in the browser's hardware; no passkey answers it.
    BindDevice(SessionId, UserId),
    /// Renew the cookie of a session that is bound so.
    RenewDevice(SessionId, UserId),
}

impl Scope {
    fn word(&self) -> &'static [u8] {
        match self {
            Scope::SignIn(_) => b"sign-in\n",
            Scope::Recover(_) => b"recover\n",
            Scope::Register(..) => b"register\n",
            Scope::Factors(..) => b"factors\n",
            Scope::Password(..) => b"password\n",
            Scope::Elevate(..) => b"elevate\n",
            Scope::CheckUp(..) => b"check-up\n",
            Scope::BindDevice(..) => b"bind-device\n",
            Scope::RenewDevice(..) => b"renew-device\n",
        }
    }

    /// 32 bytes: a thumbprint, or a session and its user.
    fn holder(&self) -> Vec<u8> {
        match self {
            Scope::SignIn(key) | Scope::Recover(key) => key.as_bytes().to_vec(),
            Scope::Register(session, user)
            | Scope::Factors(session, user)
            | Scope::Password(session, user)
            | Scope::Elevate(session, user)
            | Scope::CheckUp(session, user)
            | Scope::BindDevice(session, user)
            | Scope::RenewDevice(session, user) => [*session.as_bytes(), *user.as_bytes()].concat(),
        }
    }
}

/// The challenge was not made by this installation for this, or it is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ceremony is over or was begun for something else: begin again")]
pub struct Stale;

/// A challenge whose keyed hash and time are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    bytes: [u8; BYTES],
    expires: Timestamp,
}

impl Challenge {
    /// The bytes that the authenticator signs.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Base64url, as options and ceremonies have it.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// Names it among the spent ones.
    pub fn stored(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(self.bytes).into())
    }

    /// From when it need not be remembered.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Makes and recognises challenges.
pub struct Challenges([u8; 32]);

impl Challenges {
    /// The key is the installation's, the same in all of its processes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A new challenge. `random` must come from a cryptographic source.
    pub fn issue(&self, scope: &Scope, random: [u8; RANDOM_BYTES], now: Timestamp) -> Challenge {
        let expires = now.secs() + limits::CEREMONY_SECS;
        self.challenge(scope, expires, &random)
    }

    /// Recognises a challenge; whoever asked must spend it before anything else is verified.
    ///
    /// # Errors
    /// [`Stale`] for every other text.
    pub fn accept(&self, scope: &Scope, text: &str, now: Timestamp) -> Result<Challenge, Stale> {
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Stale)?;
        let (head, _) = bytes.split_at(8 + RANDOM_BYTES);
        let (expires, random) = head.split_at(8);
        let expires = i64::from_be_bytes(expires.try_into().map_err(|_| Stale)?);
        let made = self.challenge(scope, expires, random);
        let lives = now.secs() < expires && expires <= now.secs().saturating_add(limits::CEREMONY_SECS);
        if bool::from(made.bytes.ct_eq(&bytes)) && lives { Ok(made) } else { Err(Stale) }
    }

    fn challenge(&self, scope: &Scope, expires: i64, random: &[u8]) -> Challenge {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        let mac = mac.chain_update(LABEL).chain_update(scope.word()).chain_update(scope.holder());
        let mac = mac.chain_update(expires.to_be_bytes()).chain_update(random).finalize().into_bytes();
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&expires.to_be_bytes());
        bytes[8..8 + RANDOM_BYTES].copy_from_slice(random);
        bytes[8 + RANDOM_BYTES..].copy_from_slice(&mac[..MAC_BYTES]);
        Challenge { bytes, expires: Timestamp::from_secs(expires) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn scopes() -> Vec<Scope> {
        let (session, user) = (SessionId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        vec![
            Scope::SignIn(Thumbprint::from_bytes([3; 32])),
            Scope::SignIn(Thumbprint::from_bytes([4; 32])),
            Scope::Recover(Thumbprint::from_bytes([3; 32])),
            Scope::Recover(Thumbprint::from_bytes([4; 32])),
            Scope::Register(session, user),
            Scope::Factors(session, user),
            Scope::Password(session, user),
            Scope::Elevate(session, user),
            Scope::CheckUp(session, user),
            Scope::CheckUp(SessionId::from_bytes([5; 16]), user),
            Scope::CheckUp(session, UserId::from_bytes([6; 16])),
            Scope::BindDevice(session, user),
            Scope::RenewDevice(session, user),
        ]
    }

    #[test]
    fn wa_11_a_challenge_for_one_purpose_is_refused_for_each_other() {
        let challenges = Challenges::new([7; 32]);
        for issued in scopes() {
            let text = challenges.issue(&issued, [9; 16], at(0)).to_text();
            for asked in scopes() {
                assert_eq!(challenges.accept(&asked, &text, at(1)).is_ok(), asked == issued, "{issued:?} for {asked:?}");
            }
        }
    }

    #[test]
    fn wa_02_challenges_expire_and_cannot_be_made_by_others() {
        let (challenges, scope) = (Challenges::new([7; 32]), scopes()[0]);
        let text = challenges.issue(&scope, [9; 16], at(0)).to_text();
        assert!(challenges.accept(&scope, &text, at(limits::CEREMONY_SECS - 1)).is_ok());
        assert_eq!(challenges.accept(&scope, &text, at(limits::CEREMONY_SECS)), Err(Stale));
        assert_eq!(challenges.accept(&scope, &text, at(-1)), Err(Stale), "from the future");
        assert_eq!(Challenges::new([8; 32]).accept(&scope, &text, at(1)), Err(Stale));
        for changed in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[changed] = if other[changed] == b'A' { b'B' } else { b'A' };
            assert_eq!(challenges.accept(&scope, &String::from_utf8(other).unwrap(), at(1)), Err(Stale), "{changed}");
        }
        assert_eq!(challenges.accept(&scope, "", at(1)), Err(Stale));
    }

    #[test]
    fn wa_02_two_challenges_differ() {
        let (challenges, scope) = (Challenges::new([7; 32]), scopes()[0]);
        assert_ne!(challenges.issue(&scope, [9; 16], at(0)).stored(), challenges.issue(&scope, [10; 16], at(0)).stored());
    }
}
