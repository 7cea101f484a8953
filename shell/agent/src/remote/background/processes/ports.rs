//! Who waits for connections where: the kernel's tables of sockets, and whose descriptors they are.
//!
//! Sockets in other network namespaces than the agent's (containers) are not in these tables.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sallyport_model::limits;
use sallyport_wire::stream::background::{Port, PortProtocol};

/// Sockets by their numbers.
pub(super) type Sockets = BTreeMap<u64, Port>;

/// What the kernel calls a TCP socket that waits for connections, and a UDP socket without a partner.
const LISTENING: &str = "0A";
const UNCONNECTED: &str = "07";

/// All sockets that wait.
pub(super) fn listening() -> Sockets {
    let tables = [
        ("/proc/net/tcp", PortProtocol::Tcp),
        ("/proc/net/tcp6", PortProtocol::Tcp),
        ("/proc/net/udp", PortProtocol::Udp),
        ("/proc/net/udp6", PortProtocol::Udp),
    ];
    let mut found = Sockets::new();
    for (path, proto) in tables {
        found.extend(parse(&std::fs::read_to_string(path).unwrap_or_default(), proto));
    }
    found
}

/// proc(5): number, local address, remote address, state, ..., and the inode as the tenth field.
pub(super) fn parse(table: &str, proto: PortProtocol) -> Sockets {
    let wanted = match proto {
        PortProtocol::Tcp => LISTENING,
        PortProtocol::Udp => UNCONNECTED,
    };
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let port = Port { proto, address: address_of(address)?, port: u16::from_str_radix(port, 16).ok()? };
        (*fields.get(3)? == wanted).then_some((fields.get(9)?.parse().ok()?, port))
    };
    table.lines().skip(1).filter_map(socket).filter(|(inode, _)| *inode != 0).collect()
}

/// Addresses stand as numbers of the machine's own byte order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0; 16];
            for (at, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

/// The ports that a process' descriptors stand for.
pub(super) fn of(pid: u32, sockets: &Sockets) -> Vec<Port> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inodes = descriptors.filter_map(|descriptor| {
        let target = std::fs::read_link(descriptor.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    });
    let mut ports: Vec<Port> = inodes.filter_map(|inode| sockets.get(&inode).cloned()).collect();
    ports.sort();
    ports.dedup();
    ports.truncate(limits::PORTS_PER_PROCESS);
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn tables_are_read() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 ffff 100 0 0 10 0\n   \
            1: 0100007F:A1B2 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 ffff 100 0 0 10 0\ngarbage\n";
        let found = parse(tcp, PortProtocol::Tcp);
        let port = Port { proto: PortProtocol::Tcp, address: "127.0.0.1".parse().expect("address"), port: 8080 };
        assert_eq!(found, Sockets::from([(4242, port)]));
        assert_eq!(address_of("00000000000000000000000001000000"), Some("::1".parse().expect("address")));
        assert_eq!((address_of("0100007"), address_of("é100007"), address_of("zzzzzzzz")), (None, None, None));
    }

    #[test]
    fn an_open_port_is_found_at_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("address").port();
        let own = of(std::process::id(), &listening());
        assert!(own.iter().any(|found| found.port == port && found.proto == PortProtocol::Tcp), "{own:?}");
    }
}
