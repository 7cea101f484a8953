//! Enrolment files, as an agent checks them.

use sallyport_model::Timestamp;

use crate::body::{Body, BodyError, EnrolmentBody};
use crate::envelope::{Envelope, EnvelopeError, PayloadType, SignatureKind, SignatureState};
use crate::keys::SigningKey;
use crate::root::{AuthorityPin, RootError, TrustRoot};

/// Why an enrolment file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// Not an envelope of an enrolment.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not the body of an enrolment.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The root inside is not trusted by the pin inside.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The root's enrolment key did not sign the file.
    #[error("the enrolment key did not sign the file")]
    NotSigned,
    /// The root inside is of another tenant.
    #[error("the root is of another tenant")]
    OtherTenant,
    /// The token is no longer taken.
    #[error("the enrolment file expired at {0}")]
    Expired(Timestamp),
}

/// An enrolment file that is whole, with the root that it leads to.
#[derive(Debug, Clone)]
pub struct Enrolment {
    body: EnrolmentBody,
    root: TrustRoot,
}

/// Checks, writes and signs an enrolment file with the enrolment key of the root inside.
pub fn sign(enrolment: EnrolmentBody, key: &SigningKey) -> Result<Vec<u8>, BodyError> {
    Ok(enrolment.into_envelope()?.and_signed(SignatureKind::Server, key).to_bytes())
}

impl Enrolment {
    /// Checks a file at a time. It is trusted as far as the way by which it came: what it pins is believed from here on.
    pub fn verify(file: &[u8], now: Timestamp) -> Result<Self, EnrolmentError> {
        let envelope = Envelope::parse(file, PayloadType::Enrolment)?;
        let body = EnrolmentBody::parse(envelope.payload())?;
        let root = TrustRoot::verify_envelope(&body.root, AuthorityPin(body.authority_pin), now)?;
        if envelope.signature_by(&root.body().enrolment, &SignatureKind::Server) != SignatureState::Good {
            return Err(EnrolmentError::NotSigned);
        }
        if root.tenant() != body.tenant {
            return Err(EnrolmentError::OtherTenant);
        }
        if now >= body.expires {
            return Err(EnrolmentError::Expired(body.expires));
        }
        Ok(Self { body, root })
    }

    /// What the file says.
    pub fn body(&self) -> &EnrolmentBody {
        &self.body
    }

    /// The root that it pins.
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }
}
