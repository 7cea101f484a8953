//! What a blocking thread tells one attachment, waiting for room there, and how it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sallyport_wire::stream::files::{FileAnswer, FileDone};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::remote::kind::Outlet;
use crate::remote::ledger::Ledger;
use crate::remote::trouble::Trouble;

/// Tells a thread to end what it does; works also while the thread waits for room.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    pub(super) fn stop(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_one();
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }
}

/// The way back to one attachment.
#[derive(Clone)]
pub(super) struct Back {
    pub(super) outlet: Outlet,
    pub(super) runtime: Handle,
    pub(super) ledger: Ledger,
    /// Who asks, for the recording.
    pub(super) name: String,
}

/// The way back from one request.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) id: u32,
    pub(super) stop: Stop,
    back: Back,
}

impl Teller {
    pub(super) fn new(id: u32, back: Back) -> Self {
        Self { id, stop: Stop::default(), back }
    }

    /// Fails when somebody wants the work to end.
    pub(super) fn go_on(&self) -> Result<(), Trouble> {
        if self.stop.is_asked() { Err(Trouble::code("aborted")) } else { Ok(()) }
    }

    /// Sends a message, waiting for room.
    pub(super) fn say(&self, message: &FileAnswer) -> Result<(), Trouble> {
        self.wait(async { Ok(self.back.outlet.control(message).await?) })
    }

    /// Sends data on the request's own channel, waiting for room.
    pub(super) fn data(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.wait(async { Ok(self.back.outlet.data(self.id, bytes).await?) })
    }

    fn wait(&self, sending: impl Future<Output = Result<(), Trouble>>) -> Result<(), Trouble> {
        self.go_on()?;
        self.back.runtime.block_on(async {
            tokio::select! {
                sent = sending => sent,
                () = self.stop.0.1.notified() => Err(Trouble::code("aborted")),
            }
        })
    }

    /// Ends a request. Whoever has left is not told.
    pub(super) fn end(&self, outcome: Result<FileDone, Trouble>) {
        let sha256 = outcome.as_ref().ok().and_then(|done| done.sha256);
        self.back.ledger.ended(&self.back.name, self.id, outcome.as_ref().err().map_or("ok", |trouble| trouble.code), sha256);
        let message = match outcome {
            Ok(done) => FileAnswer::Ok(Box::new(FileDone { id: self.id, ..done })),
            Err(trouble) => FileAnswer::Error(trouble.failure(self.id)),
        };
        // The end is told also of work that was stopped.
        let _ = self.back.runtime.block_on(self.back.outlet.control(&message));
    }
}
