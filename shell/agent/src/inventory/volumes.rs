//! Mounted file systems and network interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sallyport_os::machine;
use sallyport_wire::{Disk, Interface};

use super::text::{line, read};
use super::{long, short};

/// File systems that hold people's data; the kernel's own are left out.
const REAL: [&str; 14] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "exfat", "ntfs", "ntfs3", "fuseblk", "overlay", "bcachefs"];

pub(super) fn disks() -> Vec<Disk> {
    let mounts = parse_mounts(&read("/proc/self/mounts"));
    mounts
        .into_iter()
        .filter_map(|mount| {
            let space = machine::space(Path::new(&mount.place)).ok().filter(|space| space.total > 0)?;
            Some(Disk {
                device: short(&mount.device),
                mount: long(&mount.place),
                filesystem: short(&mount.filesystem),
                total_bytes: space.total,
                free_bytes: space.available,
            })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: String,
    pub(super) place: String,
    pub(super) filesystem: String,
}

/// Each device once, at the first place where it is mounted; network file systems are asked never, they may hang.
pub(super) fn parse_mounts(text: &str) -> Vec<Mount> {
    let mut seen = BTreeSet::new();
    let mounts = text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, place, filesystem) = (fields.next()?, fields.next()?, fields.next()?);
        let mount = Mount { device: unescape(device), place: unescape(place), filesystem: filesystem.to_owned() };
        REAL.contains(&filesystem).then_some(mount)
    });
    mounts.filter(|mount| seen.insert(mount.device.clone())).collect()
}

/// fstab(5): spaces and the like are written as octal numbers.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

pub(super) fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        found.entry(entry.file_name().to_string_lossy().into_owned()).or_default();
    }
    for address in machine::addresses().unwrap_or_default() {
        found.entry(address.interface).or_default().push(address.address.to_string());
    }
    found.remove("lo");
    let interface = |(name, addresses): (String, Vec<String>)| Interface {
        mac: short(&line(format!("/sys/class/net/{name}/address"))),
        name: short(&name),
        addresses: addresses.iter().map(|address| short(address)).collect(),
    };
    found.into_iter().map(interface).collect()
}
