//! The device's answer to a grant, and what a client checks before it believes one.

use sallyport_grant::Hex;
use sallyport_grant::body::{AnswerBody, AnswerType, Body, BodyError, GrantBody, OpenRemoteSession, RemoteKind};
use sallyport_grant::envelope::{Envelope, PayloadType, SignatureKind, SignatureState};
use sallyport_grant::keys::{SigningKey, VerifyKey};
use sallyport_grant::targets::TargetProof;
use sallyport_grant::verify::VerifiedGrant;
use sallyport_model::{Digest, GrantId, RemoteSessionId, limits};

/// Why a grant or an answer does not make a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The envelope of the grant is none, or what is in it opens no remote session.
    #[error("the grant opens no remote session")]
    NotAGrant,
    /// The grant is for another client's key.
    #[error("the grant is for another client")]
    OtherClient,
    /// The grant is for another device than the wanted one.
    #[error("the grant is for another device")]
    OtherDevice,
    /// Not the envelope of an answer.
    #[error("the answer is malformed")]
    Malformed,
    /// The device did not sign.
    #[error("the answer is not signed by the device")]
    NotSigned,
    /// Signed, but about another grant, session, device or client.
    #[error("the answer is to another grant")]
    OtherGrant,
}

/// What both ends know of a stream before there are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which grant.
    pub grant: GrantId,
    /// SHA-256 of the grant's signed encoding: the stream's keys depend on each of its bytes.
    pub digest: Digest,
    /// Which remote session.
    pub session: RemoteSessionId,
    /// The client's ephemeral key.
    pub client_key: Hex<32>,
    /// Bytes that each end sends ahead of what the other acknowledged.
    pub window: usize,
}

/// A keystroke waits behind what was sent ahead, so only kinds without keystrokes send far ahead.
fn window(kind: RemoteKind) -> usize {
    match kind {
        RemoteKind::Files => limits::FILES_UNACKED_BYTES,
        RemoteKind::Terminal | RemoteKind::Background | RemoteKind::Viewer => limits::STREAM_UNACKED_BYTES,
    }
}

impl From<&VerifiedGrant<OpenRemoteSession>> for Terms {
    fn from(grant: &VerifiedGrant<OpenRemoteSession>) -> Self {
        let OpenRemoteSession { session, client_key, kind, .. } = *grant.action();
        Self { grant: grant.id(), digest: grant.digest(), session, client_key, window: window(kind) }
    }
}

impl Terms {
    /// Reads the grant as a client does: it must be for this client's key and for this device alone. Whether it is
    /// authorized is the device's to check.
    pub fn of_client(envelope: &[u8], device: &VerifyKey, client_key: Hex<32>) -> Result<Self, TermsError> {
        let envelope = Envelope::parse(envelope, PayloadType::Grant).map_err(|_| TermsError::NotAGrant)?;
        let body = GrantBody::parse(envelope.payload()).map_err(|_| TermsError::NotAGrant)?;
        let open = body.action.remote_session().ok_or(TermsError::NotAGrant)?;
        if open.client_key != client_key {
            return Err(TermsError::OtherClient);
        }
        let alone = TargetProof { index: 0, hashes: Vec::new() };
        if !body.targets.include(body.tenant, device.id(), &alone) {
            return Err(TermsError::OtherDevice);
        }
        Ok(Self { grant: body.id, digest: envelope.digest(), session: open.session, client_key, window: window(open.kind) })
    }

    /// Writes and signs the answer with the device key.
    pub(super) fn answer(&self, device_key: Hex<32>, key: &SigningKey) -> Result<Vec<u8>, BodyError> {
        let body = AnswerBody {
            r#type: AnswerType::V1,
            grant: self.grant,
            session: self.session,
            device: VerifyKey::of(key).id(),
            device_key,
            client_key: self.client_key,
        };
        Ok(body.into_envelope()?.and_signed(SignatureKind::NativeEd25519, key).to_bytes())
    }

    /// Checks an answer; what comes back is the device's ephemeral key.
    pub(super) fn accept(&self, answer: &[u8], device: &VerifyKey) -> Result<Hex<32>, TermsError> {
        let envelope = Envelope::parse(answer, PayloadType::Answer).map_err(|_| TermsError::Malformed)?;
        if envelope.signature_by(device, &SignatureKind::NativeEd25519) != SignatureState::Good {
            return Err(TermsError::NotSigned);
        }
        let body = AnswerBody::parse(envelope.payload()).map_err(|_| TermsError::Malformed)?;
        let said = (body.grant, body.session, body.device, body.client_key);
        let wanted = (self.grant, self.session, device.id(), self.client_key);
        if said == wanted { Ok(body.device_key) } else { Err(TermsError::OtherGrant) }
    }
}
