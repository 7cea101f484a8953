//! Entries of one transaction: buffered while changes run, written and signed once before the commit.

use std::collections::{BTreeMap, btree_map};

use sallyport_grant::merkle::{Frontier, Node, TreeHead, leaf_hash};
use sallyport_model::{Digest, TenantId};

use super::{CheckpointSigner, Entry};
use crate::outbox::Announced;
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
    outbox: Vec<Announced>,
}

/// A tenant's log with its head locked.
pub(crate) struct OpenLog {
    tenant: TenantId,
    frontier: Frontier,
    entries: Vec<Entry>,
}

/// A place to go back to: how many entries each open log had, and how many events were announced.
pub(crate) struct Mark(BTreeMap<TenantId, usize>, usize);

impl Pending {
    pub(crate) async fn append(&mut self, reader: &mut Reader, tenant: TenantId, mut entry: Entry) -> Result<u64, StoreError> {
        let log = match self.logs.entry(tenant) {
            btree_map::Entry::Occupied(open) => open.into_mut(),
            btree_map::Entry::Vacant(place) => place.insert(OpenLog::lock(reader, tenant).await?),
        };
        let index = log.frontier.size() + log.entries.len() as u64;
        for (number, event) in std::mem::take(&mut entry.events).into_iter().enumerate() {
            let key = [index.to_be_bytes(), (number as u64).to_be_bytes()].concat();
            self.outbox.push(Announced::new(tenant, entry.at, &key, event));
        }
        log.entries.push(entry.at_index(tenant, index));
        self.appended += 1;
        Ok(index)
    }

    /// Announces what is no entry of the log.
    pub(crate) fn announce(&mut self, announced: Announced) {
        self.outbox.push(announced);
    }

    /// What was announced, once.
    pub(crate) fn take_outbox(&mut self) -> Vec<Announced> {
        std::mem::take(&mut self.outbox)
    }

    /// How many entries were ever appended in this transaction, gone back or not.
    pub(crate) fn appended(&self) -> u64 {
        self.appended
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.logs.iter().map(|(tenant, log)| (*tenant, log.entries.len())).collect(), self.outbox.len())
    }

    /// Forgets what was appended since; a log that was opened since lost its lock, and maybe its head.
    pub(crate) fn go_back(&mut self, mark: &Mark) {
        self.logs.retain(|tenant, _| mark.0.contains_key(tenant));
        for (tenant, log) in &mut self.logs {
            log.entries.truncate(mark.0.get(tenant).copied().unwrap_or(0));
        }
        self.outbox.truncate(mark.1);
    }

    pub(crate) fn into_logs(self) -> impl Iterator<Item = OpenLog> {
        self.logs.into_values().filter(|log| !log.entries.is_empty())
    }
}

impl OpenLog {
    async fn lock(reader: &mut Reader, tenant: TenantId) -> Result<Self, StoreError> {
        let empty = Frontier::default();
        let row = reader.fetch_one(LOCK_HEAD, values![tenant, frontier_bytes(&empty), empty.root()]).await?;
        let frontier = read_frontier(row.uint("size")?, &row.bytes("frontier")?)?;
        Ok(Self { tenant, frontier, entries: Vec::new() })
    }

    /// Writes entries and tree, then the signed head; says whose log it is and its new size.
    pub(crate) async fn seal(mut self, tx: &mut Tx, signer: &dyn CheckpointSigner) -> Result<(TenantId, u64), StoreError> {
        let (entries, nodes) = self.grow();
        let head = TreeHead { size: self.frontier.size(), root: self.frontier.root() };
        let checkpoint = signer.sign(self.tenant, head).ok_or(StoreError::NoLogKey)?;
        tx.insert_rows("log_entries", &["tenant", "idx", "at", "kind", "data", "body", "salt", "actor"], &entries).await?;
        tx.insert_rows("log_nodes", &["tenant", "level", "idx", "hash"], &nodes).await?;
        let sql = "UPDATE log_heads SET size = $2, frontier = $3, root = $4, checkpoint = $5 WHERE tenant = $1";
        tx.execute(sql, values![self.tenant, head.size, frontier_bytes(&self.frontier), head.root, checkpoint]).await?;
        Ok((self.tenant, head.size))
    }

    /// Rows of the new entries and of every subtree that they complete.
    fn grow(&mut self) -> (Vec<Vec<Value>>, Vec<Vec<Value>>) {
        let (mut entries, mut nodes) = (Vec::new(), Vec::new());
        for entry in std::mem::take(&mut self.entries) {
            entries.push(entry_row(self.tenant, self.frontier.size(), &entry));
            let complete = self.frontier.append(leaf_hash(&entry.data));
            nodes.extend(complete.into_iter().map(|node| node_row(self.tenant, node)));
        }
        (entries, nodes)
    }
}

fn entry_row(tenant: TenantId, index: u64, entry: &Entry) -> Vec<Value> {
    values![tenant, index, entry.at, entry.kind, entry.data, entry.body, entry.salt, entry.actor.to_string()].to_vec()
}

fn node_row(tenant: TenantId, node: Node) -> Vec<Value> {
    values![tenant, node.id.level, node.id.index, node.hash].to_vec()
}

/// The hashes, one after the other, 32 bytes each.
fn frontier_bytes(frontier: &Frontier) -> Vec<u8> {
    frontier.hashes().iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn read_frontier(size: u64, bytes: &[u8]) -> Result<Frontier, StoreError> {
    let (hashes, []) = bytes.as_chunks::<32>() else { return Err(StoreError::Corrupt("frontier")) };
    let hashes = hashes.iter().copied().map(Digest::from_bytes).collect();
    Frontier::from_parts(size, hashes).map_err(|_| StoreError::Corrupt("frontier"))
}
