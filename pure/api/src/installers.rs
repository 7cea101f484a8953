//! Installers and their enrolment tokens.

use sallyport_model::{InstallerId, SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for an installer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstaller {
    /// What people call it.
    pub label: String,
    /// The site that new devices land in.
    pub site: String,
    /// `linux`.
    pub platform: String,
    /// How many devices may enrol with it.
    pub uses: u32,
    /// How long it works.
    pub lifetime_secs: u32,
    /// The only network (CIDR) that devices may enrol from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// An installer in a list; its token is shown once, when it is made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Installer {
    /// Its id, which is also the token's.
    #[schema(value_type = String)]
    pub id: InstallerId,
    /// What people call it.
    pub label: String,
    /// The site that new devices land in.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The site's name.
    pub site_name: String,
    /// The customer's name.
    pub customer_name: String,
    /// `linux`.
    pub platform: String,
    /// Devices that may enrol with it.
    pub uses: u32,
    /// Devices that did.
    pub used: u32,
    /// The only network that devices may enrol from.
    pub network: Option<String>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it stops working.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// When it was revoked.
    #[schema(value_type = Option<String>)]
    pub revoked: Option<Timestamp>,
}

/// A new installer, with the file that is shown once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedInstaller {
    /// The installer.
    pub installer: Installer,
    /// A good name for the file.
    pub file_name: String,
    /// The signed enrolment file. The server keeps only a hash of its secret.
    pub enrolment_file: String,
}
