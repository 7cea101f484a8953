//! Where simulated agents keep what they must not forget.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sallyport_agent_core::PrivateDir;
use sallyport_agent_core::disk::{Disk, MemoryDisk};

/// The disks of a fleet.
#[derive(Debug, Clone)]
pub enum Disks {
    /// Forgotten with the process.
    Memory,
    /// A private directory for each device below this one, so that a fleet is the same after a restart.
    Below(PathBuf),
}

impl Disks {
    pub(super) fn of(&self, number: usize) -> io::Result<Arc<dyn Disk>> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryDisk::default())),
            Self::Below(folder) => Ok(Arc::new(PrivateDir::hold(&folder.join(format!("device-{number:05}")))?)),
        }
    }
}
