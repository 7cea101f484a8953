//! The words of the product as types: ids, checked text, times and every limit.
//!
//! Nothing here does io, reads a clock or makes randomness: both come in as arguments.

#![warn(missing_docs)]

mod digest;
pub mod headers;
mod id;
pub mod limits;
mod text;
mod time;

pub use digest::{Digest, HexError};
pub use id::{
    AnyIdError, ApiClientId, ConnectionId, CustomerId, DeviceId, EventId, FactorId, GrantId, InstallerId, JobId, LicenceId, MailId,
    RemoteSessionId, RequestId, RoleId, RunId, ScheduleId, ScriptId, SessionId, SiteId, TenantId, UserId, WebhookId,
};
pub use text::{AgentText, Email, Name, Note, Tag, TextError};
pub use time::{Seconds, TimeError, Timestamp};
