//! Access tokens: opaque, short, bound to the key that the tool made for this one run.

use sallyport_model::{Timestamp, limits};

use crate::accounts::proof::{ProvenKey, Thumbprint};

/// A stored access token that nobody revoked, as facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessToken {
    /// The key that it is bound to (`cnf.jkt`).
    pub key: Thumbprint,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it was last used; when it was issued, at first.
    pub last_used: Timestamp,
    /// When the licence that it stands on ends, where it stands on one.
    pub licence_ends: Option<Timestamp>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is older than [`limits::ACCESS_TOKEN_SECS`].
    #[error("the access token has expired")]
    Expired,
    /// It was not used for [`limits::ACCESS_TOKEN_IDLE_SECS`].
    #[error("the access token was not used for a minute, and closed by itself")]
    Unused,
    /// The licence that it stands on is over.
    #[error("the licence behind the access token has expired")]
    Licence,
    /// The request is signed by another key: the token was copied.
    #[error("the access token is bound to another key")]
    OtherKey,
}

/// How old the last written use may be before another one is written down.
const USE_SECS: i64 = 5;

impl AccessToken {
    /// Whether it works now, for the holder of this key.
    ///
    /// # Errors
    /// Says why not.
    pub fn judge(&self, proof: &ProvenKey, now: Timestamp) -> Result<(), TokenError> {
        if *proof.key() != self.key {
            return Err(TokenError::OtherKey);
        }
        self.lives(now)
    }

    /// Whether both timers still run.
    ///
    /// # Errors
    /// Says which one ended it.
    pub fn lives(&self, now: Timestamp) -> Result<(), TokenError> {
        if now >= self.expires() {
            return Err(TokenError::Expired);
        }
        if self.licence_ends.is_some_and(|ends| now >= ends) {
            return Err(TokenError::Licence);
        }
        if now >= self.last_used.plus_secs(limits::ACCESS_TOKEN_IDLE_SECS) { Err(TokenError::Unused) } else { Ok(()) }
    }

    /// When it ends at the latest.
    pub fn expires(&self) -> Timestamp {
        self.issued.plus_secs(limits::ACCESS_TOKEN_SECS)
    }

    /// The time to write down as the last use, where there is one to write.
    pub fn touch(&self, now: Timestamp) -> Option<Timestamp> {
        (now.micros_since(self.last_used) >= USE_SECS * 1_000_000).then_some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    #[test]
    fn oa_04_a_token_ends_after_five_minutes_and_after_one_without_use() {
        let key = Thumbprint::from_bytes([1; 32]);
        let token = |last_used| AccessToken { key, issued: at(0), last_used: at(last_used), licence_ends: None };
        assert_eq!(token(0).lives(at(59)), Ok(()));
        assert_eq!(token(0).lives(at(60)), Err(TokenError::Unused));
        assert_eq!(token(290).lives(at(299)), Ok(()));
        assert_eq!(token(290).lives(at(300)), Err(TokenError::Expired));
        assert_eq!((token(0).touch(at(4)), token(0).touch(at(5))), (None, Some(at(5))));
    }

    #[test]
    fn oa_04_a_token_ends_with_its_licence() {
        let key = Thumbprint::from_bytes([1; 32]);
        let token = AccessToken { key, issued: at(0), last_used: at(30), licence_ends: Some(at(40)) };
        assert_eq!((token.lives(at(39)), token.lives(at(40))), (Ok(()), Err(TokenError::Licence)));
    }

    #[test]
    fn oa_12_a_token_works_for_its_own_key_alone() {
        let token = AccessToken { key: Thumbprint::from_bytes([1; 32]), issued: at(0), last_used: at(0), licence_ends: None };
        assert_eq!(token.judge(&ProvenKey::for_tests(Thumbprint::from_bytes([1; 32])), at(1)), Ok(()));
        assert_eq!(token.judge(&ProvenKey::for_tests(Thumbprint::from_bytes([2; 32])), at(1)), Err(TokenError::OtherKey));
    }
}
