//! Who runs what the gate let through: the real runner, or one that simulates scripts in a fleet of many agents.

mod collect;
mod script;

use std::sync::Arc;

use sallyport_grant::body::{Outcome, RunScript};
use sallyport_model::{GrantId, Timestamp, limits};
use tokio::sync::Notify;

pub use sallyport_os::Stream;
pub use script::ScriptRunner;

use crate::gate::Claimed;
use crate::journal::{Chunk, Journal, JournalError};
use crate::report::{Output, Reporter, RunEnd};

/// Runs claimed grants.
pub trait Runs: Send + Sync {
    /// Whether this device can run the action at all; asked before the grant's id is spent.
    fn check(&self, action: &RunScript) -> Result<(), CannotRun>;

    /// Begins, and returns at once. Output and end go to `sink`.
    fn start(&self, run: Claimed, sink: RunSink) -> Cancel;

    /// Ends what a crash of the agent left of a run.
    fn end_leftovers(&self, grant: GrantId);
}

/// Ends a run early; harmless when it is over.
pub type Cancel = Box<dyn Fn(StopCause) + Send + Sync>;

/// Who wants a run to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    Cancelled,
    AgentStops,
}

/// Why a device cannot run a script that it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotRun {
    #[error("the interpreter is not installed")]
    InterpreterMissing,
    #[error("there is no such account")]
    AccountUnknown,
    #[error("the agent may not run scripts as that account")]
    AccountNotPermitted,
}

impl CannotRun {
    /// A stable code for the receipt.
    pub fn code(self) -> &'static str {
        match self {
            Self::InterpreterMissing => "interpreter_missing",
            Self::AccountUnknown => "account_unknown",
            Self::AccountNotPermitted => "account_not_permitted",
        }
    }
}

/// Where a run's output and end go: into the journal first, then the link is woken.
///
/// A sink that is dropped without an end reports the run as interrupted, so that no run is left without one.
pub struct RunSink {
    grant: GrantId,
    started: Timestamp,
    journal: Arc<Journal>,
    reporter: Reporter,
    wake: Arc<Notify>,
    ended: bool,
}

impl RunSink {
    pub(crate) fn new(claimed: &Claimed, journal: Arc<Journal>, reporter: Reporter, wake: Arc<Notify>) -> Self {
        Self { grant: claimed.id(), started: claimed.at(), journal, reporter, wake, ended: false }
    }

    /// Stores output; it is numbered here, in the order of the calls.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), JournalError> {
        for piece in bytes.chunks(limits::OUTPUT_CHUNK_BYTES) {
            self.journal.append_output(self.grant, &Chunk { stream, bytes: piece.to_vec() })?;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// The run is over.
    pub fn end(mut self, end: &RunEnd) {
        self.finish(end);
    }

    fn finish(&mut self, end: &RunEnd) {
        self.ended = true;
        let output = self.journal.output(self.grant).map_or(Output::none(), Output::from);
        let receipt = self.reporter.receipt(self.grant, end, self.started, output);
        if let Err(error) = self.journal.end(self.grant, end.outcome, receipt) {
            tracing::error!(grant = %self.grant, %error, "the end of the run is known to this process only");
        }
        self.wake.notify_one();
    }
}

impl Drop for RunSink {
    fn drop(&mut self) {
        if !self.ended {
            self.finish(&RunEnd::without_code(Outcome::Interrupted, Some("agent_failed")));
        }
    }
}
