//! Between the inventory's checked types and the generated ones. Counts and lengths in bytes are
//! checked before; here texts are tamed and enums read.

use sallyport_model::{AgentText, Timestamp};

use super::{
    Disk, Hardware, Interface, Inventory, ListeningPort, LocalUser, Process, Service, ServiceStart, ServiceState, SignedIn, Software,
    System,
};
use crate::message::{MessageError, name, present, text, time};
use crate::pb;

impl Inventory {
    pub(crate) fn parse(from: pb::Inventory) -> Result<Self, MessageError> {
        Ok(Self {
            collected_at: time(from.collected_at),
            system: System::parse(&present(from.system, "system")?),
            hardware: Hardware::parse(&present(from.hardware, "hardware")?),
            disks: from.disks.iter().map(Disk::parse).collect(),
            interfaces: from.interfaces.iter().map(Interface::parse).collect(),
            signed_in: from.signed_in.iter().map(SignedIn::parse).collect(),
            local_users: from.local_users.iter().map(LocalUser::parse).collect(),
            software: from.software.iter().map(Software::parse).collect(),
            processes: from.processes.iter().map(Process::parse).collect(),
            services: from.services.iter().map(Service::parse).collect(),
            ports: from.ports.iter().map(ListeningPort::parse).collect(),
            omitted: from.omitted,
        })
    }

    pub(crate) fn to_pb(&self) -> pb::Inventory {
        pb::Inventory {
            collected_at: self.collected_at.micros(),
            system: Some(self.system.to_pb()),
            hardware: Some(self.hardware.to_pb()),
            disks: self.disks.iter().map(Disk::to_pb).collect(),
            interfaces: self.interfaces.iter().map(Interface::to_pb).collect(),
            signed_in: self.signed_in.iter().map(SignedIn::to_pb).collect(),
            local_users: self.local_users.iter().map(LocalUser::to_pb).collect(),
            software: self.software.iter().map(Software::to_pb).collect(),
            processes: self.processes.iter().map(Process::to_pb).collect(),
            services: self.services.iter().map(Service::to_pb).collect(),
            ports: self.ports.iter().map(ListeningPort::to_pb).collect(),
            omitted: self.omitted,
        }
    }
}

fn owned(text: &AgentText) -> String {
    text.as_str().to_owned()
}

fn micros(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::micros)
}

impl System {
    fn parse(from: &pb::System) -> Self {
        Self {
            hostname: name(&from.hostname),
            os_name: name(&from.os_name),
            os_version: name(&from.os_version),
            kernel: name(&from.kernel),
            arch: name(&from.arch),
            timezone: name(&from.timezone),
            agent_version: name(&from.agent_version),
            booted_at: from.booted_at.map(time),
        }
    }

    fn to_pb(&self) -> pb::System {
        pb::System {
            hostname: owned(&self.hostname),
            os_name: owned(&self.os_name),
            os_version: owned(&self.os_version),
            kernel: owned(&self.kernel),
            arch: owned(&self.arch),
            timezone: owned(&self.timezone),
            agent_version: owned(&self.agent_version),
            booted_at: micros(self.booted_at),
        }
    }
}

impl Hardware {
    fn parse(from: &pb::Hardware) -> Self {
        Self {
            cpu_model: name(&from.cpu_model),
            cores: from.cores,
            memory_bytes: from.memory_bytes,
            vendor: name(&from.vendor),
            product: name(&from.product),
            serial: name(&from.serial),
            is_virtual: from.is_virtual,
        }
    }

    fn to_pb(&self) -> pb::Hardware {
        pb::Hardware {
            cpu_model: owned(&self.cpu_model),
            cores: self.cores,
            memory_bytes: self.memory_bytes,
            vendor: owned(&self.vendor),
            product: owned(&self.product),
            serial: owned(&self.serial),
            is_virtual: self.is_virtual,
        }
    }
}

impl Disk {
    fn parse(from: &pb::Disk) -> Self {
        Self {
            device: name(&from.device),
            mount: text(&from.mount),
            filesystem: name(&from.filesystem),
            total_bytes: from.total_bytes,
            free_bytes: from.free_bytes,
        }
    }

    fn to_pb(&self) -> pb::Disk {
        pb::Disk {
            device: owned(&self.device),
            mount: owned(&self.mount),
            filesystem: owned(&self.filesystem),
            total_bytes: self.total_bytes,
            free_bytes: self.free_bytes,
        }
    }
}

impl Interface {
    fn parse(from: &pb::Interface) -> Self {
        Self { name: name(&from.name), mac: name(&from.mac), addresses: from.addresses.iter().map(|one| name(one)).collect() }
    }

    fn to_pb(&self) -> pb::Interface {
        pb::Interface { name: owned(&self.name), mac: owned(&self.mac), addresses: self.addresses.iter().map(owned).collect() }
    }
}

impl SignedIn {
    fn parse(from: &pb::SignedIn) -> Self {
        Self { name: name(&from.name), terminal: name(&from.terminal), origin: name(&from.origin), since: from.since.map(time) }
    }

    fn to_pb(&self) -> pb::SignedIn {
        pb::SignedIn { name: owned(&self.name), terminal: owned(&self.terminal), origin: owned(&self.origin), since: micros(self.since) }
    }
}

impl LocalUser {
    fn parse(from: &pb::LocalUser) -> Self {
        Self { name: name(&from.name), id: name(&from.id), is_administrator: from.is_administrator }
    }

    fn to_pb(&self) -> pb::LocalUser {
        pb::LocalUser { name: owned(&self.name), id: owned(&self.id), is_administrator: self.is_administrator }
    }
}

impl Software {
    fn parse(from: &pb::Software) -> Self {
        Self { name: name(&from.name), version: name(&from.version), source: name(&from.source) }
    }

    fn to_pb(&self) -> pb::Software {
        pb::Software { name: owned(&self.name), version: owned(&self.version), source: owned(&self.source) }
    }
}

impl Process {
    fn parse(from: &pb::Process) -> Self {
        Self {
            pid: from.pid,
            parent_pid: from.parent_pid,
            user: name(&from.user),
            name: name(&from.name),
            command_line: text(&from.command_line),
            cpu_permille: from.cpu_permille,
            memory_bytes: from.memory_bytes,
            started_at: from.started_at.map(time),
        }
    }

    fn to_pb(&self) -> pb::Process {
        pb::Process {
            pid: self.pid,
            parent_pid: self.parent_pid,
            user: owned(&self.user),
            name: owned(&self.name),
            command_line: owned(&self.command_line),
            cpu_permille: self.cpu_permille,
            memory_bytes: self.memory_bytes,
            started_at: micros(self.started_at),
        }
    }
}

impl Service {
    fn parse(from: &pb::Service) -> Self {
        Self {
            name: name(&from.name),
            description: text(&from.description),
            state: ServiceState::parse(from.state()),
            start: ServiceStart::parse(from.start()),
        }
    }

    fn to_pb(&self) -> pb::Service {
        pb::Service {
            name: owned(&self.name),
            description: owned(&self.description),
            state: self.state.to_pb().into(),
            start: self.start.to_pb().into(),
        }
    }
}

impl ListeningPort {
    /// A number that no port has is told as the last one.
    fn parse(from: &pb::ListeningPort) -> Self {
        Self {
            protocol: name(&from.protocol),
            address: name(&from.address),
            port: u16::try_from(from.port).unwrap_or(u16::MAX),
            pid: from.pid,
            process: name(&from.process),
        }
    }

    fn to_pb(&self) -> pb::ListeningPort {
        pb::ListeningPort {
            protocol: owned(&self.protocol),
            address: owned(&self.address),
            port: self.port.into(),
            pid: self.pid,
            process: owned(&self.process),
        }
    }
}
impl ServiceState {
    fn parse(from: pb::ServiceState) -> Self {
        match from {
            pb::ServiceState::Running => Self::Running,
            pb::ServiceState::Stopped => Self::Stopped,
            pb::ServiceState::Failed => Self::Failed,
            pb::ServiceState::Changing => Self::Changing,
            pb::ServiceState::Other | pb::ServiceState::Unspecified => Self::Other,
        }
    }

    fn to_pb(self) -> pb::ServiceState {
        match self {
            Self::Running => pb::ServiceState::Running,
            Self::Stopped => pb::ServiceState::Stopped,
            Self::Failed => pb::ServiceState::Failed,
            Self::Changing => pb::ServiceState::Changing,
            Self::Other => pb::ServiceState::Other,
        }
    }
}

impl ServiceStart {
    fn parse(from: pb::ServiceStart) -> Self {
        match from {
            pb::ServiceStart::Automatic => Self::Automatic,
            pb::ServiceStart::Manual => Self::Manual,
            pb::ServiceStart::Disabled => Self::Disabled,
            pb::ServiceStart::Other | pb::ServiceStart::Unspecified => Self::Other,
        }
    }

    fn to_pb(self) -> pb::ServiceStart {
        match self {
            Self::Automatic => pb::ServiceStart::Automatic,
            Self::Manual => pb::ServiceStart::Manual,
            Self::Disabled => pb::ServiceStart::Disabled,
            Self::Other => pb::ServiceStart::Other,
        }
    }
}
