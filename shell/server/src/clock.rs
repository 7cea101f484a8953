//! The time.

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
