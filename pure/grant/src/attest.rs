//! The server's word beside a frozen grant: which factors it saw proved, for exactly this envelope.
//!
//! A grant's body is frozen before anybody proves anything, so the proofs cannot be in it. The server signs a
//! [`Statement`] that names the grant by its digest. That signature covers the statement, not the payload: one that is
//! good says nothing until the digest inside is compared, which is why both happen in one function here.

use sallyport_model::{Digest, limits};

use crate::body::{Body, BodyError, Class, FactorProof, GrantBody, ProofMethod, Statement, StatementType};
use crate::envelope::{Envelope, PayloadType, Signature, SignatureKind};
use crate::error::GrantError;
use crate::keys::{self, SigningKey, VerifyKey};
use crate::pae;

/// Adds the server's signature with its statement to a grant, signed by others or not.
///
/// # Errors
/// [`BodyError::Contradiction`] where the envelope is no grant or a device would not take these proofs for it; others
/// where the grant or the statement is out of its bounds.
pub fn sign(envelope: Envelope, proofs: Vec<FactorProof>, key: &SigningKey) -> Result<Envelope, BodyError> {
    if envelope.payload_type() != PayloadType::Grant {
        return Err(BodyError::Contradiction);
    }
    let body = GrantBody::parse(envelope.payload())?;
    let statement = Statement { r#type: StatementType::V1, grant: envelope.digest(), proofs };
    let bytes = statement.to_bytes()?;
    check_proofs(&statement.proofs, &body).map_err(|_| BodyError::Contradiction)?;
    let sig = keys::sign(key, &covered(&bytes)).to_vec();
    Ok(envelope.and_signature(Signature { keyid: VerifyKey::of(key).id(), kind: SignatureKind::Server, sig, statement: Some(bytes) }))
}

/// A statement that the trusted key signed, about the very envelope that carries it.
#[derive(Debug)]
pub(crate) struct Attested {
    pub(crate) grant: Digest,
    pub(crate) proofs: Vec<FactorProof>,
}

/// Finds the statement of the server's attestation key, checks its signature, and that it names this envelope.
pub(crate) fn verify(envelope: &Envelope, key: &VerifyKey) -> Result<Attested, GrantError> {
    let id = key.id();
    let ours = |signature: &&Signature| signature.keyid == id && signature.kind == SignatureKind::Server;
    let signature = envelope.signatures().iter().find(ours).ok_or(GrantError::UnknownSigner)?;
    let statement = signature.statement.as_deref().ok_or(GrantError::UnknownSigner)?;
    if !key.verifies(&covered(statement), &signature.sig) {
        return Err(GrantError::BadSignature);
    }
    let statement = Statement::parse(statement).map_err(GrantError::MalformedStatement)?;
    let grant = envelope.digest();
    if statement.grant == grant { Ok(Attested { grant, proofs: statement.proofs }) } else { Err(GrantError::WrongGrant) }
}

/// All proofs were given within the grant's window, and from class 2 on one of them for this very request. What stands for long is
/// proved within minutes all the same.
pub(crate) fn check_proofs(proofs: &[FactorProof], body: &GrantBody) -> Result<(), GrantError> {
    let last = body.expires.min(body.not_before.plus_secs(limits::GRANT_LIFETIME_SECS + limits::GRANT_SKEW_SECS));
    if proofs.iter().any(|proof| proof.at < body.not_before || proof.at > last) {
        return Err(GrantError::ProofTime);
    }
    let enough = |method: ProofMethod| match method {
        ProofMethod::Totp | ProofMethod::Passkey => true,
        ProofMethod::StepUp => body.class <= Class::OneDevice,
    };
    if proofs.iter().any(|proof| enough(proof.method)) { Ok(()) } else { Err(GrantError::ProofMissing) }
}

fn covered(statement: &[u8]) -> Vec<u8> {
    pae(Statement::MEDIA_TYPE, statement)
}
