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
