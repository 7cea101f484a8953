//! Receipts, as the server checks them.

use crate::body::{Body, BodyError, ReceiptBody};
use crate::envelope::{Envelope, EnvelopeError, PayloadType, SignatureKind, SignatureState};
use crate::keys::{SigningKey, VerifyKey};

/// Why a receipt is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not an envelope of a receipt.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not the body of a receipt.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The device did not sign it.
    #[error("the device did not sign the receipt")]
    NotSigned,
    /// The body names another device than the one that signed.
    #[error("the receipt is of another device")]
    OtherDevice,
}

/// Checks, writes and signs a receipt with the device key.
pub fn sign(receipt: ReceiptBody, key: &SigningKey) -> Result<Vec<u8>, BodyError> {
    Ok(receipt.into_envelope()?.and_signed(SignatureKind::NativeEd25519, key).to_bytes())
}

/// Checks a written receipt against the key of the device that sent it.
pub fn verify(envelope: &[u8], device: &VerifyKey) -> Result<ReceiptBody, ReceiptError> {
    let envelope = Envelope::parse(envelope, PayloadType::Receipt)?;
    if envelope.signature_by(device, &SignatureKind::NativeEd25519) != SignatureState::Good {
        return Err(ReceiptError::NotSigned);
    }
    let body = ReceiptBody::parse(envelope.payload())?;
    if body.device == device.id() { Ok(body) } else { Err(ReceiptError::OtherDevice) }
}
