//! The agent: what makes a computer a managed device that obeys grants and nothing else.
//!
//! One road leads from the network to an action: [`gate::Gate::admit`] takes an offer, and what it gives out is all that a
//! runner takes. What must survive a crash is in the [`journal`]. [`agent::Agent`] keeps the link; its [`ports::Ports`] are
//! all that it touches, so that a fleet of many thousands runs the same code in one process.

pub mod agent;
pub mod backoff;
mod desk;
pub mod dial;
pub mod disk;
pub mod facts;
pub mod gate;
pub mod identity;
pub mod inventory;
mod inventory_mark;
pub mod journal;
mod link;
pub mod ports;
mod redact;
pub mod remote;
pub mod report;
pub mod runner;
mod session;
pub mod status;
#[cfg(test)]
mod testing;
pub mod trust;
pub mod unit;

pub use agent::{Agent, Config, StartError, Timing};
pub use link::LinkEnd;
pub use sallyport_os::PrivateDir;
pub use sallyport_os::machine::is_privileged;
pub use sallyport_os::memory;
