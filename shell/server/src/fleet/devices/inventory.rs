//! From what an agent sent to what the API says. Nothing is judged here: the link has made all texts harmless.

use sallyport_api as api;
use sallyport_model::AgentText;
use sallyport_wire::{
    Disk, Hardware, Interface, Inventory, ListeningPort, LocalUser, Process, Service, ServiceStart, ServiceState, SignedIn, Software,
};

/// The inventory as the API says it.
pub(super) fn shown(inventory: Inventory) -> api::Inventory {
    let system = inventory.system;
    api::Inventory {
        collected: Some(inventory.collected_at),
        hostname: system.hostname.into_string(),
        os: format!("{} {}", system.os_name, system.os_version).trim().to_owned(),
        kernel: system.kernel.into_string(),
        arch: system.arch.into_string(),
        timezone: system.timezone.into_string(),
        booted: system.booted_at,
        hardware: hardware(inventory.hardware),
        disks: inventory.disks.into_iter().map(disk).collect(),
        network: inventory.interfaces.into_iter().map(interface).collect(),
        signed_in: inventory.signed_in.into_iter().map(signed_in).collect(),
        users: inventory.local_users.into_iter().map(local_user).collect(),
        software: inventory.software.into_iter().map(software).collect(),
        processes: inventory.processes.into_iter().map(process).collect(),
        services: inventory.services.into_iter().map(service).collect(),
        ports: inventory.ports.into_iter().map(port).collect(),
        omitted: inventory.omitted,
    }
}

fn hardware(of: Hardware) -> api::Hardware {
    api::Hardware {
        cpu: of.cpu_model.into_string(),
        cores: of.cores,
        memory: of.memory_bytes,
        vendor: of.vendor.into_string(),
        product: of.product.into_string(),
        serial: of.serial.into_string(),
        virtualization: if of.is_virtual { "virtual machine".to_owned() } else { String::new() },
    }
}

fn disk(of: Disk) -> api::Disk {
    api::Disk {
        device: of.device.into_string(),
        mount: of.mount.into_string(),
        filesystem: of.filesystem.into_string(),
        total: of.total_bytes,
        free: of.free_bytes,
    }
}

fn interface(of: Interface) -> api::Interface {
    let addresses = of.addresses.into_iter().map(AgentText::into_string).collect();
    api::Interface { name: of.name.into_string(), mac: of.mac.into_string(), addresses }
}

fn signed_in(of: SignedIn) -> api::SignedIn {
    api::SignedIn { user: of.name.into_string(), terminal: of.terminal.into_string(), host: of.origin.into_string(), since: of.since }
}

fn local_user(of: LocalUser) -> api::LocalUser {
    api::LocalUser { name: of.name.into_string(), id: of.id.into_string(), administrator: of.is_administrator }
}

fn software(of: Software) -> api::Software {
    api::Software { name: of.name.into_string(), version: of.version.into_string(), source: of.source.into_string() }
}

fn process(of: Process) -> api::Process {
    api::Process {
        pid: of.pid,
        parent: of.parent_pid,
        user: of.user.into_string(),
        name: of.name.into_string(),
        command: of.command_line.into_string(),
        cpu_permille: of.cpu_permille,
        memory: of.memory_bytes,
    }
}

fn port(of: ListeningPort) -> api::ListeningPort {
    api::ListeningPort {
        protocol: of.protocol.into_string(),
        address: of.address.into_string(),
        port: of.port,
        pid: of.pid,
        process: of.process.into_string(),
    }
}

fn service(of: Service) -> api::Service {
    let state = match of.state {
        ServiceState::Running => "running",
        ServiceState::Stopped => "stopped",
        ServiceState::Failed => "failed",
        ServiceState::Changing => "changing",
        ServiceState::Other => "other",
    };
    let start = match of.start {
        ServiceStart::Automatic => "automatic",
        ServiceStart::Manual => "manual",
        ServiceStart::Disabled => "disabled",
        ServiceStart::Other => "other",
    };
    api::Service {
        name: of.name.into_string(),
        description: of.description.into_string(),
        state: state.to_owned(),
        start: start.to_owned(),
    }
}
