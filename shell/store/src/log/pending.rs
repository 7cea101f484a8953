//! Entries of one transaction: buffered while changes run, written and signed once before the commit.

use std::collections::BTreeMap;

use sallyport_model::{Digest, TenantId};

use super::tree::{Frontier, leaf_hash};
use super::{CheckpointSigner, Entry};
use crate::{Reader, StoreError, Tx, Value, values};

/// Begins the log where there is none, and locks its head until the transaction ends, so that
/// several processes append one after the other.
const LOCK_HEAD: &str = "INSERT INTO log_heads (tenant, epoch, size, frontier, root, checkpoint) VALUES ($1, 1, 0, $2, $3, '')
    ON CONFLICT (tenant) DO UPDATE SET epoch = log_heads.epoch RETURNING size, frontier";

/// What the transaction has appended so far.
#[derive(Default)]
pub(crate) struct Pending {
    logs: BTreeMap<TenantId, OpenLog>,
    appended: u64,
}

/// A tenant's log with its head locked.
pub(crate) struct OpenLog {
    tenant: TenantId,
    frontier: Frontier,
    entries: Vec<Entry>,
}

/// A place to go back to: how many entries each open log had.
pub(crate) struct Mark(BTreeMap<TenantId, usize>);

impl Pending {
    pub(crate) async fn append(&mut self, reader: &mut Reader, tenant: TenantId, entry: Entry) -> Result<u64, StoreError> {
        if !self.logs.contains_key(&tenant) {
            self.logs.insert(tenant, OpenLog::lock(reader, tenant).await?);
        }
        let log = self.logs.get_mut(&tenant).ok_or(StoreError::NotFound)?;
        let index = log.frontier.size + log.entries.len() as u64;
        log.entries.push(entry);
        self.appended += 1;
        Ok(index)
    }

    /// How many entries were ever appended in this transaction, gone back or not.
    pub(crate) fn appended(&self) -> u64 {
        self.appended
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.logs.iter().map(|(tenant, log)| (*tenant, log.entries.len())).collect())
    }

    /// Forgets what was appended since; a log that was opened since lost its lock, and maybe its head.
    pub(crate) fn go_back(&mut self, mark: &Mark) {
        self.logs.retain(|tenant, _| mark.0.contains_key(tenant));
        for (tenant, log) in &mut self.logs {
            log.entries.truncate(mark.0.get(tenant).copied().unwrap_or(0));
        }
    }

    pub(crate) fn into_logs(self) -> impl Iterator<Item = OpenLog> {
        self.logs.into_values().filter(|log| !log.entries.is_empty())
    }
}

impl OpenLog {
    async fn lock(reader: &mut Reader, tenant: TenantId) -> Result<Self, StoreError> {
        let empty = Frontier::from_bytes(0, &[]).ok_or(StoreError::Corrupt("frontier"))?;
        let row = reader.fetch_one(LOCK_HEAD, values![tenant, empty.to_bytes(), empty.root()]).await?;
        let frontier = Frontier::from_bytes(row.uint("size")?, &row.bytes("frontier")?).ok_or(StoreError::Corrupt("frontier"))?;
        Ok(Self { tenant, frontier, entries: Vec::new() })
    }

    /// Writes entries and tree, then the signed head.
    pub(crate) async fn seal(mut self, tx: &mut Tx, signer: &dyn CheckpointSigner) -> Result<(), StoreError> {
        let (entries, nodes) = self.grow();
        let (size, root) = (self.frontier.size, self.frontier.root());
        let checkpoint = signer.sign(self.tenant, size, root).ok_or(StoreError::NoLogKey)?;
        tx.insert_rows("log_entries", &["tenant", "idx", "at", "kind", "data", "body", "salt", "actor"], &entries).await?;
        tx.insert_rows("log_nodes", &["tenant", "level", "idx", "hash"], &nodes).await?;
        let head = "UPDATE log_heads SET size = $2, frontier = $3, root = $4, checkpoint = $5 WHERE tenant = $1";
        tx.execute(head, values![self.tenant, size, self.frontier.to_bytes(), root, checkpoint]).await?;
        Ok(())
    }

    /// Rows of the new entries and of every subtree that they complete.
    fn grow(&mut self) -> (Vec<Vec<Value>>, Vec<Vec<Value>>) {
        let (mut entries, mut nodes) = (Vec::new(), Vec::new());
        for entry in std::mem::take(&mut self.entries) {
            let index = self.frontier.size;
            let completed = self.frontier.push(leaf_hash(&entry.data));
            nodes.extend(completed.into_iter().map(|(node, hash)| self.node_row(node.level, node.index, hash)));
            entries.push(self.entry_row(index, entry));
        }
        (entries, nodes)
    }

    fn node_row(&self, level: u32, index: u64, hash: Digest) -> Vec<Value> {
        values![self.tenant, level, index, hash].to_vec()
    }

    fn entry_row(&self, index: u64, entry: Entry) -> Vec<Value> {
        let actor = entry.actor.to_string();
        values![self.tenant, index, entry.at, entry.kind, entry.data, entry.body, entry.salt, actor].to_vec()
    }
}
