//! The two things that decisions get from outside: the time and randomness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sallyport_model::Timestamp;

/// Where the time comes from: the system, or a test.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that somebody else holds.
pub type SharedClock = Arc<dyn Clock>;

/// Random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness: nothing that follows could be safe.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}
