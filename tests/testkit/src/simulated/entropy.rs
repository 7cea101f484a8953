//! Randomness that is the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use sallyport_agent_core::ports::{Entropy, EntropyError};

/// SHA-256 over seed and counter. For simulated devices and servers of tests only: anybody can compute what comes.
#[derive(Debug)]
pub struct Seeded {
    seed: u64,
    count: AtomicU64,
}

impl Seeded {
    /// Equal seeds give equal bytes.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }

    fn next(&self, whose: &[u8]) -> [u8; 32] {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        *hash(&[whose, &self.seed.to_be_bytes(), &count.to_be_bytes()]).as_bytes()
    }
}

impl Entropy for Seeded {
    fn random_32(&self) -> Result<[u8; 32], EntropyError> {
        Ok(self.next(b"sallyport simulated device"))
    }
}

impl sallyport_server::outside::Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            part.copy_from_slice(&self.next(b"sallyport seeded server")[..part.len()]);
        }
    }
}

/// The seed of one device of a fleet.
pub(super) fn seed_of(fleet: u64, number: usize) -> u64 {
    choice(fleet, &format!("device {number}"))
}

/// A number that depends on a seed and on what it is for.
pub(super) fn choice(seed: u64, what: &str) -> u64 {
    let hash = hash(&[b"choice", &seed.to_be_bytes(), what.as_bytes()]);
    u64::from_be_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

/// One of several.
pub(super) fn pick<T: Copy>(seed: u64, what: &str, from: &[T]) -> T {
    from[usize::try_from(choice(seed, what) % from.len() as u64).unwrap_or(0)]
}

fn hash(parts: &[&[u8]]) -> sallyport_model::Digest {
    sallyport_grant::sha256(parts)
}
