//! What the HTTP API says: request and response bodies and the codes of refusals.
//!
//! Requests carry plain text and numbers; the server parses them into domain values before anything else.
//! Responses carry ids as text and times as RFC 3339.

#![warn(missing_docs)]

mod accounts;
mod audit;
mod automation;
mod body;
mod bridge;
mod device;
mod device_codes;
mod devices;
mod factors;
mod installers;
mod jobs;
mod licences;
mod networks;
mod people;
mod posture;
mod problem;
mod recovery;
mod remote;
mod remote_policy;
mod requests;
mod schedules;
mod scripts;
mod search;
mod webauthn;
mod webhooks;

pub use accounts::*;
pub use audit::*;
pub use automation::*;
pub use body::{BodyError, read_body};
pub use bridge::*;
pub use device::*;
pub use device_codes::*;
pub use devices::*;
pub use factors::*;
pub use installers::*;
pub use jobs::*;
pub use licences::*;
pub use networks::*;
pub use people::*;
pub use posture::*;
pub use problem::*;
pub use recovery::*;
pub use remote::*;
pub use remote_policy::*;
pub use requests::*;
pub use schedules::*;
pub use scripts::*;
pub use search::*;
pub use webauthn::*;
pub use webhooks::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The description of the API itself, an OpenAPI document: its version is the one member that everybody needs to know of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiDescription {
    /// `3.1.0`.
    pub openapi: String,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are over all pages, where counting is cheap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}
