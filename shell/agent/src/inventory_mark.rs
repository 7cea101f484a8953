//! Remembers which inventory the server has, so that a restart sends only what changed.

use sallyport_model::{Digest, Timestamp};
use sallyport_wire::Inventory;

use crate::disk::Disk;

const FILE: &str = "inventory-mark";

/// Whether the server has none, or one that differs in more than passing figures.
pub(crate) fn is_new(disk: &dyn Disk, inventory: &Inventory) -> bool {
    let known = disk.read(FILE).ok().flatten();
    known.is_none() || known.as_deref() != mark(inventory).map(|mark| mark.as_bytes().to_vec()).as_deref()
}

/// A mark that is lost costs one inventory more.
pub(crate) fn set(disk: &dyn Disk, inventory: &Inventory) {
    if let Some(mark) = mark(inventory)
        && let Err(error) = disk.replace(FILE, mark.as_bytes())
    {
        tracing::warn!(%error, "the mark of the inventory cannot be written");
    }
}

pub(crate) fn forget(disk: &dyn Disk) {
    if let Err(error) = disk.remove(FILE) {
        tracing::warn!(%error, "the mark of the inventory cannot be removed");
    }
}

/// Processes, free space and the like differ at every look and do not count.
fn mark(inventory: &Inventory) -> Option<Digest> {
    let mut steady = inventory.clone();
    steady.collected_at = Timestamp::default();
    steady.processes.clear();
    steady.signed_in.clear();
    steady.omitted = 0;
    steady.disks.iter_mut().for_each(|disk| disk.free_bytes = 0);
    steady.to_bytes().ok().map(|bytes| sallyport_grant::sha256(&[&bytes]))
}
