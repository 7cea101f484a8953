//! A tenant's authority vouches for an owner who has lost everything else.
//!
//! The statement has a payload type of its own, so that a signature over it is none over a root, and a root's none over it.

use crate::body::{Body, BodyError, RecoveryBody, RootBody};
use crate::envelope::{Envelope, EnvelopeError, PayloadType};
use crate::root::{RootError, signed_by};

/// Why a recovery statement is not the authority's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Not an envelope of a recovery statement.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not the body of one.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The statement is of another tenant than the root.
    #[error("the statement is of another tenant")]
    OtherTenant,
    /// The authority did not sign it.
    #[error(transparent)]
    NotSigned(#[from] RootError),
}

/// A statement as it was sent: nobody has looked at its signatures yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    envelope: Envelope,
    body: RecoveryBody,
}

impl Claimed {
    /// Reads one.
    ///
    /// # Errors
    /// Says which part has another shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecoveryError> {
        let envelope = Envelope::parse(bytes, PayloadType::Recovery)?;
        let body = RecoveryBody::parse(envelope.payload())?;
        Ok(Self { envelope, body })
    }

    /// What it claims.
    pub fn body(&self) -> &RecoveryBody {
        &self.body
    }

    /// Checks it against a tenant's root. A root that has expired still names the authority: devices no longer follow it, and its owner
    /// must get in to mend that.
    ///
    /// # Errors
    /// Says whether tenant or signature is another one.
    pub fn verify(self, root: &RootBody) -> Result<Vouched, RecoveryError> {
        if self.body.tenant != root.tenant {
            return Err(RecoveryError::OtherTenant);
        }
        signed_by(&self.envelope, root)?;
        Ok(Vouched(self.body))
    }
}

/// A statement that the threshold of a tenant's authority signed. Only [`Claimed::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched(RecoveryBody);

impl Vouched {
    /// What was signed.
    pub fn body(&self) -> &RecoveryBody {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::{Digest, Email, TenantId, Timestamp};

    use super::*;
    use crate::body::{LogKey, RecoveryType, RootType};
    use crate::{Hex, SignatureKind, SigningKey, VerifyKey};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn tenant(last: u8) -> TenantId {
        TenantId::from_bytes([last; 16])
    }

    fn root(authority: &[u8], threshold: u32) -> RootBody {
        let public = |seed: u8| VerifyKey::of(&key(seed));
        RootBody {
            r#type: RootType::V1,
            tenant: tenant(1),
            version: 1,
            issued: Timestamp::from_secs(1_790_000_000),
            expires: Timestamp::from_secs(1_790_000_001),
            threshold,
            authority: authority.iter().map(|seed| public(*seed)).collect(),
            link: Hex([1; 32]),
            attestation: public(102),
            log: LogKey { origin: LogKey::origin_of(tenant(1)), key: public(103) },
            fresh: public(104),
            enrolment: public(105),
        }
    }

    fn body() -> RecoveryBody {
        RecoveryBody {
            r#type: RecoveryType::V1,
            tenant: tenant(1),
            email: Email::parse("owner@nordwind.example").unwrap(),
            server: "https://rmm.example".into(),
            key: Digest::from_bytes([7; 32]),
            challenge: "c".into(),
        }
    }

    fn signed(signers: &[u8]) -> Vec<u8> {
        let envelope = body().into_envelope().unwrap();
        let sign = |envelope: Envelope, seed: &u8| envelope.and_signed(SignatureKind::NativeEd25519, &key(*seed));
        signers.iter().fold(envelope, sign).to_bytes()
    }

    fn verify(bytes: &[u8], root: &RootBody) -> Result<Vouched, RecoveryError> {
        Claimed::parse(bytes)?.verify(root)
    }

    #[test]
    fn rec_06_what_the_authority_signed_is_read_back_even_where_its_root_expired() {
        assert_eq!(verify(&signed(&[7]), &root(&[7], 1)).map(|vouched| vouched.body().clone()), Ok(body()));
    }

    #[test]
    fn rec_06_another_key_a_missing_one_and_another_tenant_vouch_for_nobody() {
        assert!(matches!(verify(&signed(&[8]), &root(&[7], 1)), Err(RecoveryError::NotSigned(RootError::TooFewSignatures))));
        assert!(matches!(verify(&signed(&[7]), &root(&[7, 8], 2)), Err(RecoveryError::NotSigned(RootError::TooFewSignatures))));
        assert!(verify(&signed(&[7, 8]), &root(&[7, 8], 2)).is_ok(), "the control");
        let other = RootBody { tenant: tenant(2), ..root(&[7], 1) };
        assert_eq!(verify(&signed(&[7]), &other), Err(RecoveryError::OtherTenant));
        let server = Envelope::unsigned(PayloadType::Recovery, body().into_bytes().unwrap()).and_signed(SignatureKind::Server, &key(7));
        assert!(matches!(verify(&server.to_bytes(), &root(&[7], 1)), Err(RecoveryError::NotSigned(_))));
    }

    #[test]
    fn a17_a_signature_for_anything_else_is_none_over_a_statement_and_none_of_a_statement_is_one_over_a_root() {
        let bytes = body().into_bytes().unwrap();
        for other in [PayloadType::Root, PayloadType::Grant, PayloadType::Enrolment, PayloadType::Receipt, PayloadType::Answer] {
            let elsewhere = Envelope::signed(other, bytes.clone(), SignatureKind::NativeEd25519, &key(7));
            assert!(matches!(Claimed::parse(&elsewhere.to_bytes()), Err(RecoveryError::Envelope(_))), "{other:?}");
            let signature = elsewhere.signatures()[0].clone();
            let moved = Envelope::unsigned(PayloadType::Recovery, bytes.clone()).and_signature(signature);
            assert!(
                matches!(verify(&moved.to_bytes(), &root(&[7], 1)), Err(RecoveryError::NotSigned(RootError::BadSignature))),
                "{other:?}"
            );
        }
        let root_bytes = root(&[7], 1).into_bytes().unwrap();
        let as_statement = Envelope::signed(PayloadType::Recovery, root_bytes.clone(), SignatureKind::NativeEd25519, &key(7));
        assert!(matches!(Claimed::parse(&as_statement.to_bytes()), Err(RecoveryError::Body(_))), "a root is no statement");
        let moved = Envelope::unsigned(PayloadType::Root, root_bytes).and_signature(as_statement.signatures()[0].clone());
        assert!(signed_by(&moved, &root(&[7], 1)).is_err(), "a statement's signature signs no root");
    }
}
