//! Codes are an interface: receipts, the API and the docs name them.

use sallyport_grant::GrantError;
use sallyport_grant::body::{BodyError, ReasonCode};
use sallyport_grant::checkpoint::CheckpointError;
use sallyport_grant::envelope::EnvelopeError;
use sallyport_grant::sealed::SealError;
use sallyport_model::Timestamp;

#[test]
fn codes_are_stable() {
    let time = Timestamp::from_secs(0);
    let codes = [
        (GrantError::MalformedEnvelope(EnvelopeError::OtherType), "malformed"),
        (GrantError::MalformedBody(BodyError::TooMany), "malformed"),
        (GrantError::MalformedStatement(BodyError::Empty), "malformed"),
        (GrantError::ProfileNotSupported, "profile_not_supported"),
        (GrantError::RootExpired(time), "root_expired"),
        (GrantError::BadSignature, "bad_signature"),
        (GrantError::UnknownSigner, "unknown_signer"),
        (GrantError::WrongGrant, "wrong_grant"),
        (GrantError::ClassTooLow, "class_too_low"),
        (GrantError::ProofMissing, "proof_missing"),
        (GrantError::ProofTime, "proof_time"),
        (GrantError::WrongTenant, "wrong_tenant"),
        (GrantError::WrongDevice, "wrong_device"),
        (GrantError::NotYetValid(time), "not_yet_valid"),
        (GrantError::Expired(time), "expired"),
        (GrantError::WindowTooLong, "window_too_long"),
        (GrantError::NotAnOccurrence, "not_an_occurrence"),
        (GrantError::OutsideWindow, "outside_window"),
        (GrantError::TooSoon(time), "too_soon"),
        (GrantError::Used, "used"),
        (GrantError::BadCheckpoint(CheckpointError::Unsigned), "bad_checkpoint"),
        (GrantError::NotInLog, "not_in_log"),
        (GrantError::ContentDiffers, "content_differs"),
        (GrantError::SecretDiffers(SealError::OtherValue), "secret_differs"),
        (GrantError::OtherSecrets, "secret_differs"),
    ];
    for (error, code) in codes {
        assert_eq!(error.code(), code);
        assert_eq!(ReasonCode::parse(code), Ok(ReasonCode::from(&error)), "every code fits a receipt");
    }
}
