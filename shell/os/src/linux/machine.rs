//! Facts of the machine that only system calls tell; what is in files is read by the inventory.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Room of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// What an ordinary account may still fill.
    pub available: u64,
}

/// The kernel's words about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    pub host_name: String,
    pub release: String,
    pub architecture: String,
}

/// An address of a network interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceAddress {
    pub interface: String,
    pub address: IpAddr,
}

pub fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { total: bytes(found.f_blocks), available: bytes(found.f_bavail) })
}

pub fn kernel() -> Kernel {
    let name = rustix::system::uname();
    let text = |part: &CStr| part.to_string_lossy().into_owned();
    Kernel { host_name: text(name.nodename()), release: text(name.release()), architecture: text(name.machine()) }
}

/// What the kernel counts memory in.
pub fn page_bytes() -> u64 {
    // SAFETY: reads a constant of the machine.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Whether the agent has the rights of the machine's administrator.
pub fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// The addresses of all interfaces, in order.
pub fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut first = std::ptr::null_mut();
    // SAFETY: the pointer receives a list that the system made; it is freed below and not used afterwards.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: the list is valid until it is freed, and ends in a null pointer.
    while let Some(entry) = unsafe { next.as_ref() } {
        found.extend(address_of(entry));
        next = entry.ifa_next;
    }
    // SAFETY: `first` came from `getifaddrs`, and no reference into the list is left.
    unsafe { libc::freeifaddrs(first) };
    found.sort();
    Ok(found)
}

fn address_of(entry: &libc::ifaddrs) -> Option<InterfaceAddress> {
    // SAFETY: null or a valid socket address.
    let family = i32::from(unsafe { entry.ifa_addr.as_ref() }?.sa_family);
    let address = match family {
        libc::AF_INET => {
            // SAFETY: the family says that the address has this type; it may stand unaligned.
            let raw = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(raw.sin_addr.s_addr)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            IpAddr::V6(Ipv6Addr::from(raw.sin6_addr.s6_addr))
        }
        _ => return None,
    };
    // SAFETY: the name ends in a zero byte and lives as long as the list.
    let interface = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
    Some(InterfaceAddress { interface, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_what_it_is() {
        assert!(space(Path::new("/")).expect("space").total > 0);
        assert!(!kernel().architecture.is_empty());
        assert!(addresses().expect("addresses").iter().any(|found| found.address.is_loopback()));
    }
}
