//! The signed JSON bodies: what each says, and the bounds that hold for all that was read or will be written.

mod answer;
mod enrolment;
pub(crate) mod fields;
mod grant;
mod licence;
mod receipt;
mod recovery;
mod remote;
mod root;
mod schedule;
mod statement;

use sallyport_model::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use answer::{AnswerBody, AnswerType};
pub use enrolment::{EnrolmentBody, EnrolmentType, Platform, ServerUrl, TokenSecret};
pub use fields::{EnvName, FieldError, RunAs};
pub use grant::{Class, GrantAction, GrantBody, GrantType, Interpreter, Person, RunScript, SecretParameter};
pub use licence::{HostKeys, HostKind, LicenceBody, LicenceHost, LicenceType, Scope, ToolVersion, Versions};
pub use receipt::{Outcome, ReasonCode, ReceiptBody, ReceiptType};
pub use recovery::{RecoveryBody, RecoveryType};
pub use remote::{Access, Clipboard, Consent, Entry, OpenRemoteSession, Record, RemoteKind, Unanswered, VirtualDisplay};
pub use root::{LogKey, RootBody, RootType};
pub use schedule::RunSchedule;
pub use statement::{FactorProof, ProofMethod, Statement, StatementType};

use crate::envelope::{Envelope, PayloadType};
use crate::json::{self, JsonError};

/// Why a body is refused, when it is read and when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not the JSON of this body.
    #[error("not the wanted body: {0}")]
    Json(#[from] JsonError),
    /// A list with nothing in it where something is wanted.
    #[error("a list is empty")]
    Empty,
    /// More items than the limit of their list.
    #[error("a list has too many items")]
    TooMany,
    /// A text above its limit.
    #[error("a text is too long")]
    TooLong,
    /// A number above its limit, or zero where something is wanted.
    #[error("a number is out of its range")]
    OutOfRange,
    /// A text with a NUL byte, which no program can be given.
    #[error("a text has a nul byte")]
    NulByte,
    /// A name or key that must be there once is there twice.
    #[error("a name or key occurs twice")]
    Repeated,
    /// The window ends before it begins.
    #[error("the window ends before it begins")]
    TimeOrder,
    /// A threshold of zero, or above the number of keys.
    #[error("the threshold cannot be met")]
    Threshold,
    /// The log's origin is not the tenant's.
    #[error("the log is of another tenant")]
    Origin,
    /// Parts that contradict each other.
    #[error("parts of the body contradict each other")]
    Contradiction,
}

/// A signed JSON body.
pub trait Body: Serialize + DeserializeOwned {
    /// The payload type that it is signed as.
    const TYPE: PayloadType;

    /// Checks everything that the shape does not say: counts, lengths, ranges, order.
    fn check(&self) -> Result<(), BodyError>;

    /// Reads and checks verbatim bytes.
    fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        let body: Self = json::parse(bytes, Self::TYPE.max_payload_bytes())?;
        body.check()?;
        Ok(body)
    }

    /// Checks and writes compact JSON; never writes what [`Body::parse`] would refuse.
    fn into_bytes(self) -> Result<Vec<u8>, BodyError> {
        self.check()?;
        let bytes = json::write(&self);
        let max_bytes = Self::TYPE.max_payload_bytes();
        if bytes.len() > max_bytes { Err(JsonError::TooLarge(max_bytes).into()) } else { Ok(bytes) }
    }

    /// Checks, writes and wraps, ready for signatures.
    fn into_envelope(self) -> Result<Envelope, BodyError> {
        Ok(Envelope::unsigned(Self::TYPE, self.into_bytes()?))
    }
}

fn at_most(count: usize, limit: usize) -> Result<(), BodyError> {
    if count > limit { Err(BodyError::TooMany) } else { Ok(()) }
}

fn in_range<T: PartialOrd>(value: T, range: std::ops::RangeInclusive<T>) -> Result<(), BodyError> {
    if range.contains(&value) { Ok(()) } else { Err(BodyError::OutOfRange) }
}

/// An argument or the value of a variable.
fn passable(text: &str) -> Result<(), BodyError> {
    if text.len() > limits::ARGUMENT_BYTES {
        return Err(BodyError::TooLong);
    }
    if text.contains('\0') { Err(BodyError::NulByte) } else { Ok(()) }
}

fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> Result<(), BodyError> {
    let mut seen = std::collections::BTreeSet::new();
    if items.into_iter().all(|item| seen.insert(item)) { Ok(()) } else { Err(BodyError::Repeated) }
}

/// Makes a unit type that is written as one fixed text: the `type` of a body.
macro_rules! type_tag {
    ($(#[$doc:meta])* $name:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            /// The one version that this program reads.
            #[default]
            #[serde(rename = $text)]
            V1,
        }
    };
}
use type_tag;
