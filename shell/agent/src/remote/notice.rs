//! What the person at the machine is told and asked about remote sessions.

mod machine;

use std::future::Future;
use std::pin::Pin;

pub use machine::People;

/// Tells and asks people at the machine.
pub trait Notice: Send + Sync {
    /// Tells everybody who is signed in. Returns at once.
    fn tell(&self, text: String);

    /// Asks whoever sits at the machine; resolves once somebody answered, or nobody can be asked. Dropping it takes the
    /// question back.
    fn ask(&self, question: String) -> Asking;
}

pub type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What the person at the machine said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Allowed,
    Refused,
    /// There was nobody to ask.
    Nobody,
}

/// Nobody is at this machine: tells nobody, and whoever must be asked does not answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Notice for Nobody {
    fn tell(&self, _: String) {}

    fn ask(&self, _: String) -> Asking {
        Box::pin(std::future::ready(Answer::Nobody))
    }
}
