//! When to dial again: exponential with full jitter, so that a fleet does not come back all at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// The waits of one agent; equal seeds give equal waits.
#[derive(Debug, Clone)]
pub struct Backoff {
    jitter: Jitter,
    failures: u32,
}

impl Backoff {
    pub fn seeded(seed: u64) -> Self {
        Self { jitter: Jitter(seed), failures: 0 }
    }

    /// How long to wait after one more failure: up to 0.1 s at first, up to 60 s later.
    pub fn after_failure(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.jitter.below(ceiling)
    }

    /// The link worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Spreads moments; nothing secret hangs on it. SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Jitter(pub u64);

impl Jitter {
    /// A length of time from nothing to just below `ceiling`.
    pub fn below(&mut self, ceiling: Duration) -> Duration {
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.next()) * u128::from(nanos)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_bounded_and_differ_between_agents() {
        let waits = |seed| {
            let mut backoff = Backoff::seeded(seed);
            (0..40).map(|_| backoff.after_failure()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        for seed in 0..50 {
            let waits = waits(seed);
            assert!(waits[0] < FIRST && waits.iter().all(|wait| *wait < LONGEST));
            assert!(waits[20..].iter().max() > Some(&Duration::from_secs(30)));
        }
    }

    #[test]
    fn a_working_link_starts_over() {
        let mut backoff = Backoff::seeded(3);
        for _ in 0..20 {
            backoff.after_failure();
        }
        backoff.reset();
        assert!(backoff.after_failure() < FIRST);
    }
}
