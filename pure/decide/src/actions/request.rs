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

/// Freezes an action.
pub fn freeze(id: RequestId, asker: &Actor, action: Action, classified: Classified, eligible: Eligible, now: Timestamp) -> Frozen {
    Frozen {
        id,
        digest: action.digest(id.as_bytes()),
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
