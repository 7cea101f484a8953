//! The one writer: takes what is queued, applies it in one transaction, commits once, then answers everybody.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sallyport_model::TenantId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::database::Database;
use crate::{Audit, Change, CheckpointSigner, StoreError, Tx};

/// Most changes of one transaction.
const BATCH: usize = 256;
/// How often a transaction is done again before its changes are given back as [`StoreError::Busy`].
const ATTEMPTS: u32 = 12;
/// From this attempt on the writer waits for its turn among several processes.
const PATIENCE: u32 = 2;

pub(crate) enum Message {
    Change(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A queued change of any type.
pub(crate) trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>>;
    fn answer(self: Box<Self>, whole: Result<(), StoreError>);
}

pub(crate) struct Waiting<C: Change> {
    change: C,
    outcome: Option<Result<C::Out, StoreError>>,
    reply: oneshot::Sender<Result<C::Out, StoreError>>,
}

impl<C: Change> Waiting<C> {
    pub(crate) fn new(change: C, reply: oneshot::Sender<Result<C::Out, StoreError>>) -> Self {
        Self { change, outcome: None, reply }
    }
}

async fn audited<C: Change>(change: &C, tx: &mut Tx) -> Result<C::Out, StoreError> {
    let before = tx.pending.appended();
    let out = change.apply(tx).await?;
    match C::AUDIT {
        Audit::Required if tx.pending.appended() == before => Err(StoreError::Unaudited),
        _ => Ok(out),
    }
}

impl<C: Change> Job for Waiting<C> {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let outcome = audited(&self.change, tx).await;
            let told = outcome.as_ref().map(|_| ()).map_err(StoreError::clone);
            self.outcome = Some(outcome);
            told
        })
    }

    fn answer(self: Box<Self>, whole: Result<(), StoreError>) {
        let answer = match (whole, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // A caller that went away does not undo what is durable.
        let _ = self.reply.send(answer);
    }
}

pub(crate) struct Writer {
    pub(crate) database: Arc<Database>,
    pub(crate) signer: Arc<dyn CheckpointSigner>,
    pub(crate) transactions: Arc<AtomicU64>,
    pub(crate) sizes: watch::Sender<BTreeMap<TenantId, u64>>,
}

/// How one transaction treats a change that fails.
#[derive(Clone, Copy)]
enum Guard {
    /// The whole transaction is given up and done again with savepoints: the usual, cheap case.
    Hope,
    /// Each change has a savepoint to go back to.
    Savepoints,
}

/// How a transaction ended without a commit.
enum Stop {
    /// A change failed while there were no savepoints.
    OneFailed,
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Writer {
    /// Runs until the queue is closed or every store handle is gone.
    pub(crate) async fn run(self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        let mut closer = None;
        while queue.recv_many(&mut messages, BATCH).await > 0 {
            let mut batch = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Change(job) if closer.is_none() => batch.push(job),
                    Message::Change(job) => job.answer(Err(StoreError::Closed)),
                    Message::Close(reply) => {
                        queue.close();
                        closer = Some(reply);
                    }
                }
            }
            self.settle(batch).await;
        }
        self.database.close().await;
        if let Some(reply) = closer {
            let _ = reply.send(());
        }
    }

    /// Writes a batch; where it cannot be written as a whole, each change is tried alone.
    async fn settle(&self, mut batch: Vec<Box<dyn Job>>) {
        let whole = self.write(&mut batch).await;
        if batch.len() < 2 || matches!(whole, Ok(()) | Err(StoreError::Unknown(_) | StoreError::Busy | StoreError::Closed)) {
            return batch.into_iter().for_each(|job| job.answer(whole.clone()));
        }
        for job in batch {
            let mut alone = [job];
            let outcome = self.write(&mut alone).await;
            let [job] = alone;
            job.answer(outcome);
        }
    }

    async fn write(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut guard = Guard::Hope;
        for attempt in 0..ATTEMPTS {
            match self.attempt(batch, guard, attempt).await {
                Ok(()) => return Ok(()),
                // A single change that failed: its own error is its answer, and nothing was written.
                Err(Stop::OneFailed) if batch.len() == 1 => return Ok(()),
                Err(Stop::OneFailed) => guard = Guard::Savepoints,
                Err(Stop::Failed(error)) if error.is_retryable() => pause(attempt).await,
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    async fn attempt(&self, batch: &mut [Box<dyn Job>], guard: Guard, attempt: u32) -> Result<(), Stop> {
        let conn = if attempt < PATIENCE { self.database.begin_write().await? } else { self.database.begin_write_first().await? };
        let mut tx = Tx::new(conn);
        for job in batch.iter_mut() {
            let outcome = match guard {
                Guard::Hope => apply(&mut tx, job).await?.map_err(|_| Stop::OneFailed),
                Guard::Savepoints => apply_guarded(&mut tx, job).await.map_err(Stop::Failed),
            };
            outcome?;
        }
        let grown = tx.seal(self.signer.as_ref()).await?;
        tx.commit().await?;
        if !grown.is_empty() {
            self.sizes.send_modify(|sizes| sizes.extend(grown));
        }
        self.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Lets another process finish; the later the attempt, the longer.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 5)).await;
}

/// Applies one change. The outer error ends the transaction, the inner one is the change's own.
async fn apply(tx: &mut Tx, job: &mut Box<dyn Job>) -> Result<Result<(), StoreError>, StoreError> {
    let outcome = AssertUnwindSafe(job.run(tx)).catch_unwind().await.map_err(|_| StoreError::Panicked)?;
    match tx.redo.take() {
        // The engine wants the whole transaction again, even where the change made another error of it.
        Some(error) => Err(error),
        None => Ok(outcome),
    }
}

async fn apply_guarded(tx: &mut Tx, job: &mut Box<dyn Job>) -> Result<(), StoreError> {
    let mark = tx.pending.mark();
    tx.execute("SAVEPOINT change", &[]).await?;
    if apply(tx, job).await?.is_err() {
        tx.execute("ROLLBACK TO SAVEPOINT change", &[]).await?;
        tx.pending.go_back(&mark);
    }
    tx.execute("RELEASE SAVEPOINT change", &[]).await?;
    Ok(())
}
