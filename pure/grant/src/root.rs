//! The trust root: the only source of keys that a device believes.
//!
//! An installer pins the authority's keys and threshold by hash; the authority signs the first root; each later
//! root is signed by the thresholds of both its predecessor and itself, and versions go up by one.

use sallyport_model::{Digest, TenantId, Timestamp, limits};

use crate::body::{Body, BodyError, RootBody};
use crate::envelope::{Envelope, EnvelopeError, PayloadType, SignatureKind, SignatureState};
use crate::hash::sha256;
use crate::keys::VerifyKey;

/// Why a root is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not an envelope of a root.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not the body of a root.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Other authority keys, or another threshold, than the pinned ones.
    #[error("the authority is not the pinned one")]
    OtherAuthority,
    /// A signature in an authority key's name that does not verify.
    #[error("a signature of the authority is wrong")]
    BadSignature,
    /// Fewer good signatures than the threshold.
    #[error("too few keys of the authority signed")]
    TooFewSignatures,
    /// A root of another tenant.
    #[error("the root is of another tenant")]
    OtherTenant,
    /// Not the version after the trusted one.
    #[error("the root is not the next version")]
    NotTheNext,
    /// Not trusted any more.
    #[error("the root expired at {0}")]
    Expired(Timestamp),
    /// No roots, or more than [`limits::ROOT_CHAIN`].
    #[error("a chain has 1 to {} roots", limits::ROOT_CHAIN)]
    ChainLength,
}

impl RootError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Envelope(_) | Self::Body(_) => "root_malformed",
            Self::OtherAuthority => "root_other_authority",
            Self::BadSignature => "root_bad_signature",
            Self::TooFewSignatures => "root_too_few_signatures",
            Self::OtherTenant => "root_other_tenant",
            Self::NotTheNext => "root_not_the_next",
            Self::Expired(_) => "root_expired",
            Self::ChainLength => "root_chain_length",
        }
    }
}

/// What installers pin: SHA-256("sallyport.authority/1\n" || threshold, 4 bytes big endian || keys, 32 bytes each, sorted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuthorityPin(pub Digest);

impl AuthorityPin {
    /// The pin of these keys with this threshold, in any order.
    pub fn of(threshold: u32, authority: &[VerifyKey]) -> Self {
        let mut keys: Vec<&[u8]> = authority.iter().map(|key| key.as_bytes().as_slice()).collect();
        keys.sort_unstable();
        let threshold = threshold.to_be_bytes();
        let head: [&[u8]; 2] = [b"sallyport.authority/1\n", &threshold];
        Self(sha256(&[&head, keys.as_slice()].concat()))
    }
}

/// A root that its authority signed. Whoever holds one need not ask again, except for its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    body: RootBody,
    digest: Digest,
}

impl TrustRoot {
    /// Checks a written envelope against a pin, at a time.
    pub fn verify(envelope: &[u8], pin: AuthorityPin, now: Timestamp) -> Result<Self, RootError> {
        Self::verify_chain(&[envelope], pin, now)
    }

    /// Checks the pinned root and its successors in order; only the last must be unexpired, so that a device that was
    /// away for long finds its way to the newest.
    pub fn verify_chain(envelopes: &[&[u8]], pin: AuthorityPin, now: Timestamp) -> Result<Self, RootError> {
        let (first, rest) = envelopes.split_first().ok_or(RootError::ChainLength)?;
        if envelopes.len() > limits::ROOT_CHAIN {
            return Err(RootError::ChainLength);
        }
        let pinned = Self::pinned(&Envelope::parse(first, PayloadType::Root)?, pin)?;
        let newest = rest.iter().try_fold(pinned, |trusted, next| trusted.succeed(&Envelope::parse(next, PayloadType::Root)?))?;
        newest.unexpired(now)
    }

    /// Checks the next version against this one, at a time (TUF specification, section 5.3).
    pub fn rotate(&self, next: &[u8], now: Timestamp) -> Result<Self, RootError> {
        self.succeed(&Envelope::parse(next, PayloadType::Root)?)?.unexpired(now)
    }

    /// Checks an already read envelope, at a time.
    pub fn verify_envelope(envelope: &Envelope, pin: AuthorityPin, now: Timestamp) -> Result<Self, RootError> {
        Self::pinned(envelope, pin)?.unexpired(now)
    }

    fn pinned(envelope: &Envelope, pin: AuthorityPin) -> Result<Self, RootError> {
        let root = Self::signed_by_itself(envelope)?;
        if root.pin() == pin { Ok(root) } else { Err(RootError::OtherAuthority) }
    }

    fn succeed(&self, next: &Envelope) -> Result<Self, RootError> {
        let root = Self::signed_by_itself(next)?;
        signed_by(next, &self.body)?;
        if root.body.tenant != self.body.tenant {
            return Err(RootError::OtherTenant);
        }
        if self.body.version.checked_add(1) == Some(root.body.version) { Ok(root) } else { Err(RootError::NotTheNext) }
    }

    fn signed_by_itself(envelope: &Envelope) -> Result<Self, RootError> {
        if envelope.payload_type() != PayloadType::Root {
            return Err(EnvelopeError::OtherType.into());
        }
        let body = RootBody::parse(envelope.payload())?;
        signed_by(envelope, &body)?;
        Ok(Self { body, digest: envelope.digest() })
    }

    fn unexpired(self, now: Timestamp) -> Result<Self, RootError> {
        self.check_unexpired(now)?;
        Ok(self)
    }

    /// Whether the root may still be used; a root outlives the moment at which it was checked.
    pub fn check_unexpired(&self, now: Timestamp) -> Result<(), RootError> {
        if now < self.body.expires { Ok(()) } else { Err(RootError::Expired(self.body.expires)) }
    }

    /// The pin of this root's own authority.
    pub fn pin(&self) -> AuthorityPin {
        AuthorityPin::of(self.body.threshold, &self.body.authority)
    }

    /// What the root says.
    pub fn body(&self) -> &RootBody {
        &self.body
    }

    /// Whose root it is.
    pub fn tenant(&self) -> TenantId {
        self.body.tenant
    }

    /// SHA-256 of the signed encoding.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Whether the threshold of `authority`'s keys signed; keys are distinct, and so are an envelope's signers.
pub(crate) fn signed_by(envelope: &Envelope, authority: &RootBody) -> Result<(), RootError> {
    let mut good = 0;
    for key in &authority.authority {
        match envelope.signature_by(key, &SignatureKind::NativeEd25519) {
            SignatureState::Good => good += 1,
            SignatureState::Bad => return Err(RootError::BadSignature),
            SignatureState::Absent => {}
        }
    }
    if good >= authority.threshold { Ok(()) } else { Err(RootError::TooFewSignatures) }
}
