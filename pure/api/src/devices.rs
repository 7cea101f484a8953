//! Customers, sites, devices and what devices say of themselves.

use sallyport_model::{CustomerId, DeviceId, SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A customer with its sites.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CustomerId,
    /// Its name.
    pub name: String,
    /// Its sites.
    pub sites: Vec<Site>,
}

/// A place of a customer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Its id.
    #[schema(value_type = String)]
    pub id: SiteId,
    /// Its name.
    pub name: String,
}

/// Names a new customer or site.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    /// The name.
    pub name: String,
}

/// Whether a device may receive anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Enrolled, waits for approval, receives nothing.
    Pending,
    /// Obeys grants.
    Approved,
    /// Two machines use its key; receives nothing.
    Quarantined,
    /// No longer managed.
    Removed,
}

/// A device in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Its name: the host name that it gave, as plain text.
    pub name: String,
    /// May it receive anything.
    pub state: DeviceState,
    /// Is its agent connected now.
    pub online: bool,
    /// When it last said something.
    #[schema(value_type = Option<String>)]
    pub last_seen: Option<Timestamp>,
    /// Its customer.
    #[schema(value_type = String)]
    pub customer: CustomerId,
    /// The customer's name.
    pub customer_name: String,
    /// Its site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The site's name.
    pub site_name: String,
    /// Operating system and version, as it says.
    pub os: String,
    /// Who is signed in there, as it says.
    pub signed_in: Vec<String>,
    /// What is wrong, most urgent first.
    pub alerts: Vec<String>,
    /// Labels that people gave it.
    pub tags: Vec<String>,
}

/// A device in full, without its inventory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceDetails {
    /// As in the list.
    pub device: Device,
    /// SHA-256 of its public key.
    pub thumbprint: String,
    /// The agent's version.
    pub agent_version: String,
    /// When it was enrolled.
    #[schema(value_type = String)]
    pub enrolled: Timestamp,
    /// The address that it enrolled from.
    pub enrolled_from: String,
    /// When it was approved.
    #[schema(value_type = Option<String>)]
    pub approved: Option<Timestamp>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it last sent its inventory.
    #[schema(value_type = Option<String>)]
    pub inventory_at: Option<Timestamp>,
    /// Figures of the last heartbeat.
    pub figures: Option<Figures>,
}

/// Light figures that a device sends with each heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Load average of one minute, in thousandths.
    pub load_milli: u64,
    /// Bytes of memory in use.
    pub memory_used: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Seconds since it started.
    pub uptime_secs: u64,
}

/// What a device says it is and has. All of it is untrusted text.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// When the device collected it.
    #[schema(value_type = Option<String>)]
    pub collected: Option<Timestamp>,
    /// Host name.
    pub hostname: String,
    /// Operating system, with version.
    pub os: String,
    /// Kernel.
    pub kernel: String,
    /// Processor architecture.
    pub arch: String,
    /// Time zone.
    pub timezone: String,
    /// When it started.
    #[schema(value_type = Option<String>)]
    pub booted: Option<Timestamp>,
    /// Hardware.
    pub hardware: Hardware,
    /// File systems.
    pub disks: Vec<Disk>,
    /// Network interfaces.
    pub network: Vec<Interface>,
    /// People signed in.
    pub signed_in: Vec<SignedIn>,
    /// Accounts.
    pub users: Vec<LocalUser>,
    /// Installed software.
    pub software: Vec<Software>,
    /// Running processes.
    pub processes: Vec<Process>,
    /// Services.
    pub services: Vec<Service>,
    /// Ports that wait for connections.
    pub ports: Vec<ListeningPort>,
    /// How many items the device left out to keep within its limits.
    pub omitted: u32,
}

/// What a machine is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Hardware {
    /// Processor model.
    pub cpu: String,
    /// Logical processors.
    pub cores: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Maker.
    pub vendor: String,
    /// Model.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// `virtual machine`, or empty on real hardware.
    pub virtualization: String,
}

/// A mounted file system.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Disk {
    /// The block device.
    pub device: String,
    /// Where it is mounted.
    pub mount: String,
    /// Its kind.
    pub filesystem: String,
    /// Bytes in all.
    pub total: u64,
    /// Bytes free.
    pub free: u64,
}

/// A network interface.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// Somebody signed in on the device.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// The account.
    pub user: String,
    /// The terminal or display.
    pub terminal: String,
    /// Where from, for remote ones.
    pub host: String,
    /// Since when.
    #[schema(value_type = Option<String>)]
    pub since: Option<Timestamp>,
}

/// An account on the device.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LocalUser {
    /// Account name.
    pub name: String,
    /// A uid on Unix, a SID on Windows.
    pub id: String,
    /// Whether it may become root or is in the administrators' group.
    pub administrator: bool,
}

/// An installed package.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Software {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Which package manager has it.
    pub source: String,
}

/// A running process.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Parent's id.
    pub parent: u32,
    /// Account.
    pub user: String,
    /// Short name.
    pub name: String,
    /// Command line.
    pub command: String,
    /// Share of one processor, in thousandths.
    pub cpu_permille: u32,
    /// Resident bytes.
    pub memory: u64,
}

/// A port that waits for connections.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ListeningPort {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The address.
    pub address: String,
    /// Its number.
    pub port: u16,
    /// The process that listens; 0 where it is not known.
    pub pid: u32,
    /// That process' short name.
    pub process: String,
}

/// A service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Unit name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// `running`, `stopped`, `failed`, `changing` or `other`.
    pub state: String,
    /// When it starts: `automatic`, `manual`, `disabled` or `other`.
    pub start: String,
}

/// Replaces a device's labels.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTags {
    /// The new labels.
    pub tags: Vec<String>,
}

/// Names devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Ids of devices.
    pub devices: Vec<String>,
}

/// How many devices are in which state.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceCounts {
    /// All that are not removed.
    pub all: u64,
    /// Connected now.
    pub online: u64,
    /// Approved and not connected.
    pub offline: u64,
    /// Waiting for approval.
    pub pending: u64,
    /// With something wrong.
    pub attention: u64,
}

/// One page of devices, with the counts for the tabs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DevicePage {
    /// The devices, in the wanted order.
    pub items: Vec<Device>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many match the filter.
    pub total: u64,
    /// How many there are, whatever the filter.
    pub counts: DeviceCounts,
}
