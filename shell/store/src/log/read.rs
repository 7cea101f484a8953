//! Reading the log: pages for people, heads and proofs for machines.

use std::collections::BTreeMap;

use sallyport_grant::merkle::{self, Frontier, NodeId, TreeError};
use sallyport_model::{DeviceId, Digest, TenantId, Timestamp, limits};

use crate::{Reader, Row, StoreError, ToValue, values};

/// The last signed head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Rises by one when the log is continued after a restored backup.
    pub epoch: u64,
    pub size: u64,
    pub root: Digest,
    /// The signed note.
    pub checkpoint: String,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub index: u64,
    pub at: Timestamp,
    pub kind: String,
    /// The leaf's bytes.
    pub data: Vec<u8>,
    /// JSON `{"actor":..,"payload":..}`; `None` once erased.
    pub body: Option<String>,
    /// Ties the body to the leaf; `None` once erased, and for grants.
    pub salt: Option<[u8; 32]>,
    pub actor: Option<String>,
}

/// Which entries a page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: Option<String>,
    pub actor: Option<String>,
    /// Entries that name it, and the grants that command it.
    pub device: Option<DeviceId>,
}

/// Entries from the newest to the oldest, and the cursor of the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Logged>,
    /// There is one while older entries were not looked at, also where this page has fewer than were asked for.
    pub next: Option<u64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT idx, at, kind, data, body, salt, actor FROM log_entries WHERE tenant = $1 AND idx < $2 ", $rest)
    };
}

/// One page; `before` is the cursor of the page before it, `None` for the newest entries.
pub async fn page(reader: &mut Reader, tenant: TenantId, filter: &Filter, before: Option<u64>, limit: u32) -> Result<Page, StoreError> {
    let limit = limit.min(limits::PAGE_ITEMS);
    if let Some(device) = filter.device {
        return about(reader, tenant, device, filter, before, limit).await;
    }
    let (before, more) = (before.unwrap_or(i64::MAX as u64), limit + 1);
    let args = [tenant.to_value(), before.to_value(), more.to_value()];
    let sql = match (&filter.kind, &filter.actor) {
        (None, None) => select!("ORDER BY idx DESC LIMIT $3"),
        (Some(_), None) => select!("AND kind = $4 ORDER BY idx DESC LIMIT $3"),
        (None, Some(_)) => select!("AND actor = $4 ORDER BY idx DESC LIMIT $3"),
        (Some(_), Some(_)) => select!("AND kind = $4 AND actor = $5 ORDER BY idx DESC LIMIT $3"),
    };
    let filters = [&filter.kind, &filter.actor].into_iter().flatten().map(ToValue::to_value);
    let rows = reader.fetch_all(sql, &args.into_iter().chain(filters).collect::<Vec<_>>()).await?;
    let mut entries = rows.iter().map(logged).collect::<Result<Vec<_>, _>>()?;
    let is_last = entries.len() <= limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| !is_last).map(|entry| entry.index);
    Ok(Page { entries, next })
}

/// A page of what concerns a device: the entries' own words are read, so many at a time, and no index of them has to be kept or checked.
async fn about(
    reader: &mut Reader,
    tenant: TenantId,
    device: DeviceId,
    filter: &Filter,
    before: Option<u64>,
    limit: u32,
) -> Result<Page, StoreError> {
    let size = head(reader, tenant).await?.size;
    let before = before.map_or(size, |before| before.min(size));
    let from = before.saturating_sub(limits::AUDIT_LOOKED_INTO);
    // The entry of a job, or of a schedule, says how many devices it is for; which ones, its runs say.
    let sql = select!(
        "AND idx >= $3 AND ($4 = '' OR kind = $4) AND ($5 = '' OR actor = $5) AND (body LIKE $6 \
         OR kind IN ('job.created', 'schedule.published') AND EXISTS (SELECT 1 FROM jobs JOIN runs ON runs.job = jobs.id \
         WHERE jobs.tenant = $1 AND jobs.log_index = log_entries.idx AND runs.device = $7)) ORDER BY idx DESC LIMIT $8"
    );
    // `_` stands for any character, and an id has one where no other can stand.
    let named = format!("%\"{device}\"%");
    let (kind, actor) = (filter.kind.as_deref().unwrap_or_default(), filter.actor.as_deref().unwrap_or_default());
    let rows = reader.fetch_all(sql, values![tenant, before, from, kind, actor, named, device, limit + 1]).await?;
    let mut entries = rows.iter().map(logged).collect::<Result<Vec<_>, _>>()?;
    let is_cut = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = if is_cut { entries.last().map(|entry| entry.index) } else { (from > 0).then_some(from) };
    Ok(Page { entries, next })
}

/// One entry by its index.
pub async fn entry(reader: &mut Reader, tenant: TenantId, index: u64) -> Result<Logged, StoreError> {
    let sql = "SELECT idx, at, kind, data, body, salt, actor FROM log_entries WHERE tenant = $1 AND idx = $2";
    logged(&reader.fetch_one(sql, values![tenant, index]).await?)
}

pub(super) fn logged(row: &Row) -> Result<Logged, StoreError> {
    Ok(Logged {
        index: row.uint("idx")?,
        at: row.time("at")?,
        kind: row.text("kind")?,
        data: row.bytes("data")?,
        body: row.text_opt("body")?,
        salt: row.get_opt("salt")?,
        actor: row.text_opt("actor")?,
    })
}

/// The last signed head; [`StoreError::NotFound`] where nothing was ever logged.
pub async fn head(reader: &mut Reader, tenant: TenantId) -> Result<Head, StoreError> {
    let sql = "SELECT epoch, size, root, checkpoint FROM log_heads WHERE tenant = $1";
    let row = reader.fetch_one(sql, values![tenant]).await?;
    Ok(Head { epoch: row.uint("epoch")?, size: row.uint("size")?, root: row.digest("root")?, checkpoint: row.text("checkpoint")? })
}

/// The root that the log had at a size.
pub async fn root_at(reader: &mut Reader, tenant: TenantId, size: u64) -> Result<Digest, StoreError> {
    reached(reader, tenant, size).await?;
    let nodes = nodes(reader, tenant, whole_subtrees(size)).await?;
    let frontier = Frontier::from_parts(size, whole_subtrees(size).filter_map(|id| nodes.get(&id).copied()).collect());
    frontier.map(|frontier| frontier.root()).map_err(of_tree)
}

/// The subtrees that a tree of this size is made of: one for each set bit, the largest first.
fn whole_subtrees(size: u64) -> impl Iterator<Item = NodeId> {
    let set_bits = (0..64u8).rev().filter(move |level| (size >> level) & 1 == 1);
    set_bits.map(move |level| NodeId { level, index: (size >> level) - 1 })
}

/// The RFC 6962 audit path of entry `index` in the tree of `size` leaves, from the leaf to the root.
pub async fn inclusion(reader: &mut Reader, tenant: TenantId, index: u64, size: u64) -> Result<Vec<Digest>, StoreError> {
    reached(reader, tenant, size).await?;
    let nodes = nodes(reader, tenant, merkle::inclusion_nodes(index, size).map_err(of_tree)?).await?;
    merkle::inclusion_proof(index, size, |id| nodes.get(&id).copied()).map_err(of_tree)
}

/// The RFC 6962 proof that the tree of `old` leaves is a beginning of the tree of `new`.
pub async fn consistency(reader: &mut Reader, tenant: TenantId, old: u64, new: u64) -> Result<Vec<Digest>, StoreError> {
    reached(reader, tenant, new).await?;
    let nodes = nodes(reader, tenant, merkle::consistency_nodes(old, new).map_err(of_tree)?).await?;
    merkle::consistency_proof(old, new, |id| nodes.get(&id).copied()).map_err(of_tree)
}

/// Refuses to prove anything about more entries than there are.
async fn reached(reader: &mut Reader, tenant: TenantId, size: u64) -> Result<(), StoreError> {
    match head(reader, tenant).await?.size {
        reached if size <= reached => Ok(()),
        _ => Err(StoreError::NotFound),
    }
}

/// Stored hashes; a missing one is found missing by who needs it.
async fn nodes(
    reader: &mut Reader,
    tenant: TenantId,
    ids: impl IntoIterator<Item = NodeId>,
) -> Result<BTreeMap<NodeId, Digest>, StoreError> {
    let sql = "SELECT hash FROM log_nodes WHERE tenant = $1 AND level = $2 AND idx = $3";
    let mut nodes = BTreeMap::new();
    for id in ids {
        if let Some(row) = reader.fetch_optional(sql, values![tenant, id.level, id.index]).await? {
            nodes.insert(id, row.digest("hash")?);
        }
    }
    Ok(nodes)
}

fn of_tree(error: TreeError) -> StoreError {
    match error {
        TreeError::OutOfRange => StoreError::NotFound,
        TreeError::MissingNode(_) | TreeError::NotAFrontier { .. } => StoreError::Corrupt("hash"),
    }
}
