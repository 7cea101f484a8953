//! What is found on all devices.

use sallyport_model::DeviceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device that has what was looked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FoundOn {
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub online: bool,
    /// The customer's name.
    pub customer_name: String,
    /// The site's name.
    pub site_name: String,
    /// What was found there.
    pub found: Vec<Found>,
}

/// Something that a device has, as its inventory says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// The program, service or package; of a port its number.
    pub name: String,
    /// The version of a package; empty for everything else.
    pub version: String,
    /// The user of a process, the state of a service, the source of a package; of a port protocol, address and program.
    pub detail: String,
}

/// Asks devices to say anew what they have.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshSearch {
    /// `next` of the answer before; absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How many devices were asked. They answer within seconds, and each answer is an event `device`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefreshedSearch {
    /// Connected devices that were asked.
    pub asked: u32,
    /// Where more are to be asked: from here on.
    pub next: Option<String>,
}
