//! What it takes to release an action, and the proof value that it was all there.

use sallyport_grant::body::{Class, FactorProof, ProofMethod};
use sallyport_model::{Email, RequestId, TextError, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};

use super::Frozen;

/// How many other people of the tenant could be the second one.
///
/// Counted by the store: active, with an active factor, allowed to prove, and as old as an account
/// must be before it counts (7 days), so that a fresh account is nobody's second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eligible {
    /// People other than the asker.
    pub others: usize,
}

/// What it takes (profile `starter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// The asker's step-up window, or a code for this very request.
    StepUp,
    /// A code of the asker for this very request.
    FreshCode,
    /// Codes of the asker and of another person, both for this very request.
    TwoPeople,
}

impl Requirement {
    /// What a class takes. Two people only where the tenant has two.
    pub fn of(class: Class, eligible: Eligible) -> Self {
        match class {
            Class::Read | Class::OneDevice => Self::StepUp,
            Class::Fleet => Self::FreshCode,
            Class::Mass if eligible.others == 0 => Self::FreshCode,
            Class::Mass => Self::TwoPeople,
        }
    }

    /// How many distinct people.
    pub fn people(self) -> usize {
        match self {
            Self::StepUp | Self::FreshCode => 1,
            Self::TwoPeople => 2,
        }
    }
}

/// How somebody proved themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A code that was accepted for this very request.
    Totp,
    /// A passkey's answer whose challenge is this very request's digest.
    Passkey,
    /// The open step-up window of the asking session.
    StepUp,
}

impl Method {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::StepUp => "step_up",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey, Self::StepUp].into_iter().find(|method| method.as_str() == word)
    }
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Whose.
    pub user: UserId,
    /// Their e-mail address.
    pub email: String,
    /// How.
    pub method: Method,
    /// When.
    pub at: Timestamp,
}

impl Proof {
    /// The proof as devices read it.
    fn attested(&self) -> Result<FactorProof, TextError> {
        let method = match self.method {
            Method::Totp => ProofMethod::Totp,
            Method::Passkey => ProofMethod::Passkey,
            Method::StepUp => ProofMethod::StepUp,
        };
        Ok(FactorProof { user: self.user, email: Email::parse(&self.email)?, method, at: self.at })
    }
}

/// What is still missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The asker's own proof.
    #[error("the asking person's proof is missing")]
    Asker,
    /// Another person's proof.
    #[error("another person's proof is missing")]
    Another,
    /// It waited too long.
    #[error("the request has lapsed")]
    Lapsed,
}

/// The requirement is met. Made by [`release`] alone; executing an action takes one by value.
#[derive(Debug)]
pub struct Released {
    frozen: Frozen,
    proofs: Vec<Proof>,
    at: Timestamp,
}

impl Released {
    /// What was released.
    pub fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// The proofs that released it.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// What the server attests to devices: the proofs that counted, and no others.
    ///
    /// # Errors
    /// When a stored address is none.
    pub fn attested(&self) -> Result<Vec<FactorProof>, TextError> {
        self.proofs.iter().filter(|proof| counts(&self.frozen, proof, self.at)).map(Proof::attested).collect()
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Which request it was.
    pub fn request(&self) -> RequestId {
        self.frozen.id
    }
}

/// Releases an action whose requirement is met, or says what is missing.
///
/// # Errors
/// Says what is missing, or that it waited too long.
pub fn release(frozen: Frozen, proofs: Vec<Proof>, now: Timestamp) -> Result<Released, Missing> {
    if now >= frozen.expires {
        return Err(Missing::Lapsed);
    }
    let counts = |proof: &&Proof| counts(&frozen, proof, now);
    if !proofs.iter().filter(counts).any(|proof| proof.user == frozen.asker.user) {
        return Err(Missing::Asker);
    }
    if frozen.requirement.people() > 1 && !proofs.iter().filter(counts).any(|proof| proof.user != frozen.asker.user) {
        return Err(Missing::Another);
    }
    Ok(Released { frozen, proofs, at: now })
}

/// A code counts for the request that it was given for; a window only for class 1, only for the asker, only while open.
fn counts(frozen: &Frozen, proof: &Proof, now: Timestamp) -> bool {
    match proof.method {
        Method::Totp | Method::Passkey => {
            proof.at >= frozen.created && now.micros_since(proof.at) <= limits::REQUEST_LIFETIME_SECS * 1_000_000
        }
        Method::StepUp => {
            frozen.requirement == Requirement::StepUp && proof.user == frozen.asker.user && frozen.asker.window_covers(&frozen.action, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use sallyport_grant::KeyId;
    use sallyport_grant::body::{Access, Entry, RemoteKind};
    use sallyport_model::{DeviceId, Digest, GrantId, RemoteSessionId, SessionId, TenantId};

    use super::super::{Action, Classified, OpenRemoteSession, Target, freeze};
    use super::*;
    use crate::policy::{Actor, Rights, Role, Stage};

    const NOW: i64 = 1_790_000_000;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(NOW + secs)
    }

    fn user(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    fn frozen(class: Class, others: usize, step_up_until: Option<Timestamp>) -> Frozen {
        let asker = Actor {
            tenant: TenantId::from_bytes([1; 16]),
            user: user(1),
            email: "a@b".into(),
            name: "A".into(),
            rights: Rights::of(Role::Owner),
            session: SessionId::from_bytes([3; 16]),
            stage: Stage::Full,
            step_up_until,
            step_up_kind: None,
        };
        let classified = Classified { class, reason: String::new(), hour_devices: 0 };
        freeze((RequestId::from_bytes([4; 16]), [5; 16]), &asker, Action::RegenerateRecoveryCodes, classified, Eligible { others }, at(0))
    }

    fn proof(n: u8, method: Method, secs: i64) -> Proof {
        Proof { user: user(n), email: "a@b".into(), method, at: at(secs) }
    }

    #[test]
    fn an_open_window_releases_class_one_only() {
        let window = || vec![proof(1, Method::StepUp, 1)];
        assert!(release(frozen(Class::OneDevice, 0, Some(at(60))), window(), at(1)).is_ok());
        assert_eq!(release(frozen(Class::Fleet, 0, Some(at(60))), window(), at(1)).unwrap_err(), Missing::Asker);
    }

    #[test]
    fn step_09_a_closed_window_releases_nothing() {
        let window = vec![proof(1, Method::StepUp, 1)];
        assert_eq!(release(frozen(Class::OneDevice, 0, Some(at(1))), window.clone(), at(1)).unwrap_err(), Missing::Asker);
        assert_eq!(release(frozen(Class::OneDevice, 0, None), window, at(1)).unwrap_err(), Missing::Asker);
    }

    #[test]
    fn step_09_a_window_that_was_used_for_one_kind_opens_no_other() {
        let target = Target { device: DeviceId::from_bytes([5; 16]), name: "web-1".into(), thumbprint: KeyId(Digest::from_bytes([6; 32])) };
        let open = OpenRemoteSession {
            grant: GrantId::from_bytes([7; 16]),
            session: RemoteSessionId::from_bytes([8; 16]),
            kind: RemoteKind::Files,
            access: Access::Control,
            joins: Entry::Opens,
            body: String::new(),
            target,
            policy: 0,
        };
        let released = |kind: Option<RemoteKind>| {
            let mut frozen = frozen(Class::OneDevice, 0, Some(at(60)));
            frozen.action = Action::OpenRemoteSession(open.clone());
            frozen.asker.step_up_kind = kind;
            release(frozen, vec![proof(1, Method::StepUp, 1)], at(1)).map(|_| ())
        };
        assert_eq!(released(None), Ok(()));
        assert_eq!(released(Some(RemoteKind::Files)), Ok(()));
        assert_eq!(released(Some(RemoteKind::Terminal)), Err(Missing::Asker));
    }

    #[test]
    fn a_code_from_before_the_request_does_not_count() {
        assert_eq!(release(frozen(Class::Fleet, 0, None), vec![proof(1, Method::Totp, -1)], at(1)).unwrap_err(), Missing::Asker);
        assert!(release(frozen(Class::Fleet, 0, None), vec![proof(1, Method::Totp, 1)], at(1)).is_ok());
    }

    #[test]
    fn tx_11_mass_takes_two_people_where_there_are_two() {
        let own = vec![proof(1, Method::Totp, 1), proof(1, Method::Totp, 2)];
        assert!(release(frozen(Class::Mass, 0, None), own.clone(), at(2)).is_ok(), "a single owner is not locked out");
        assert_eq!(release(frozen(Class::Mass, 1, None), own, at(2)).unwrap_err(), Missing::Another, "one person twice is one person");
        let both = vec![proof(1, Method::Totp, 1), proof(2, Method::Totp, 2)];
        assert!(release(frozen(Class::Mass, 1, None), both, at(2)).is_ok());
        let other_only = vec![proof(2, Method::Totp, 1), proof(3, Method::Totp, 2)];
        assert_eq!(release(frozen(Class::Mass, 2, None), other_only, at(2)).unwrap_err(), Missing::Asker);
    }

    #[test]
    fn only_proofs_that_counted_are_attested() {
        let early = proof(2, Method::Totp, -1);
        let window = proof(2, Method::StepUp, 1);
        let proofs = vec![early, window, proof(1, Method::Totp, 1), proof(2, Method::Totp, 2)];
        let released = release(frozen(Class::Mass, 1, Some(at(60))), proofs, at(2)).unwrap();
        let email = Email::parse("a@b").unwrap();
        let attested = |n: u8, secs: i64| FactorProof { user: user(n), email: email.clone(), method: ProofMethod::Totp, at: at(secs) };
        assert_eq!(released.attested(), Ok(vec![attested(1, 1), attested(2, 2)]));
    }

    #[test]
    fn tx_10_a_lapsed_request_is_not_released() {
        let late = limits::REQUEST_LIFETIME_SECS;
        assert_eq!(release(frozen(Class::Fleet, 0, None), vec![proof(1, Method::Totp, late)], at(late)).unwrap_err(), Missing::Lapsed);
    }
}
