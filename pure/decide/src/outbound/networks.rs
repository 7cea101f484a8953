//! Which addresses may be reached. Public ones may; those that mean "this machine", "this network" or "whoever runs this machine" may not,
//! unless the server's own configuration lists their network. Judged is what a name resolved to, never the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Scheme;
use crate::networks::{Range, within};

/// Who wrote an address, and so what it may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The operator, in the server's configuration: everything.
    Operator,
    /// Somebody with an account: what these networks say.
    Account(Networks),
}

/// What the server's configuration says about addresses that people with accounts write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Networks that may be reached although they are not public.
    pub listed: Vec<Range>,
    /// Whether requests to listed networks may go without TLS.
    pub plain_http: PlainHttp,
}

/// Whether requests may go without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// They may not.
    #[default]
    Refused,
    /// To listed networks they may.
    Listed,
}

/// Why an address is not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It has no TLS.
    #[error("the address must begin with https://")]
    PlainHttp,
    /// It is of a network that is not public, and that the configuration does not list.
    #[error("the address lies in a network that is not public and that outbound_networks does not list")]
    Private,
}

impl Reach {
    /// Whether anything at all can be reached by this scheme.
    ///
    /// # Errors
    /// [`Unreachable::PlainHttp`] where plain HTTP goes nowhere.
    pub fn speaks(&self, scheme: Scheme) -> Result<(), Unreachable> {
        match (self, scheme) {
            (Self::Account(Networks { plain_http: PlainHttp::Refused, .. }), Scheme::Http) => Err(Unreachable::PlainHttp),
            _ => Ok(()),
        }
    }

    /// Whether one address may be connected to by this scheme.
    ///
    /// # Errors
    /// Says what stands against it.
    pub fn judge(&self, scheme: Scheme, address: IpAddr) -> Result<(), Unreachable> {
        let Self::Account(networks) = self else { return Ok(()) };
        self.speaks(scheme)?;
        match (within(&networks.listed, address.to_canonical()), scheme) {
            (true, _) => Ok(()),
            (false, Scheme::Http) => Err(Unreachable::PlainHttp),
            (false, Scheme::Https) if is_public(address.to_canonical()) => Ok(()),
            (false, Scheme::Https) => Err(Unreachable::Private),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What the registry of special addresses (RFC 6890 and its successors) leaves, without a cloud's own address among the public ones.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, _, _) | (224..=255, _, _) => true,
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) | (198, 18 | 19, _) => true,
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    // Azure's machines reach their host here.
    !special && address != Ipv4Addr::new(168, 63, 129, 16)
}

/// Global unicast alone (2000::/3), without what carries other addresses or documents. A translated address (RFC 6052) is what it carries.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let special = match (segments[0], segments[1]) {
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) => true,
        (0x3fff, 0..=0xfff) => true,
        _ => false,
    };
    segments[0] & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(ranges: &[&str], plain_http: PlainHttp) -> Reach {
        Reach::Account(Networks { listed: ranges.iter().map(|range| range.parse().unwrap()).collect(), plain_http })
    }

    fn judge(reach: &Reach, scheme: Scheme, address: &str) -> Result<(), Unreachable> {
        reach.judge(scheme, address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_reached_and_others_are_not() {
        let reach = listing(&[], PlainHttp::Refused);
        for public in
            ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
        {
            assert_eq!(judge(&reach, Scheme::Https, public), Ok(()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
            "4000::1",
        ] {
            assert_eq!(judge(&reach, Scheme::Https, private), Err(Unreachable::Private), "{private}");
        }
    }

    #[test]
    fn what_the_configuration_lists_is_reached_and_no_more() {
        let reach = listing(&["127.0.0.0/8", "10.1.2.3", "fd00::/64"], PlainHttp::Refused);
        for (address, good) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("fd00::7", true),
            ("fd00:1::7", false),
            ("::1", false),
        ] {
            assert_eq!(judge(&reach, Scheme::Https, address).is_ok(), good, "{address}");
        }
    }

    #[test]
    fn plain_http_goes_to_listed_networks_alone_and_only_where_the_configuration_says_so() {
        let listed = listing(&["10.0.0.0/8"], PlainHttp::Listed);
        assert_eq!(judge(&listed, Scheme::Http, "10.0.0.1"), Ok(()));
        assert_eq!(judge(&listed, Scheme::Http, "1.1.1.1"), Err(Unreachable::PlainHttp));
        assert_eq!(judge(&listed, Scheme::Https, "1.1.1.1"), Ok(()));
        let refused = listing(&["10.0.0.0/8"], PlainHttp::Refused);
        assert_eq!(judge(&refused, Scheme::Http, "10.0.0.1"), Err(Unreachable::PlainHttp));
        assert_eq!(judge(&refused, Scheme::Https, "10.0.0.1"), Ok(()));
    }

    #[test]
    fn the_operator_reaches_what_the_operator_wrote() {
        for scheme in [Scheme::Http, Scheme::Https] {
            assert_eq!(judge(&Reach::Operator, scheme, "127.0.0.1"), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_however_it_is_written(bits in any::<u32>()) {
            let (reach, address) = (listing(&[], PlainHttp::Refused), Ipv4Addr::from(bits));
            let plain = reach.judge(Scheme::Https, IpAddr::V4(address));
            prop_assert_eq!(reach.judge(Scheme::Https, IpAddr::V6(address.to_ipv6_mapped())), plain);
            let translated = Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(bits));
            prop_assert_eq!(reach.judge(Scheme::Https, IpAddr::V6(translated)), plain);
        }

        #[test]
        fn what_the_standard_library_calls_special_is_never_reached(bits in any::<u32>(), wide in any::<u128>()) {
            let reach = listing(&[], PlainHttp::Refused);
            let (v4, v6) = (Ipv4Addr::from(bits), Ipv6Addr::from(wide));
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast() || v4.is_documentation() {
                prop_assert!(reach.judge(Scheme::Https, IpAddr::V4(v4)).is_err());
            }
            if v6.is_loopback() || v6.is_multicast() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local() {
                prop_assert!(reach.judge(Scheme::Https, IpAddr::V6(v6)).is_err());
            }
        }

        #[test]
        fn private_networks_are_refused_address_by_address(tail in any::<u16>(), low in any::<u8>()) {
            let reach = listing(&[], PlainHttp::Refused);
            let [b, c] = tail.to_be_bytes();
            for address in [Ipv4Addr::new(127, b, c, low), Ipv4Addr::new(10, b, c, low), Ipv4Addr::new(192, 168, c, low), Ipv4Addr::new(169, 254, c, low)] {
                prop_assert_eq!(reach.judge(Scheme::Https, IpAddr::V4(address)), Err(Unreachable::Private));
            }
        }
    }
}
