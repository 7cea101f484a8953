//! Authorization requests: an action that is frozen and waits for proofs.

use sallyport_grant::body::Class;
use sallyport_model::{Digest, RequestId, Timestamp, limits};

use super::{Action, Classified, Eligible, Hour, Requirement, classify};
use crate::policy::Actor;

/// Where a request stands. Every state but `Open` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Waits for proofs.
    Open,
    /// Its requirement was met and it was done, once.
    Executed,
    /// Somebody said no.
    Denied,
    /// It waited too long, or what it stood on changed.
    Expired,
}

impl RequestState {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Executed => "executed",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Executed, Self::Denied, Self::Expired].into_iter().find(|state| state.as_str() == word)
    }
}

/// An action, frozen: nothing of it changes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The request's id.
    pub id: RequestId,
    /// 128 random bits of the server: nobody can know beforehand what a passkey will be asked to sign. Requests from before there were
    /// nonces have none.
    pub nonce: Option<[u8; 16]>,
    /// Who asked.
    pub asker: Actor,
    /// What they asked for.
    pub action: Action,
    /// How dangerous it is.
    pub class: Class,
    /// Why.
    pub class_reason: String,
    /// Distinct devices of the asker's hour, this action's included.
    pub hour_devices: usize,
    /// SHA-256 of the exact bytes.
    pub digest: Digest,
    /// What it takes.
    pub requirement: Requirement,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it lapses.
    pub expires: Timestamp,
}

impl Frozen {
    /// Whether class and requirement are still high enough for what the asker has reached by now. Several requests that were frozen
    /// side by side know nothing of each other: asked again where one is executed, so that the sum cannot be gone around.
    pub fn still_suffices(&self, hour: &Hour, eligible: Eligible) -> bool {
        let class = classify(&self.action, hour).class;
        class <= self.class && Requirement::of(class, eligible).people() <= self.requirement.people()
    }
}

/// Freezes an action under an id and a nonce that nobody chose.
pub fn freeze(
    (id, nonce): (RequestId, [u8; 16]),
    asker: &Actor,
    action: Action,
    classified: Classified,
    eligible: Eligible,
    now: Timestamp,
) -> Frozen {
    Frozen {
        id,
        nonce: Some(nonce),
        digest: action.digest(id, Some(nonce)),
        requirement: Requirement::of(classified.class, eligible),
        class: classified.class,
        class_reason: classified.reason,
        hour_devices: classified.hour_devices,
        asker: asker.clone(),
        action,
        created: now,
        expires: now.plus_secs(limits::REQUEST_LIFETIME_SECS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Action;

    #[test]
    fn wa_15_what_a_passkey_signs_has_128_bits_of_the_servers_beside_an_id_that_tells_the_time() {
        let id = RequestId::from_bytes([1; 16]);
        let digest = |nonce| Action::RegenerateRecoveryCodes.digest(id, nonce);
        for byte in 0..16 {
            let mut other = [2; 16];
            other[byte] ^= 1;
            assert_ne!(digest(Some(other)), digest(Some([2; 16])), "byte {byte} of the nonce");
        }
        assert_ne!(digest(Some([2; 16])), digest(None));
        assert_ne!(Action::RegenerateRecoveryCodes.digest(RequestId::from_bytes([9; 16]), Some([2; 16])), digest(Some([2; 16])));
    }
}
