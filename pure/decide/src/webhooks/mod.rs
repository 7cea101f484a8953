//! Webhooks: what is told to other systems, to whom, signed how, and how often it is tried.
//!
//! Events are a closed list. Most of them are entries of the audit log, read by [`of_entry`]; they are written beside the change that
//! caused them. What is sent is decided when it is sent, by what the webhook's owner may see at that moment.

mod delivery;
mod endpoint;
mod event;
mod read;
mod signature;

pub use delivery::{Attempt, Next, next, wait_secs};
pub use endpoint::{ChangeWebhook, Endpoint, EndpointError, RotateWebhook};
pub use event::{Event, EventKind, Subject};
pub use read::of_entry;
pub use signature::{Secret, SecretError};
