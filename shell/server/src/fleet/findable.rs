//! What of an inventory can be found by a search over all devices.

use sallyport_decide::search::{FindKind, Finding, pack};
use sallyport_model::AgentText;
use sallyport_wire::{Inventory, ListeningPort, Process, Service, ServiceState, Software};

/// One packed text for each kind. What changes from minute to minute (numbers of processes, their load) is no part of it.
pub(crate) fn findable(inventory: &Inventory) -> Vec<(FindKind, String)> {
    let of = |kind: FindKind| match kind {
        FindKind::Process => inventory.processes.iter().map(process).collect(),
        FindKind::Service => inventory.services.iter().map(service).collect(),
        FindKind::Software => inventory.software.iter().map(software).collect(),
        FindKind::Port => inventory.ports.iter().map(port).collect(),
    };
    FindKind::ALL.into_iter().map(|kind| (kind, pack(of(kind)))).collect()
}

fn finding(name: &AgentText, version: &str, detail: String) -> Finding {
    Finding { name: name.to_string(), version: version.to_owned(), detail }
}

fn process(of: &Process) -> Finding {
    finding(&of.name, "", of.user.to_string())
}

fn service(of: &Service) -> Finding {
    let state = match of.state {
        ServiceState::Running => "running",
        ServiceState::Stopped => "stopped",
        ServiceState::Failed => "failed",
        ServiceState::Changing => "changing",
        ServiceState::Other => "other",
    };
    finding(&of.name, "", state.to_owned())
}

fn software(of: &Software) -> Finding {
    finding(&of.name, of.version.as_str(), of.source.to_string())
}

fn port(of: &ListeningPort) -> Finding {
    Finding { name: of.port.to_string(), version: String::new(), detail: format!("{} {} {}", of.protocol, of.address, of.process) }
}
