//! The gate: the only road from bytes of the network to an action on the device.
//!
//! Offer, verified grant, sealed file, grant with its content, durable claim, [`Admitted`]: each step takes the
//! value that the one before gave. The runner takes nothing but a [`Claimed`], and the host of remote sessions nothing but
//! a [`ClaimedSession`]. The order matters: whatever is wrong is found before the id is spent, and nothing is executed
//! before it is.

use std::sync::Arc;

use sallyport_grant::body::{Body, GrantBody, OpenRemoteSession, RunScript};
use sallyport_grant::envelope::{Envelope, PayloadType};
use sallyport_grant::schedule::occurrence_id;
use sallyport_grant::sealed::SecretValue;
use sallyport_grant::verify::{self, Offer, Profile, ReadyGrant, SealedSecret, Verified, VerifiedGrant, Verifier};
use sallyport_grant::{GrantError, TrustRoot, sha256};
use sallyport_model::{Email, GrantId, Timestamp};
use sallyport_os::SealedFile;
use sallyport_wire::GrantOffer;
use sallyport_wire::stream::Terms;

use crate::identity::Identity;
use crate::journal::{ClaimError, ClaimedGrant, Journal, JournalError};
use crate::ports::Clock;
use crate::remote::{CannotOpen, Host};
use crate::runner::{CannotRun, Runs};

/// Why a device did not obey an offer.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    CannotRun(#[from] CannotRun),
    #[error("a secret is not text")]
    SecretNotText,
    #[error("the script cannot be put into a sealed file: {0}")]
    NoSealedFile(std::io::Error),
    #[error("the grant cannot be claimed: {0}")]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    CannotOpen(#[from] CannotOpen),
    #[error("there is nothing to dial the stream with")]
    NoStreamTicket,
    #[error("too many grants wait on this device")]
    Busy,
}

impl Refusal {
    /// A stable code for the receipt.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Grant(error) => error.code(),
            Self::CannotRun(error) => error.code(),
            Self::SecretNotText => "secret_not_text",
            Self::NoSealedFile(_) => "no_sealed_file",
            Self::Claim(ClaimError::Used) => "used",
            Self::Claim(ClaimError::Damaged) => "journal_damaged",
            Self::Claim(ClaimError::Journal(JournalError::Full)) => "journal_full",
            Self::Claim(ClaimError::Journal(JournalError::Io(_))) => "journal_failed",
            Self::CannotOpen(error) => error.code(),
            Self::NoStreamTicket => "no_stream_ticket",
            Self::Busy => "busy",
        }
    }
}

/// A grant that was verified, whose script lies in a sealed file and whose id is spent. Made by [`Gate::admit`] only.
#[derive(Debug)]
#[must_use]
pub struct Claimed {
    grant: ClaimedGrant<RunScript>,
    script: SealedFile,
    secrets: Vec<SecretValue>,
}

impl Claimed {
    pub fn id(&self) -> GrantId {
        self.grant.id()
    }

    pub fn action(&self) -> &RunScript {
        self.grant.action()
    }

    /// When it was claimed.
    pub fn at(&self) -> Timestamp {
        self.grant.at()
    }

    pub fn script(&self) -> &SealedFile {
        &self.script
    }

    /// The values of the action's secrets, in its order.
    pub fn secrets(&self) -> &[SecretValue] {
        &self.secrets
    }
}

/// A verified grant for one client of a remote session, whose id is spent. Made by [`Gate::admit`] only.
#[derive(Debug)]
#[must_use]
pub struct ClaimedSession {
    grant: ClaimedGrant<OpenRemoteSession>,
    terms: Terms,
    by: Email,
    ticket: [u8; 32],
}

impl ClaimedSession {
    pub fn id(&self) -> GrantId {
        self.grant.id()
    }

    pub fn action(&self) -> &OpenRemoteSession {
        self.grant.action()
    }

    /// When it was claimed.
    pub fn at(&self) -> Timestamp {
        self.grant.at()
    }

    /// What the stream's keys are made from.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whose session it is, for people.
    pub fn by(&self) -> &Email {
        &self.by
    }

    /// What the stream is dialled with the first time; opens nothing else.
    pub fn ticket(&self) -> &[u8; 32] {
        &self.ticket
    }
}

/// What the gate let through.
#[derive(Debug)]
#[must_use]
pub enum Admitted {
    Script(Claimed),
    Session(ClaimedSession),
}

/// One device's gate.
pub struct Gate {
    pub root: TrustRoot,
    pub profile: Profile,
    pub identity: Arc<Identity>,
    pub journal: Arc<Journal>,
    pub runs: Arc<dyn Runs>,
    pub sessions: Arc<Host>,
    pub clock: Arc<dyn Clock>,
}

impl Gate {
    /// Takes an offer through all checks and spends its id.
    pub fn admit(&self, offer: &GrantOffer) -> Result<Admitted, Refusal> {
        match self.verify(offer)? {
            Verified::RunScript(grant) => self.admit_script(grant, offer).map(Admitted::Script),
            Verified::OpenRemoteSession(grant) => self.admit_session(grant, offer).map(Admitted::Session),
        }
    }

    fn admit_script(&self, grant: VerifiedGrant<RunScript>, offer: &GrantOffer) -> Result<Claimed, Refusal> {
        let secrets = self.open_secrets(&grant, offer)?;
        self.runs.check(grant.action())?;
        let (ready, script) = seal(grant, &offer.content)?;
        let grant = self.journal.claim(ready, self.clock.now())?;
        Ok(Claimed { grant, script, secrets })
    }

    fn admit_session(&self, grant: VerifiedGrant<OpenRemoteSession>, offer: &GrantOffer) -> Result<ClaimedSession, Refusal> {
        self.sessions.check(grant.action())?;
        let ticket = offer.stream_ticket.ok_or(Refusal::NoStreamTicket)?;
        let (terms, by) = (Terms::from(&grant), grant.body().requested_by.email.clone());
        let ready = grant.without_content(offer.content.len() + offer.secrets.len())?;
        let grant = self.journal.claim(ready, self.clock.now())?;
        Ok(ClaimedSession { grant, terms, by, ticket })
    }

    fn verify(&self, offer: &GrantOffer) -> Result<Verified, GrantError> {
        let device = self.identity.verify_key();
        let clock = verify::Clock { now: self.clock.now(), floor: self.journal.floor() };
        let verifier = Verifier { root: &self.root, profile: self.profile, device: &device, clock, used: &*self.journal };
        verifier.verify(&Offer {
            envelope: &offer.envelope,
            target: &offer.target,
            log_index: offer.log_entry.index,
            log_proof: &offer.log_entry.hashes,
            checkpoint: &offer.checkpoint,
            occurrence: offer.occurrence,
        })
    }

    fn open_secrets(&self, grant: &VerifiedGrant<RunScript>, offer: &GrantOffer) -> Result<Vec<SecretValue>, Refusal> {
        let sealed: Vec<SealedSecret<'_>> =
            offer.secrets.iter().map(|secret| SealedSecret { name: &secret.name, sealed: &secret.sealed }).collect();
        let secrets = grant.open_secrets(self.identity.seal_key(), &sealed)?;
        let text = secrets.iter().all(|secret| std::str::from_utf8(secret.as_bytes()).is_ok());
        if text { Ok(secrets) } else { Err(Refusal::SecretNotText) }
    }
}

/// The bytes are hashed as they lie in the sealed file, which is the one that will be executed.
fn seal(grant: VerifiedGrant<RunScript>, content: &[u8]) -> Result<(ReadyGrant<RunScript>, SealedFile), Refusal> {
    let script = SealedFile::holding(content).map_err(Refusal::NoSealedFile)?;
    let sealed = script.read_back().map_err(Refusal::NoSealedFile)?;
    let ready = grant.with_content(sha256(&[&sealed]), sealed.len() as u64)?;
    Ok((ready, script))
}

/// The id that an offer claims to have, unverified: only good for saying which offer was refused.
pub fn claimed_id(offer: &GrantOffer) -> Option<GrantId> {
    let envelope = Envelope::parse(&offer.envelope, PayloadType::Grant).ok()?;
    match offer.occurrence {
        Some(due) => Some(occurrence_id(envelope.digest(), due)),
        None => GrantBody::parse(envelope.payload()).ok().map(|body| body.id),
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
