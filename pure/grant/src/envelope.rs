//! The envelope of everything signed: DSSE v1 in shape, with typed payloads and signature kinds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sallyport_model::{Digest, limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::sha256;
use crate::json::{self, JsonError};
use crate::keys::{self, KeyId, SigningKey, VerifyKey};
use crate::pae;

/// Why bytes are not an envelope of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not the JSON of an envelope.
    #[error("not an envelope: {0}")]
    Json(#[from] JsonError),
    /// The payload is of another type.
    #[error("the envelope carries another type of payload")]
    OtherType,
    /// No signatures, or more than [`limits::SIGNATURES`].
    #[error("the envelope must have 1 to 16 signatures")]
    SignatureCount,
    /// One key signs twice.
    #[error("one key signs twice")]
    RepeatedKey,
    /// A signature above [`limits::SIGNATURE_BYTES`].
    #[error("a signature is too long")]
    LongSignature,
    /// A server's signature on a grant that does not say what it attests.
    #[error("a server signs a grant without a statement")]
    StatementMissing,
    /// A statement beside a signature of another kind, or on something else than a grant.
    #[error("only a server's signature on a grant carries a statement")]
    StrayStatement,
    /// A statement above [`limits::STATEMENT_BYTES`].
    #[error("a statement is too long")]
    LongStatement,
}

/// What an envelope may carry; the type is part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadType {
    /// What a device obeys.
    Grant,
    /// The keys of a tenant.
    Root,
    /// What makes an agent a device.
    Enrolment,
    /// What a device says that it did.
    Receipt,
    /// A device's half of the keys of a stream.
    Answer,
    /// What lets a tool's program in.
    Licence,
    /// An authority's word for an owner who has lost everything else.
    Recovery,
}

impl PayloadType {
    /// The media type, as signed.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Grant => "application/vnd.sallyport.grant.v1+json",
            Self::Root => "application/vnd.sallyport.root.v1+json",
            Self::Enrolment => "application/vnd.sallyport.enrolment.v1+json",
            Self::Receipt => "application/vnd.sallyport.receipt.v1+json",
            Self::Answer => "application/vnd.sallyport.answer.v1+json",
            Self::Licence => "application/vnd.sallyport.licence.v1+json",
            Self::Recovery => "application/vnd.sallyport.recovery.v1+json",
        }
    }

    /// Largest written envelope, in bytes.
    pub fn max_bytes(self) -> usize {
        match self {
            Self::Grant => limits::ENVELOPE_BYTES,
            Self::Root => limits::ROOT_BYTES,
            Self::Enrolment => limits::ENROLMENT_BYTES,
            Self::Receipt => limits::RECEIPT_BYTES,
            Self::Answer => limits::ANSWER_BYTES,
            Self::Licence => limits::LICENCE_BYTES,
            Self::Recovery => limits::RECOVERY_BYTES,
        }
    }

    /// Largest payload, in bytes: half of the envelope, which leaves room for base64 and signatures.
    pub fn max_payload_bytes(self) -> usize {
        self.max_bytes() / 2
    }
}

/// How a signature was made. What a kind is worth, and by which algorithm it is checked, the trust root says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureKind {
    /// By an online key of the server.
    Server,
    /// By an Ed25519 key outside of the server: an authority, an operator, a device.
    NativeEd25519,
    /// By a FIDO key as OpenSSH uses it.
    SkSshEd25519,
    /// By a passkey in a browser.
    Webauthn,
    /// By something newer than this program; never counts.
    Unknown(String),
}

impl SignatureKind {
    fn as_str(&self) -> &str {
        match self {
            Self::Server => "server",
            Self::NativeEd25519 => "native-ed25519",
            Self::SkSshEd25519 => "sk-ssh-ed25519",
            Self::Webauthn => "webauthn",
            Self::Unknown(text) => text,
        }
    }
}

impl Serialize for SignatureKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SignatureKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        let known = [Self::Server, Self::NativeEd25519, Self::SkSshEd25519, Self::Webauthn];
        Ok(known.into_iter().find(|kind| kind.as_str() == text).unwrap_or_else(|| Self::Unknown(text.into_owned())))
    }
}

/// One signature: over the envelope's pre-authentication encoding, or over that of its own statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key, as the signer claims.
    pub keyid: KeyId,
    /// How, as the signer claims.
    pub kind: SignatureKind,
    /// The raw signature; its shape depends on the kind.
    #[serde(with = "canonical_base64")]
    pub sig: Vec<u8>,
    /// What a server attests about a grant, verbatim ([`crate::body::Statement`]): then `sig` covers this, and only this
    /// names what the payload must be. There on each `server` signature of a grant and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "statement")]
    pub statement: Option<Vec<u8>>,
}

/// A payload with its signatures. Having one says nothing about whether they are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: PayloadType,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Written<'a> {
    payload_type: Cow<'a, str>,
    #[serde(with = "canonical_base64")]
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

impl<'a> From<&'a Envelope> for Written<'a> {
    fn from(envelope: &'a Envelope) -> Self {
        Self {
            payload_type: Cow::Borrowed(envelope.payload_type.media_type()),
            payload: envelope.payload.clone(),
            signatures: envelope.signatures.clone(),
        }
    }
}

impl Envelope {
    /// Wraps a payload that has no signatures yet.
    pub fn unsigned(payload_type: PayloadType, payload: Vec<u8>) -> Self {
        Self { payload_type, payload, signatures: Vec::new() }
    }

    /// Wraps and signs a payload with one Ed25519 key.
    pub fn signed(payload_type: PayloadType, payload: Vec<u8>, kind: SignatureKind, key: &SigningKey) -> Self {
        Self::unsigned(payload_type, payload).and_signed(kind, key)
    }

    /// Adds a signature with an Ed25519 key over the payload. A server signs grants by [`crate::attest::sign`] instead.
    #[must_use]
    pub fn and_signed(self, kind: SignatureKind, key: &SigningKey) -> Self {
        let sig = keys::sign(key, &self.pae()).to_vec();
        self.and_signature(Signature { keyid: VerifyKey::of(key).id(), kind, sig, statement: None })
    }

    /// Adds a signature that was made elsewhere, unchecked.
    #[must_use]
    pub fn and_signature(mut self, signature: Signature) -> Self {
        self.signatures.push(signature);
        self
    }

    /// Reads an envelope of one payload type; the limit of that type holds before anything else is looked at.
    pub fn parse(bytes: &[u8], wanted: PayloadType) -> Result<Self, EnvelopeError> {
        Self::from_written(json::parse(bytes, wanted.max_bytes())?, wanted)
    }

    pub(crate) fn from_written(written: Written<'_>, wanted: PayloadType) -> Result<Self, EnvelopeError> {
        if written.payload_type != wanted.media_type() {
            return Err(EnvelopeError::OtherType);
        }
        check_signatures(&written.signatures)?;
        written.signatures.iter().try_for_each(|signature| check_statement(wanted, signature))?;
        Ok(Self { payload_type: wanted, payload: written.payload, signatures: written.signatures })
    }

    /// Writes the envelope as compact JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::write(&Written::from(self))
    }

    /// What the signatures cover, apart from those with a statement of their own.
    pub fn pae(&self) -> Vec<u8> {
        pae(self.payload_type.media_type(), &self.payload)
    }

    /// SHA-256 of [`Envelope::pae`]: the name of the signed thing in the audit log, and the challenge of a passkey.
    pub fn digest(&self) -> Digest {
        sha256(&[&self.pae()])
    }

    /// The verbatim payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The type of the payload.
    pub fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// The claimed signatures, in written order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Looks for `key`'s signature of one kind over the payload; one over a statement is none. The algorithm is Ed25519 because the caller's trust says so.
    pub fn signature_by(&self, key: &VerifyKey, kind: &SignatureKind) -> SignatureState {
        let id = key.id();
        let ours = |signature: &&Signature| signature.keyid == id && signature.kind == *kind && signature.statement.is_none();
        let Some(signature) = self.signatures.iter().find(ours) else {
            return SignatureState::Absent;
        };
        if key.verifies(&self.pae(), &signature.sig) { SignatureState::Good } else { SignatureState::Bad }
    }
}

/// What an envelope holds of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// A signature that verifies.
    Good,
    /// A signature in the key's name that does not verify.
    Bad,
    /// Nothing of this key and kind.
    Absent,
}

fn check_signatures(signatures: &[Signature]) -> Result<(), EnvelopeError> {
    if signatures.is_empty() || signatures.len() > limits::SIGNATURES {
        return Err(EnvelopeError::SignatureCount);
    }
    if signatures.iter().any(|signature| signature.sig.len() > limits::SIGNATURE_BYTES) {
        return Err(EnvelopeError::LongSignature);
    }
    let distinct: BTreeSet<KeyId> = signatures.iter().map(|signature| signature.keyid).collect();
    if distinct.len() == signatures.len() { Ok(()) } else { Err(EnvelopeError::RepeatedKey) }
}

/// Statements are where they belong, so that nobody who reads a signature takes it for one over other bytes.
fn check_statement(payload_type: PayloadType, signature: &Signature) -> Result<(), EnvelopeError> {
    let attests = payload_type == PayloadType::Grant && signature.kind == SignatureKind::Server;
    match &signature.statement {
        Some(_) if !attests => Err(EnvelopeError::StrayStatement),
        None if attests => Err(EnvelopeError::StatementMissing),
        Some(statement) if statement.len() > limits::STATEMENT_BYTES => Err(EnvelopeError::LongStatement),
        Some(_) | None => Ok(()),
    }
}

/// A statement that may be missing; where its key is there, it is base64 and not `null`.
mod statement {
    use super::{Deserializer, Serializer, canonical_base64};

    pub(super) fn serialize<S: Serializer>(statement: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match statement {
            Some(bytes) => canonical_base64::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        canonical_base64::deserialize(from).map(Some)
    }
}

/// RFC 4648 base64 with padding; a text that decodes but is not what encoding writes is refused.
mod canonical_base64 {
    use super::{Cow, Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}
