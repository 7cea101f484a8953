//! Where an agent learns what its device is: the machine itself, or an invented one.

use sallyport_model::{AgentText, Timestamp};
use sallyport_wire::{Heartbeat, Inventory};

/// What a device is and has.
pub trait Facts: Send + Sync {
    /// Everything; may take a second and is called off the main thread.
    fn inventory(&self, now: Timestamp) -> Inventory;
    /// A few figures; quick.
    fn heartbeat(&self, now: Timestamp) -> Heartbeat;
    /// What people see of a device before its first inventory.
    fn introduction(&self) -> Introduction;
}

#[derive(Debug, Clone)]
pub struct Introduction {
    pub hostname: AgentText,
    pub os: AgentText,
    pub arch: AgentText,
}
