//! What an agent is given from outside, so that the same code runs on a device and in a simulated fleet.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sallyport_model::Timestamp;

use crate::dial::Dial;
use crate::disk::Disk;
use crate::facts::Facts;
use crate::remote::Kinds;
use crate::remote::notice::Notice;
use crate::runner::Runs;

/// Everything outside of one agent. Nothing is shared between agents but what stands here.
#[derive(Clone)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub disk: Arc<dyn Disk>,
    pub dial: Arc<dyn Dial>,
    pub runs: Arc<dyn Runs>,
    pub facts: Arc<dyn Facts>,
    pub remote: Arc<dyn Kinds>,
    pub notice: Arc<dyn Notice>,
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's clock, which anybody may have set to anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Where secret randomness comes from.
pub trait Entropy: Send + Sync {
    fn random_32(&self) -> Result<[u8; 32], EntropyError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct EntropyError;

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn random_32(&self) -> Result<[u8; 32], EntropyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| EntropyError)?;
        Ok(bytes)
    }
}
