//! How many requests one address may make: a bucket for each, without a timer (GCRA, ITU-T I.371).
//!
//! It protects the server's time. What guesses cost is counted elsewhere, durably.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sallyport_model::{Timestamp, limits};

const MICROS: i64 = 1_000_000;
/// One request's share of the sustained rate.
const SHARE_MICROS: i64 = MICROS / limits::REQUESTS_PER_SECOND;
/// How far ahead of the rate a burst may run.
const BURST_MICROS: i64 = SHARE_MICROS * limits::REQUESTS_AT_ONCE;

/// What an address has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Requests that it may make at once.
    pub requests: i64,
    /// Seconds until it has all of them again.
    pub full_in_secs: i64,
}

impl Left {
    /// All are used up.
    pub const NOTHING: Self = Self { requests: 0, full_in_secs: limits::REQUESTS_AT_ONCE / limits::REQUESTS_PER_SECOND };
}

/// The address has used its requests up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests from this address")]
pub struct Exceeded {
    /// Seconds until one more is possible, at least 1.
    pub retry_after_secs: u32,
}

/// The buckets of all addresses that asked lately.
#[derive(Debug, Default)]
pub struct Buckets {
    /// For each network, when its bucket is full again.
    full_at: BTreeMap<IpAddr, i64>,
}

impl Buckets {
    /// Takes one request out of an address's bucket.
    ///
    /// # Errors
    /// [`Exceeded`] where it is empty.
    pub fn take(&mut self, address: IpAddr, now: Timestamp) -> Result<Left, Exceeded> {
        let (key, now) = (network(address), now.micros());
        // No bucket is emptier than empty: the clock went back, and nobody knows any more how empty it is.
        let known = self.full_at.get(&key).copied().filter(|full_at| *full_at <= now + BURST_MICROS);
        let full_at = known.unwrap_or(now).max(now);
        let after = full_at + SHARE_MICROS;
        if after > now + BURST_MICROS {
            let wait = after - now - BURST_MICROS;
            return Err(Exceeded { retry_after_secs: u32::try_from(whole_secs(wait)).unwrap_or(1).max(1) });
        }
        self.make_room(now);
        self.full_at.insert(key, after);
        Ok(Left { requests: (now + BURST_MICROS - after) / SHARE_MICROS, full_in_secs: whole_secs(after - now) })
    }

    /// Full buckets are as good as none. Where too many are not full, all are forgotten: memory comes first.
    fn make_room(&mut self, now: i64) {
        if self.full_at.len() < limits::RATE_ADDRESSES {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= limits::RATE_ADDRESSES {
            self.full_at.clear();
        }
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
        v4 => v4,
    }
}

/// Rounds up: whoever is told a time too early asks in vain.
fn whole_secs(micros: i64) -> i64 {
    (micros + MICROS - 1) / MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000 + micros)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn drained(buckets: &mut Buckets, address: &str, now: Timestamp) -> i64 {
        (0..).take_while(|_| buckets.take(ip(address), now).is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn a_burst_is_as_long_as_the_limit_and_comes_back_with_time() {
        let mut buckets = Buckets::default();
        assert_eq!(drained(&mut buckets, "192.0.2.1", at(0)), limits::REQUESTS_AT_ONCE);
        assert_eq!(buckets.take(ip("192.0.2.1"), at(0)), Err(Exceeded { retry_after_secs: 1 }));
        assert_eq!(drained(&mut buckets, "192.0.2.1", at(MICROS)), limits::REQUESTS_PER_SECOND);
        assert_eq!(drained(&mut buckets, "192.0.2.1", at(3_600 * MICROS)), limits::REQUESTS_AT_ONCE);
    }

    #[test]
    fn addresses_have_buckets_of_their_own_and_networks_of_ipv6_one() {
        let mut buckets = Buckets::default();
        drained(&mut buckets, "192.0.2.1", at(0));
        assert!(buckets.take(ip("192.0.2.2"), at(0)).is_ok());
        assert!(buckets.take(ip("::ffff:192.0.2.1"), at(0)).is_err(), "the same address");
        drained(&mut buckets, "2001:db8::1", at(0));
        assert!(buckets.take(ip("2001:db8::2"), at(0)).is_err());
        assert!(buckets.take(ip("2001:db8:0:1::1"), at(0)).is_ok());
    }

    #[test]
    fn what_is_left_is_told() {
        let left = Buckets::default().take(ip("192.0.2.1"), at(0)).unwrap();
        assert_eq!(left, Left { requests: limits::REQUESTS_AT_ONCE - 1, full_in_secs: 1 });
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let mut buckets = Buckets::default();
        drained(&mut buckets, "192.0.2.1", at(86_400 * MICROS));
        assert_eq!(drained(&mut buckets, "192.0.2.1", at(0)), limits::REQUESTS_AT_ONCE);
        assert!(buckets.take(ip("192.0.2.1"), at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let mut buckets = Buckets::default();
        for n in 0..u32::try_from(limits::RATE_ADDRESSES + 10).unwrap() {
            buckets.take(IpAddr::from(n.to_be_bytes()), at(0)).unwrap();
        }
        assert!(buckets.full_at.len() <= limits::RATE_ADDRESSES);
    }
}
