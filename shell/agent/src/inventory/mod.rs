//! What this Linux machine is and has, read from /proc, /sys and a few files; no line of it is trusted to be well-formed.

mod processes;
mod services;
mod software;
mod system;
mod text;
mod users;
mod volumes;

use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_wire::{Heartbeat, Inventory, ListeningPort};

use crate::facts::{Facts, Introduction};

/// The facts of the machine that the agent runs on.
#[derive(Debug, Clone)]
pub struct MachineFacts {
    pub agent_version: String,
}

impl Facts for MachineFacts {
    fn inventory(&self, now: Timestamp) -> Inventory {
        let accounts = users::accounts();
        Inventory {
            collected_at: now,
            system: system::system(&self.agent_version),
            hardware: system::hardware(),
            disks: volumes::disks(),
            interfaces: volumes::interfaces(),
            signed_in: users::signed_in(),
            software: software::installed(),
            processes: processes::running(&accounts),
            services: services::all(),
            ports: ports(),
            local_users: users::local(&accounts),
            omitted: 0,
        }
    }

    fn heartbeat(&self, now: Timestamp) -> Heartbeat {
        Heartbeat {
            sent_at: now,
            load_permille: system::load_permille(),
            memory_used_bytes: system::memory_used_bytes(),
            uptime_secs: system::uptime_secs(),
            signed_in: u32::try_from(users::signed_in().len()).unwrap_or(u32::MAX),
        }
    }

    fn introduction(&self) -> Introduction {
        let kernel = sallyport_os::machine::kernel();
        let (name, version) = system::os_release();
        Introduction {
            hostname: short(&kernel.host_name),
            os: short(format!("{name} {version}").trim()),
            arch: short(&kernel.architecture),
        }
    }
}

fn ports() -> Vec<ListeningPort> {
    let listening = crate::remote::background::listening();
    let told = listening.into_iter().map(|(port, pid, process)| ListeningPort {
        protocol: short(port.proto.word()),
        address: short(&port.address.to_string()),
        port: port.port,
        pid,
        process: short(&process),
    });
    told.take(limits::INVENTORY_ITEMS).collect()
}

/// When the machine was started.
pub(crate) fn booted_at() -> Option<Timestamp> {
    system::booted_at(&text::read("/proc/stat"))
}

/// Who is signed in now.
pub(crate) fn signed_in() -> Vec<sallyport_wire::SignedIn> {
    users::signed_in()
}

/// Packages that are installed now.
pub(crate) fn installed() -> Vec<sallyport_wire::Software> {
    software::installed()
}

fn short(text: &str) -> AgentText {
    AgentText::tame(text, limits::AGENT_NAME_CHARS)
}

fn long(text: &str) -> AgentText {
    AgentText::tame(text, limits::AGENT_TEXT_CHARS)
}

#[cfg(test)]
mod tests;
