//! The inventory: what a device says that it is and has. All of it is shown, none of it trusted.
//!
//! An empty text means that the agent does not know.

use prost::Message;
use sallyport_model::{AgentText, Timestamp, limits};

mod convert;

use crate::message::{self, MessageError};
use crate::shape;

/// All of a device at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// By the device's clock.
    pub collected_at: Timestamp,
    /// Operating system and agent.
    pub system: System,
    /// The machine.
    pub hardware: Hardware,
    /// Mounted file systems.
    pub disks: Vec<Disk>,
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// Users with a session right now.
    pub signed_in: Vec<SignedIn>,
    /// Accounts of the machine.
    pub local_users: Vec<LocalUser>,
    /// Installed packages.
    pub software: Vec<Software>,
    /// Running processes.
    pub processes: Vec<Process>,
    /// Services, running or not.
    pub services: Vec<Service>,
    /// Ports that wait for connections.
    pub ports: Vec<ListeningPort>,
    /// How many items were left out; see [`Inventory::fitted`].
    pub omitted: u32,
}

/// Operating system and agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// The machine's own name; never a reason to trust it.
    pub hostname: AgentText,
    /// Such as `Debian GNU/Linux`.
    pub os_name: AgentText,
    /// Such as `13.1`.
    pub os_version: AgentText,
    /// Such as `6.12.48`.
    pub kernel: AgentText,
    /// Such as `x86_64`.
    pub arch: AgentText,
    /// Such as `Europe/Paris`.
    pub timezone: AgentText,
    /// The version of the agent.
    pub agent_version: AgentText,
    /// By the device's clock.
    pub booted_at: Option<Timestamp>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// The processor's name.
    pub cpu_model: AgentText,
    /// Logical processors.
    pub cores: u32,
    /// Installed memory.
    pub memory_bytes: u64,
    /// Who made it.
    pub vendor: AgentText,
    /// What it is.
    pub product: AgentText,
    /// Its serial number.
    pub serial: AgentText,
    /// Whether it is a virtual machine.
    pub is_virtual: bool,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Such as `/dev/sda1`.
    pub device: AgentText,
    /// Where it is mounted; up to [`limits::AGENT_TEXT_CHARS`].
    pub mount: AgentText,
    /// Such as `ext4`.
    pub filesystem: AgentText,
    /// Its size.
    pub total_bytes: u64,
    /// What is free to unprivileged users.
    pub free_bytes: u64,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: AgentText,
    /// Such as `52:54:00:12:34:56`.
    pub mac: AgentText,
    /// IPv4 and IPv6 addresses, each with its prefix length where known.
    pub addresses: Vec<AgentText>,
}

/// A user with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account's name.
    pub name: AgentText,
    /// Such as `tty1`.
    pub terminal: AgentText,
    /// The address or display that the session comes from.
    pub origin: AgentText,
    /// By the device's clock.
    pub since: Option<Timestamp>,
}

/// An account of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser {
    /// The account's name.
    pub name: AgentText,
    /// A uid on Unix, a SID on Windows.
    pub id: AgentText,
    /// Whether it may become root or is in the administrators' group.
    pub is_administrator: bool,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Software {
    /// The package's name.
    pub name: AgentText,
    /// Its version.
    pub version: AgentText,
    /// The package system that knows it, such as `dpkg`.
    pub source: AgentText,
}

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id; 0 for none.
    pub parent_pid: u32,
    /// Whose it is.
    pub user: AgentText,
    /// Its short name.
    pub name: AgentText,
    /// Up to [`limits::AGENT_TEXT_CHARS`].
    pub command_line: AgentText,
    /// Of one core: 1000 is a core in full use.
    pub cpu_permille: u32,
    /// Resident memory.
    pub memory_bytes: u64,
    /// By the device's clock.
    pub started_at: Option<Timestamp>,
}

/// A service of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Such as `ssh.service`.
    pub name: AgentText,
    /// Up to [`limits::AGENT_TEXT_CHARS`].
    pub description: AgentText,
    /// What it does right now.
    pub state: ServiceState,
    /// When it starts.
    pub start: ServiceStart,
}

/// A port that waits for connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListeningPort {
    /// `tcp` or `udp`.
    pub protocol: AgentText,
    /// Such as `0.0.0.0` or `::1`.
    pub address: AgentText,
    /// Its number.
    pub port: u16,
    /// The process that listens; 0 where the agent does not know.
    pub pid: u32,
    /// That process' short name.
    pub process: AgentText,
}

/// What a service does right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It does not, and that is well.
    Stopped,
    /// It does not, and should.
    Failed,
    /// It starts, stops or reloads.
    Changing,
    /// Something that the agent has no word for.
    Other,
}

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStart {
    /// With the machine.
    Automatic,
    /// When something asks for it.
    Manual,
    /// Never.
    Disabled,
    /// Something that the agent has no word for.
    Other,
}

impl Inventory {
    /// Takes back what [`Inventory::to_bytes`] made, for instance from a database.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        message::decode(bytes, shape::INVENTORY, limits::MESSAGE_BYTES).and_then(Self::parse)
    }

    /// The inventory alone as bytes, for storing. Errors: a list or a text is too long; never after
    /// [`Inventory::fitted`], save for texts longer than the limits that this crate tames to.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MessageError> {
        message::encode(&self.to_pb(), shape::INVENTORY, limits::MESSAGE_BYTES)
    }

    /// Shortens lists until the inventory can be sent, and counts in `omitted` what was left out.
    /// Lists keep their first items, so put what matters first.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        self.shorten_lists(limits::INVENTORY_ITEMS);
        let mut most = limits::INVENTORY_ITEMS;
        while self.to_pb().encoded_len() > limits::MESSAGE_BYTES - OUTER_BYTES && most > 0 {
            most /= 2;
            self.shorten_lists(most);
        }
        self
    }

    fn shorten_lists(&mut self, most: usize) {
        let omitted = shorten(&mut self.disks, most)
            + shorten(&mut self.interfaces, most)
            + shorten(&mut self.signed_in, most)
            + shorten(&mut self.local_users, most)
            + shorten(&mut self.software, most)
            + shorten(&mut self.processes, most)
            + shorten(&mut self.services, most)
            + shorten(&mut self.ports, most)
            + self.interfaces.iter_mut().map(|one| shorten(&mut one.addresses, limits::ADDRESSES_PER_INTERFACE)).sum::<u32>();
        self.omitted = self.omitted.saturating_add(omitted);
    }
}

/// Key and length of the field that an inventory is in; ten bytes each at the very most.
const OUTER_BYTES: usize = 20;

fn shorten<T>(list: &mut Vec<T>, most: usize) -> u32 {
    let omitted = list.len().saturating_sub(most);
    list.truncate(most);
    u32::try_from(omitted).unwrap_or(u32::MAX)
}
