//! The handle that everyone holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sallyport_model::TenantId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::database::{self, Database};
use crate::writer::{Message, Waiting, Writer};
use crate::{Audit, Change, CheckpointSigner, Reader, StoreError, migrations};

/// Changes that may wait for the writer.
const QUEUE: usize = 1024;
/// How long a full queue is waited for.
const BUSY_AFTER: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

/// The database: snapshots to read, one writer that groups commits. Clones share both.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    queue: mpsc::Sender<Message>,
    transactions: Arc<AtomicU64>,
    sizes: watch::Receiver<BTreeMap<TenantId, u64>>,
    busy_after: Duration,
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://...`, applies missing migrations and starts the writer on
    /// this runtime. `signer` signs the checkpoints of every tenant's log.
    pub async fn open(address: &str, signer: Arc<dyn CheckpointSigner>) -> Result<Self, StoreError> {
        let database = Arc::new(Database::open(address, READERS).await?);
        migrations::migrate(&database).await?;
        let (queue, changes) = mpsc::channel(QUEUE);
        let transactions = Arc::new(AtomicU64::new(0));
        let (grown, sizes) = watch::channel(BTreeMap::new());
        let writer = Writer { database: database.clone(), signer, transactions: transactions.clone(), sizes: grown };
        tokio::spawn(writer.run(changes));
        Ok(Self { database, queue, transactions, sizes, busy_after: BUSY_AFTER })
    }

    /// A snapshot: everything read through it is of one moment. Drop it soon.
    pub async fn read(&self) -> Result<Reader, StoreError> {
        self.database.begin_read().await.map(Reader::new)
    }

    /// Makes a change durable, together with its audit entries; returns once it is.
    pub async fn commit<C: Change>(&self, change: C) -> Result<C::Out, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Change(Box::new(Waiting::new(change, reply)))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Spends something before it is judged: an attempt, a challenge, a one-use ticket. Durable once it
    /// returns. Only for changes that are exempt from the audit log (checked when compiled).
    pub async fn reserve<C: Change>(&self, change: C) -> Result<C::Out, StoreError> {
        const { assert!(matches!(C::AUDIT, Audit::Exempt(_)), "only exempt changes are reserved") };
        self.commit(change).await
    }

    async fn send(&self, message: Message) -> Result<(), StoreError> {
        let place = tokio::time::timeout(self.busy_after, self.queue.reserve()).await;
        place.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Closed)?.send(message);
        Ok(())
    }

    /// Transactions that were committed since the store was opened; many changes share one.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// The sizes of the logs that have grown since the store was opened, as they go on growing.
    pub fn log_sizes(&self) -> watch::Receiver<BTreeMap<TenantId, u64>> {
        self.sizes.clone()
    }

    /// Finishes what is queued, then closes all connections. Later changes are [`StoreError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.send(Message::Close(reply)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Copies the running SQLite database into a new file, readable by its owner alone.
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        match self.database.as_ref() {
            Database::Sqlite { path, .. } => database::copy_sqlite(path, to).await,
            Database::Postgres { .. } => Err(StoreError::NotSqlite),
        }
    }
}

/// Whether a PostgreSQL database has no table yet, before a copy is put into it.
pub async fn is_vacant(address: &str) -> Result<bool, StoreError> {
    database::is_vacant(address).await
}

/// Whether a SQLite file is whole, before it is restored: structure and references.
pub async fn check_copy(path: &Path) -> Result<(), StoreError> {
    database::check_sqlite(path).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tx;

    struct Nothing;

    impl Change for Nothing {
        type Out = ();
        const AUDIT: Audit = Audit::Exempt("tests");
        async fn apply(&self, _: &mut Tx) -> Result<(), StoreError> {
            Ok(())
        }
    }

    /// A store whose queue has one place and whose writer never comes.
    async fn without_writer(folder: &Path) -> (Store, mpsc::Receiver<Message>) {
        let address = format!("sqlite:{}", folder.join("store.db").display());
        let database = Arc::new(Database::open(&address, 1).await.expect("a new file can be opened"));
        let (queue, changes) = mpsc::channel(1);
        (
            Store {
                database,
                queue,
                transactions: Arc::default(),
                sizes: watch::channel(BTreeMap::new()).1,
                busy_after: Duration::from_millis(20),
            },
            changes,
        )
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_and_a_dead_writer_acknowledges_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, changes) = without_writer(folder.path()).await;
        let first = tokio::spawn({
            let store = store.clone();
            async move { store.commit(Nothing).await }
        });
        tokio::task::yield_now().await;
        assert!(matches!(store.commit(Nothing).await, Err(StoreError::Busy)));
        drop(changes);
        assert!(matches!(first.await, Ok(Err(StoreError::Closed))));
        assert!(matches!(store.commit(Nothing).await, Err(StoreError::Closed)));
    }
}
