//! What browsers are told about a session that they keep to their device (Device Bound Session Credentials, W3C WebAppSec draft).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Instructions for the browser itself; pages do not see them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceSession {
    /// The session's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_identifier: Option<String>,
    /// Where the short-lived cookie is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_url: Option<String>,
    /// Which requests wait for a fresh cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<DeviceScope>,
    /// The cookies that the key keeps alive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<DeviceCredential>,
    /// Present where the session is over.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub r#continue: Option<Continue>,
}

/// `false`: the session is over, and its key is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub enum Continue {
    /// It is over.
    Never,
}

impl From<Continue> for bool {
    fn from(_: Continue) -> Self {
        false
    }
}

impl TryFrom<bool> for Continue {
    type Error = &'static str;

    fn try_from(goes_on: bool) -> Result<Self, Self::Error> {
        if goes_on { Err("absent where the session goes on") } else { Ok(Self::Never) }
    }
}

/// Which requests a device's session is for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceScope {
    /// The installation's origin.
    pub origin: String,
    /// Never other hosts of the site.
    pub include_site: bool,
    /// Exceptions: there are none.
    pub scope_specification: Vec<String>,
}

/// A cookie that the key keeps alive.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceCredential {
    /// `cookie`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its attributes, but for how long it lives.
    pub attributes: String,
}
