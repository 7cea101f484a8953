//! Sessions: a secret in a cookie, bound to a browser's key, with two timers that only the server holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::body::RemoteKind;
use sallyport_model::{Digest, SessionId, Timestamp, limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::proof::{ProvenKey, Thumbprint};
use crate::policy::Stage;

/// Bytes of a bearer secret: 256 bits.
pub const TOKEN_BYTES: usize = 32;
/// Activity is written down when the last that was is older than this: not each click is a write.
pub const ACTIVITY_SECS: i64 = 30;

/// What a bearer secret is for; a secret of one purpose has no meaning for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The cookie of a session.
    Session,
    /// The one-time link of the set-up.
    Setup,
    /// A set-up or an enrolment that was begun.
    Draft,
    /// One connection of a stream.
    Stream,
    /// A mailed link that approves an address.
    Address,
    /// An invitation or activation link.
    Link,
    /// An activation that was begun.
    ActivationDraft,
    /// "Not me" of a mail.
    NotMe,
    /// The access token of an API client.
    Access,
    /// The code that lets a program in.
    ProgramCode,
    /// The code by which a program polls for its person's answer.
    DeviceCode,
}

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of 43 base64url characters")]
pub struct NotAToken;

/// 256 random bits that mean something to their holder alone. Neither printed nor compared; stored as a hash.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; TOKEN_BYTES]>);

impl Token {
    /// Takes 256 bits from a cryptographic random source.
    pub fn from_bytes(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAToken)?);
        bytes.as_slice().try_into().map(Self::from_bytes).map_err(|_| NotAToken)
    }

    /// 43 characters, opaque.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What is stored and looked up: SHA-256. 256 random bits need no slow hash and no salt.
    pub fn stored(&self, purpose: Purpose) -> Digest {
        let label: &[u8] = match purpose {
            Purpose::Session => b"sallyport.session/1\n",
            Purpose::Setup => b"sallyport.setup/1\n",
            Purpose::Draft => b"sallyport.setup-draft/1\n",
            Purpose::Stream => b"sallyport.stream-ticket/1\n",
            Purpose::Address => b"sallyport.address/1\n",
            Purpose::Link => b"sallyport.link/1\n",
            Purpose::ActivationDraft => b"sallyport.activation-draft/1\n",
            Purpose::NotMe => b"sallyport.not-me/1\n",
            Purpose::Access => b"sallyport.access-token/1\n",
            Purpose::ProgramCode => b"sallyport.program-code/1\n",
            Purpose::DeviceCode => b"sallyport.device-code/1\n",
        };
        Digest::from_bytes(Sha256::new().chain_update(label).chain_update(*self.0).finalize().into())
    }
}

/// How a session's person proved themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A code of an authenticator app.
    Totp,
    /// A passkey that verified its user; there was no password.
    Passkey,
    /// A recovery code.
    RecoveryCode,
    /// The password and the authority's signature, of an only owner who had nothing else left.
    AuthorityKit,
    /// The password alone, where policy allows that.
    Password,
}

impl Method {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Totp => "totp",
            Method::Passkey => "passkey",
            Method::RecoveryCode => "recovery_code",
            Method::AuthorityKit => "authority_kit",
            Method::Password => "password",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        let known = [Method::Totp, Method::Passkey, Method::RecoveryCode, Method::AuthorityKit, Method::Password];
        known.into_iter().find(|method| method.as_str() == text)
    }
}

/// A stored session, as facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id; no secret.
    pub id: SessionId,
    /// The key that it is bound to.
    pub key: Thumbprint,
    /// What it is good for.
    pub stage: Stage,
    /// When it began. Rotation does not change it.
    pub created: Timestamp,
    /// When its person last did something.
    pub last_active: Timestamp,
    /// When its person last proved a factor (RFC 9470's `auth_time`).
    pub auth_time: Timestamp,
    /// How they did.
    pub method: Method,
    /// The step-up window, open or not any more.
    pub step_up: Option<StepUpWindow>,
    /// The tenant's timers.
    pub timers: Timers,
    /// When the person's account ends by itself.
    pub account_ends: Option<Timestamp>,
}

/// How long sessions of a tenant last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// A session without use ends after this.
    pub idle_secs: i64,
    /// A session ends after this, used or not.
    pub lifetime_secs: i64,
}

impl Default for Timers {
    fn default() -> Self {
        Self { idle_secs: limits::SESSION_IDLE_SECS, lifetime_secs: limits::SESSION_LIFETIME_SECS }
    }
}

/// Why a session is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Nothing was done for [`Timers::idle_secs`].
    #[error("the session was not used for too long")]
    Idle,
    /// It is older than [`Timers::lifetime_secs`], or the account has ended.
    #[error("the session reached its longest time")]
    Expired,
    /// The request is signed by another key: the cookie was copied.
    #[error("the session belongs to another browser")]
    OtherKey,
}

impl Session {
    /// When it ends at the latest.
    pub fn expires(&self) -> Timestamp {
        let longest = self.created.plus_secs(self.timers.lifetime_secs);
        self.account_ends.map_or(longest, |ends| ends.min(longest))
    }

    /// When it ends if nothing is done.
    pub fn idle_expires(&self) -> Timestamp {
        self.last_active.plus_secs(self.timers.idle_secs).min(self.expires())
    }

    /// Whether the session lives at this moment and the request is from its browser.
    ///
    /// # Errors
    /// Says which timer ended it, or that the key is another one.
    pub fn judge(&self, proof: &ProvenKey, now: Timestamp) -> Result<(), SessionError> {
        if *proof.key() != self.key {
            return Err(SessionError::OtherKey);
        }
        self.lives(now)
    }

    /// Whether both timers still run; for streams that are open already.
    ///
    /// # Errors
    /// Says which timer ended it.
    pub fn lives(&self, now: Timestamp) -> Result<(), SessionError> {
        if now >= self.expires() {
            return Err(SessionError::Expired);
        }
        if now >= self.idle_expires() { Err(SessionError::Idle) } else { Ok(()) }
    }

    /// The time to write down as the last activity, where there is one to write.
    pub fn touch(&self, activity: Activity, now: Timestamp) -> Option<Timestamp> {
        match activity {
            Activity::Person if now.micros_since(self.last_active) >= ACTIVITY_SECS * 1_000_000 => Some(now),
            Activity::Person | Activity::Background => None,
        }
    }

    /// Until when the step-up window is open, if it is.
    pub fn step_up_until(&self, window_secs: i64, now: Timestamp) -> Option<Timestamp> {
        // A clock that went back does not make a window longer.
        let begun = self.step_up.as_ref().filter(|window| window.opened_at <= now);
        begun.map(|window| window.closes(window_secs)).filter(|closes| *closes > now)
    }
}

/// Who caused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A person.
    Person,
    /// The page by itself: it asks again and again, or follows events.
    Background,
}

impl Activity {
    /// Only what reads can be in the background; the page marks it by `x-sallyport-background: 1`, event streams are so by themselves.
    pub fn of(method: &str, background_header: Option<&[u8]>, accept_header: Option<&[u8]>) -> Self {
        let marked = background_header == Some(b"1") || accept_header == Some(b"text/event-stream");
        if method == "GET" && marked { Activity::Background } else { Activity::Person }
    }
}

/// The time after a proved factor in which class 1 needs no other proof. It belongs to one session and never slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepUpWindow {
    /// When the factor was proved.
    pub opened_at: Timestamp,
    /// The kind of remote session that it was first used for; then it is good for no other.
    pub kind: Option<RemoteKind>,
}

impl StepUpWindow {
    /// Opens at the moment at which a factor was proved.
    pub fn open(now: Timestamp) -> Self {
        Self { opened_at: now, kind: None }
    }

    /// When it closes. The tenant's length is cut to [`limits::STEP_UP_WINDOW_MAX_SECS`].
    pub fn closes(&self, window_secs: i64) -> Timestamp {
        self.opened_at.plus_secs(window_secs.clamp(0, limits::STEP_UP_WINDOW_MAX_SECS))
    }

    /// Uses the window for a kind of remote session; what comes back is to be stored.
    pub fn use_for(self, kind: RemoteKind, window_secs: i64, now: Timestamp) -> Option<Self> {
        let fits = self.kind.is_none_or(|used| used == kind);
        (fits && self.opened_at <= now && now < self.closes(window_secs)).then_some(Self { kind: Some(kind), ..self })
    }
}

#[cfg(test)]
mod tests;
