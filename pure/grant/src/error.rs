//! Why a device does not obey.

use sallyport_model::Timestamp;

use crate::body::BodyError;
use crate::checkpoint::CheckpointError;
use crate::envelope::EnvelopeError;
use crate::sealed::SealError;

/// Why a device does not obey a grant. Everything here is the offer's fault, never the device's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The envelope is not one, or above its limits.
    #[error("malformed grant: {0}")]
    MalformedEnvelope(EnvelopeError),
    /// The signed body is not a grant, or above its limits.
    #[error("malformed grant: {0}")]
    MalformedBody(BodyError),
    /// What the server attested is not a statement, or out of its bounds.
    #[error("malformed statement: {0}")]
    MalformedStatement(BodyError),
    /// The device's policy wants native signatures, which this version cannot check.
    #[error("this version cannot check what the verified profile wants")]
    ProfileNotSupported,
    /// The trust root is too old.
    #[error("the trust root expired at {0}")]
    RootExpired(Timestamp),
    /// A signature in a trusted key's name that does not verify.
    #[error("a signature is wrong")]
    BadSignature,
    /// No signature of a key that counts.
    #[error("nobody signed whom this device trusts")]
    UnknownSigner,
    /// The server attested another grant, or the body was changed afterwards.
    #[error("the server's statement is about another grant")]
    WrongGrant,
    /// The grant claims a lower class than its action and targets have.
    #[error("the grant claims a lower class than it has")]
    ClassTooLow,
    /// The server attests no factor that the grant's class wants.
    #[error("the server attests no proof of a factor that the class wants")]
    ProofMissing,
    /// A proof from before the grant was frozen, or from after its end.
    #[error("a proof is dated outside of the grant's window")]
    ProofTime,
    /// A grant of another tenant.
    #[error("the grant is of another tenant")]
    WrongTenant,
    /// This device is not among the targets.
    #[error("the grant is for other devices")]
    WrongDevice,
    /// The window has not begun.
    #[error("the grant is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The window is over.
    #[error("the grant expired at {0}")]
    Expired(Timestamp),
    /// The window is longer than a grant may live.
    #[error("the window of the grant is too long")]
    WindowTooLong,
    /// An occurrence that the published schedule does not have, or none where one is wanted.
    #[error("the published schedule has no such occurrence")]
    NotAnOccurrence,
    /// The maintenance window is shut.
    #[error("the maintenance window is shut")]
    OutsideWindow,
    /// The last run of the schedule began too short a time ago.
    #[error("the schedule may not run again before {0}")]
    TooSoon(Timestamp),
    /// This device obeyed the id before.
    #[error("the grant was used before")]
    Used,
    /// The checkpoint is not one of the tenant's log.
    #[error("the checkpoint is not to be trusted: {0}")]
    BadCheckpoint(CheckpointError),
    /// The log's tree does not hold the grant.
    #[error("the grant is not in the audit log")]
    NotInLog,
    /// Other bytes than the signed ones.
    #[error("the content is not what was signed")]
    ContentDiffers,
    /// A secret that is missing, unasked for, or not what was committed to.
    #[error("the secrets are not what was signed: {0}")]
    SecretDiffers(SealError),
    /// Other secrets than the grant names.
    #[error("the secrets are not those that the grant names")]
    OtherSecrets,
}

impl GrantError {
    /// A stable code, for receipts, the API and the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedEnvelope(_) | Self::MalformedBody(_) | Self::MalformedStatement(_) => "malformed",
            Self::ProfileNotSupported => "profile_not_supported",
            Self::RootExpired(_) => "root_expired",
            Self::BadSignature => "bad_signature",
            Self::UnknownSigner => "unknown_signer",
            Self::WrongGrant => "wrong_grant",
            Self::ClassTooLow => "class_too_low",
            Self::ProofMissing => "proof_missing",
            Self::ProofTime => "proof_time",
            Self::WrongTenant => "wrong_tenant",
            Self::WrongDevice => "wrong_device",
            Self::NotYetValid(_) => "not_yet_valid",
            Self::Expired(_) => "expired",
            Self::WindowTooLong => "window_too_long",
            Self::NotAnOccurrence => "not_an_occurrence",
            Self::OutsideWindow => "outside_window",
            Self::TooSoon(_) => "too_soon",
            Self::Used => "used",
            Self::BadCheckpoint(_) => "bad_checkpoint",
            Self::NotInLog => "not_in_log",
            Self::ContentDiffers => "content_differs",
            Self::SecretDiffers(_) | Self::OtherSecrets => "secret_differs",
        }
    }
}
