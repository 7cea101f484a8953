//! Proofs that were here: none counts twice while its time is inside the window.

use std::collections::BTreeSet;

use sallyport_model::{Timestamp, limits};

use super::{ProofError, ProvenKey};

/// A proof's `iat` lies at most this long before or after now, so it is inside the window for twice as long at most.
const GENERATION_SECS: i64 = 2 * limits::PROOF_SKEW_SECS + 1;
/// Most proofs of one generation: 1,500 requests a second.
pub(super) const GENERATION_PROOFS: usize = 180_000;

/// The memory of used proofs, in two generations: what is younger than one generation is never forgotten.
#[derive(Debug, Default)]
pub struct Seen {
    since: Timestamp,
    current: BTreeSet<[u8; 16]>,
    previous: BTreeSet<[u8; 16]>,
}

impl Seen {
    /// Uses a proof up.
    ///
    /// # Errors
    /// [`ProofError::Replayed`], or [`ProofError::Crowded`] where forgetting another one would be the only way to remember this.
    pub fn remember(&mut self, proof: &ProvenKey, now: Timestamp) -> Result<(), ProofError> {
        self.turn(now);
        if self.previous.contains(proof.id()) {
            return Err(ProofError::Replayed);
        }
        if self.current.len() >= GENERATION_PROOFS && !self.current.contains(proof.id()) {
            return Err(ProofError::Crowded);
        }
        if self.current.insert(*proof.id()) { Ok(()) } else { Err(ProofError::Replayed) }
    }

    /// A clock that goes back forgets nothing: the generation just lasts longer.
    fn turn(&mut self, now: Timestamp) {
        if now.micros_since(self.since) >= GENERATION_SECS * 1_000_000 {
            self.previous = std::mem::take(&mut self.current);
            self.since = now;
        }
    }
}
