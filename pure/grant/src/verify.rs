//! The device's own check of a grant, in the order of DESIGN, section 4, and the proofs that it gives out.
//!
//! Not checked yet, each with its place: the operator directory and distinct operators (in `check_signatures`, under
//! [`Profile::Verified`]), `fresh` and what the device has seen before (in `check_trust`), and the consistency of the
//! checkpoint with the last one (with the [`TreeHead`] that [`VerifiedGrant::log_head`] gives).

use sallyport_model::{Digest, GrantId, Timestamp, limits};

use crate::attest::{self, Attested};
use crate::body::{Body, Class, FactorProof, GrantAction, GrantBody, OpenRemoteSession, RunScript, SecretParameter};
use crate::checkpoint;
use crate::envelope::{Envelope, PayloadType};
use crate::error::GrantError;
use crate::keys::VerifyKey;
use crate::log;
use crate::merkle::{self, TreeHead};
use crate::occurrence::{self, LastRun, Use};
use crate::root::TrustRoot;
use crate::sealed::{self, SealKey, SecretValue};
use crate::targets::TargetProof;

/// What a device wants to see before it obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The server attests that it saw factors proved.
    Starter,
    /// Operators sign natively; refused with [`GrantError::ProfileNotSupported`] until the operator directory exists.
    Verified,
}

/// A device's reading of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What the clock says.
    pub now: Timestamp,
    /// The latest time that the device has ever seen; a clock that is set back does not go below it.
    pub floor: Timestamp,
}

impl Clock {
    pub(crate) fn time(self) -> Timestamp {
        self.now.max(self.floor)
    }
}

/// The ids that a device has claimed before.
pub trait UsedIds {
    /// Whether the id was claimed.
    fn is_used(&self, grant: GrantId) -> bool;
    /// The last occurrence of a publication that was claimed, as far back as its terms can ask.
    fn last_run(&self, publication: GrantId) -> Option<LastRun>;
}

/// A grant as the server offers it, with what it needs to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The written envelope.
    pub envelope: &'a [u8],
    /// This device's place among the targets.
    pub target: &'a TargetProof,
    /// Index of the grant's leaf in the audit log.
    pub log_index: u64,
    /// Inclusion proof of that leaf in the tree of the checkpoint.
    pub log_proof: &'a [Digest],
    /// A signed checkpoint of the audit log.
    pub checkpoint: &'a str,
    /// Of a published schedule: which of its occurrences.
    pub occurrence: Option<Timestamp>,
}

/// Everything that a device checks a grant against.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a, U> {
    /// Whom it trusts.
    pub root: &'a TrustRoot,
    /// What it wants to see.
    pub profile: Profile,
    /// The public half of its own key.
    pub device: &'a VerifyKey,
    /// What time it is.
    pub clock: Clock,
    /// What it did before.
    pub used: &'a U,
}

impl<U: UsedIds> Verifier<'_, U> {
    /// Checks an offered grant. The result is the only way to obey it.
    pub fn verify(&self, offer: &Offer<'_>) -> Result<Verified, GrantError> {
        let envelope = Envelope::parse(offer.envelope, PayloadType::Grant).map_err(GrantError::MalformedEnvelope)?;
        self.check_trust()?;
        let attested = self.check_signatures(&envelope)?;
        let body = GrantBody::parse(envelope.payload()).map_err(GrantError::MalformedBody)?;
        check_class(&body)?;
        attest::check_proofs(&attested.proofs, &body)?;
        self.check_targets(&body, offer.target)?;
        self.check_window(&body)?;
        let used_up = self.check_use(&body, attested.grant, offer.occurrence)?;
        let log_head = self.check_log(&envelope, &body, offer)?;
        Ok(match body.action.clone() {
            GrantAction::RunScript(action) => Verified::RunScript(VerifiedGrant { action, body, attested, log_head, used_up }),
            GrantAction::RunSchedule(schedule) => {
                Verified::RunScript(VerifiedGrant { action: schedule.run, body, attested, log_head, used_up })
            }
            GrantAction::OpenRemoteSession(action) => {
                Verified::OpenRemoteSession(VerifiedGrant { action, body, attested, log_head, used_up })
            }
        })
    }

    /// What obeying would use up, which was not used before: the grant, or one occurrence of it by its own terms.
    fn check_use(&self, body: &GrantBody, grant: Digest, due: Option<Timestamp>) -> Result<Use, GrantError> {
        let used_up = match (body.action.schedule(), due) {
            (None, None) => occurrence::of_grant(body),
            (Some(schedule), Some(due)) => {
                let used_up = occurrence::of_publication((body, schedule), grant, due, self.clock)?;
                occurrence::check_rate(schedule, due, self.used.last_run(body.id), self.clock)?;
                used_up
            }
            (None, Some(_)) | (Some(_), None) => return Err(GrantError::NotAnOccurrence),
        };
        if self.used.is_used(used_up.id) { Err(GrantError::Used) } else { Ok(used_up) }
    }

    fn check_trust(&self) -> Result<(), GrantError> {
        let expires = self.root.body().expires;
        self.root.check_unexpired(self.clock.time()).map_err(|_| GrantError::RootExpired(expires))
    }

    /// Kinds and keys that the profile does not know count nothing; a wrong signature in a trusted name ends it.
    fn check_signatures(&self, envelope: &Envelope) -> Result<Attested, GrantError> {
        match self.profile {
            Profile::Verified => Err(GrantError::ProfileNotSupported),
            Profile::Starter => attest::verify(envelope, &self.root.body().attestation),
        }
    }

    fn check_targets(&self, body: &GrantBody, proof: &TargetProof) -> Result<(), GrantError> {
        if body.tenant != self.root.tenant() {
            return Err(GrantError::WrongTenant);
        }
        let listed = body.targets.include(body.tenant, self.device.id(), proof);
        if listed { Ok(()) } else { Err(GrantError::WrongDevice) }
    }

    fn check_window(&self, body: &GrantBody) -> Result<(), GrantError> {
        if body.expires > body.not_before.plus_secs(body.action.max_lifetime_secs()) {
            return Err(GrantError::WindowTooLong);
        }
        let time = self.clock.time();
        if time < body.not_before {
            return Err(GrantError::NotYetValid(body.not_before));
        }
        if time >= body.expires { Err(GrantError::Expired(body.expires)) } else { Ok(()) }
    }

    fn check_log(&self, envelope: &Envelope, body: &GrantBody, offer: &Offer<'_>) -> Result<TreeHead, GrantError> {
        let log = &self.root.body().log;
        let head = checkpoint::verify(offer.checkpoint, &log.origin, &log.key).map_err(GrantError::BadCheckpoint)?;
        let leaf = merkle::leaf_hash(&log::grant_leaf_data(envelope, body));
        let logged = merkle::inclusion_holds(&leaf, offer.log_index, head.size, offer.log_proof, &head.root);
        if logged { Ok(head) } else { Err(GrantError::NotInLog) }
    }
}

/// The class that an action has on so many devices. The server adds what a person did before; the device knows only this.
pub fn derived_class(action: &GrantAction, targets: u32) -> Class {
    match action {
        GrantAction::RunScript(_) | GrantAction::OpenRemoteSession(_) => match targets as usize {
            0 | 1 => Class::OneDevice,
            2..=limits::CLASS2_DEVICES_PER_HOUR => Class::Fleet,
            _ => Class::Mass,
        },
        // What runs unattended is never of class 1, on however few devices.
        GrantAction::RunSchedule(_) if targets as usize > limits::CLASS2_DEVICES_PER_HOUR => Class::Mass,
        GrantAction::RunSchedule(_) => Class::Fleet,
    }
}

/// The claimed class is high enough.
fn check_class(body: &GrantBody) -> Result<(), GrantError> {
    if body.class < derived_class(&body.action, body.targets.count) { Err(GrantError::ClassTooLow) } else { Ok(()) }
}

/// A verified grant of any kind.
#[derive(Debug)]
#[must_use]
pub enum Verified {
    /// To run a script.
    RunScript(VerifiedGrant<RunScript>),
    /// To let a client attach to a remote session.
    OpenRemoteSession(VerifiedGrant<OpenRemoteSession>),
}

/// A grant that this device may obey once its content is there. Only [`Verifier::verify`] makes one.
#[derive(Debug)]
#[must_use]
pub struct VerifiedGrant<A> {
    action: A,
    body: GrantBody,
    attested: Attested,
    log_head: TreeHead,
    used_up: Use,
}

impl<A> VerifiedGrant<A> {
    /// The id to claim before execution: the grant's, or that of the occurrence.
    pub fn id(&self) -> GrantId {
        self.used_up.id
    }

    /// What obeying uses up.
    pub fn used_up(&self) -> Use {
        self.used_up
    }

    /// The whole signed body.
    pub fn body(&self) -> &GrantBody {
        &self.body
    }

    /// What to do.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// SHA-256 of the signed encoding.
    pub fn digest(&self) -> Digest {
        self.attested.grant
    }

    /// Who proved what for it, as the server attests.
    pub fn proofs(&self) -> &[FactorProof] {
        &self.attested.proofs
    }

    /// The tree of the checkpoint that proved the grant.
    pub fn log_head(&self) -> TreeHead {
        self.log_head
    }
}

impl VerifiedGrant<RunScript> {
    /// Compares the sealed file that will be executed with the grant: SHA-256 and length in bytes.
    pub fn with_content(self, digest: Digest, len: u64) -> Result<ReadyGrant<RunScript>, GrantError> {
        if digest == self.action.script_sha256 && len == u64::from(self.action.script_bytes) {
            Ok(ReadyGrant { grant: self })
        } else {
            Err(GrantError::ContentDiffers)
        }
    }

    /// Opens the secrets, which must be exactly those that the grant names, in its order.
    pub fn open_secrets(&self, key: &SealKey, sealed: &[SealedSecret<'_>]) -> Result<Vec<SecretValue>, GrantError> {
        if sealed.len() != self.action.secrets.len() {
            return Err(GrantError::OtherSecrets);
        }
        let open = |(wanted, given): (&SecretParameter, &SealedSecret<'_>)| {
            if wanted.name.as_str() != given.name {
                return Err(GrantError::OtherSecrets);
            }
            sealed::open(key, self.body.id, wanted, given.sealed).map_err(GrantError::SecretDiffers)
        };
        self.action.secrets.iter().zip(sealed).map(open).collect()
    }
}

impl VerifiedGrant<OpenRemoteSession> {
    /// A remote session comes with no content and no secrets: what is beside the grant, in bytes, must be nothing.
    pub fn without_content(self, len: usize) -> Result<ReadyGrant<OpenRemoteSession>, GrantError> {
        if len == 0 { Ok(ReadyGrant { grant: self }) } else { Err(GrantError::ContentDiffers) }
    }
}

/// A sealed secret as the server sends it.
#[derive(Debug, Clone, Copy)]
pub struct SealedSecret<'a> {
    /// Its name.
    pub name: &'a str,
    /// See [`crate::sealed::seal`].
    pub sealed: &'a [u8],
}

/// A verified grant whose content is the signed one: once its id is claimed durably, run it. Consumed by whoever runs.
#[derive(Debug)]
#[must_use]
pub struct ReadyGrant<A> {
    grant: VerifiedGrant<A>,
}

impl<A> ReadyGrant<A> {
    /// The verified grant.
    pub fn grant(&self) -> &VerifiedGrant<A> {
        &self.grant
    }

    /// Takes the action out, which ends the grant.
    pub fn into_action(self) -> A {
        self.grant.action
    }
}
