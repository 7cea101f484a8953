//! One session in two networks at once: what a proxy of a thief on the person's own machine, or a shared screen of secrets, looks like
//! from here.
//!
//! Who moves is in one network after the other; only who comes back to the first while the second is still warm is in both. An address of
//! IPv4 and one of IPv6 are not compared, for one line has both, unless both belong to a known operator.

use std::fmt;
use std::net::IpAddr;

use sallyport_model::{Timestamp, limits};

/// Bits of an IPv4 address that name its network where nothing better is known.
const BITS_V4: u32 = 24;
/// Bits of an IPv6 address that do.
const BITS_V6: u32 = 48;

/// Where a session is used from, as far as two users of it would differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// An autonomous system: the operator, by a configured database.
    Operator(u32),
    /// The first 24 bits.
    V4([u8; 3]),
    /// The first 48 bits.
    V6([u16; 3]),
}

impl Network {
    /// Of an address, with its autonomous system where that is known.
    pub fn of(address: IpAddr, operator: Option<u32>) -> Self {
        match (operator, address.to_canonical()) {
            (Some(number), _) => Self::Operator(number),
            (None, IpAddr::V4(v4)) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            (None, IpAddr::V6(v6)) => {
                let [a, b, c, ..] = v6.segments();
                Self::V6([a, b, c])
            }
        }
    }

    fn is_comparable(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(number) => write!(f, "AS{number}"),
            Self::V4([a, b, c]) => write!(f, "{a}.{b}.{c}.0/{BITS_V4}"),
            Self::V6([a, b, c]) => write!(f, "{a:x}:{b:x}:{c:x}::/{BITS_V6}"),
        }
    }
}

/// A network that a session was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub network: Network,
    /// The newest address there.
    pub address: IpAddr,
    /// When it was last used from there.
    pub last: Timestamp,
}

/// What a request of a session says about where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// Where it was, or somewhere new.
    Plain,
    /// Back where it was before, while it was used from elsewhere a moment ago.
    AtOnceWith(Seen),
}

/// Judges a request from a network, by where the session was seen before.
pub fn judge(seen: &[Seen], here: &Network, now: Timestamp) -> Sighting {
    let warm = |one: &&Seen| now.micros_since(one.last) <= limits::TWO_NETWORKS_SECS * 1_000_000;
    let Some(before) = seen.iter().filter(warm).find(|one| one.network == *here) else { return Sighting::Plain };
    let others = seen.iter().filter(warm).filter(|one| one.network != *here && one.network.is_comparable(here));
    match others.max_by_key(|one| one.last).filter(|other| before.last <= other.last) {
        Some(other) => Sighting::AtOnceWith(other.clone()),
        None => Sighting::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Addresses with the seconds at which they were seen, then one more request: whether it is one too many.
    fn concurrent(seen: &[(&str, i64)], here: &str, secs: i64) -> bool {
        let seen: Vec<Seen> = seen
            .iter()
            .map(|(address, secs)| Seen { network: Network::of(ip(address), None), address: ip(address), last: at(*secs) })
            .collect();
        judge(&seen, &Network::of(ip(here), None), at(secs)) != Sighting::Plain
    }

    const HOME: &str = "192.0.2.7";
    const AWAY: &str = "198.51.100.7";

    #[test]
    fn a09_only_who_comes_back_while_the_other_is_warm_is_in_both() {
        assert!(!concurrent(&[], HOME, 0));
        assert!(!concurrent(&[(HOME, 0)], AWAY, 5), "who moves is in one after the other");
        assert!(concurrent(&[(HOME, 0), (AWAY, 5)], HOME, 10));
        assert!(!concurrent(&[(HOME, 0), (AWAY, 5)], AWAY, 10), "staying where one went");
        assert!(!concurrent(&[(HOME, 0), (AWAY, 5)], HOME, limits::TWO_NETWORKS_SECS + 1), "coming home in the evening");
        assert!(!concurrent(&[(HOME, 10), (AWAY, 5)], HOME, 11), "home again for a while");
    }

    #[test]
    fn a09_a_line_with_both_protocols_is_one_line() {
        assert!(!concurrent(&[(HOME, 0), ("2001:db8:1::1", 5)], HOME, 10));
        assert!(!concurrent(&[(HOME, 0), ("192.0.2.200", 5)], HOME, 10), "one /24");
        assert!(!concurrent(&[("2001:db8:1:1::1", 0), ("2001:db8:1:2::1", 5)], "2001:db8:1:1::1", 10), "one /48");
        assert!(concurrent(&[("2001:db8:1::1", 0), ("2001:db8:2::1", 5)], "2001:db8:1::1", 10));
        assert_eq!(Network::of(ip("::ffff:192.0.2.7"), None), Network::of(ip(HOME), None));
    }

    #[test]
    fn a09_operators_are_compared_across_protocols_and_not_with_unknown_ones() {
        let seen = |operators: [Option<u32>; 2]| {
            let [home, away] = operators.map(|number| Network::of(ip(HOME), number));
            let away_at = Seen { network: away, address: ip("2001:db8::1"), last: at(5) };
            let home_at = Seen { network: home.clone(), address: ip(HOME), last: at(0) };
            judge(&[home_at, away_at], &home, at(10)) != Sighting::Plain
        };
        assert!(seen([Some(64_500), Some(64_501)]));
        assert!(!seen([Some(64_500), Some(64_500)]), "one operator");
        assert!(!seen([Some(64_500), None]), "nobody knows whose the other is");
    }

    #[test]
    fn networks_are_shown_as_people_write_them() {
        for (address, operator, shown) in
            [(HOME, None, "192.0.2.0/24"), ("2001:db8:1:2::3", None, "2001:db8:1::/48"), (HOME, Some(64_500), "AS64500")]
        {
            assert_eq!(Network::of(ip(address), operator).to_string(), shown);
        }
    }
}
