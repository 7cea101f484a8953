//! The two things that decisions get from outside: the time and randomness.

use std::sync::Arc;

use crate::clock::{SharedClock, SystemClock};

/// Where random bytes come from: the operating system, or a test's seed.
pub trait Entropy: Send + Sync + 'static {
    /// Fills these bytes with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness: nothing that follows could be safe.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// A source of randomness that somebody else holds.
pub type SharedEntropy = Arc<dyn Entropy>;

/// What a server gets from outside, besides its settings.
#[derive(Clone)]
pub struct Outside {
    /// The time.
    pub clock: SharedClock,
    /// Randomness.
    pub entropy: SharedEntropy,
}

impl Outside {
    /// The operating system's clock and random bytes.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }
}

/// So many random bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0u8; N];
    entropy.fill(&mut bytes);
    bytes
}
