//! Checks a stored log against itself: what a flipped byte, a dropped leaf or a cut end leaves behind.

use sallyport_grant::log::{entry_leaf_data, is_entry_leaf};
use sallyport_grant::merkle::{Frontier, TreeHead, leaf_hash};
use sallyport_model::TenantId;

use super::read::{Logged, head, logged};
use crate::{Reader, StoreError, values};

/// Entries that are read at once.
const PAGE: u32 = 1000;

/// Computes the tree anew from every entry and compares it with the stored head;
/// [`StoreError::Damaged`] where an entry, its order or the root is not what was logged.
///
/// Whether the head itself was replaced shows only against a checkpoint that someone else kept.
pub async fn check(reader: &mut Reader, tenant: TenantId) -> Result<TreeHead, StoreError> {
    let stored = head(reader, tenant).await?;
    let mut frontier = Frontier::default();
    loop {
        let entries = following(reader, tenant, frontier.size()).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            if entry.index != frontier.size() || !entry.is_as_logged() {
                return Err(StoreError::Damaged);
            }
            frontier.append(leaf_hash(&entry.data));
        }
    }
    match (frontier.size() == stored.size, frontier.root() == stored.root) {
        (true, true) => Ok(TreeHead { size: stored.size, root: stored.root }),
        _ => Err(StoreError::Damaged),
    }
}

async fn following(reader: &mut Reader, tenant: TenantId, from: u64) -> Result<Vec<Logged>, StoreError> {
    let sql = "SELECT idx, at, kind, data, body, salt, actor FROM log_entries WHERE tenant = $1 AND idx >= $2 ORDER BY idx LIMIT $3";
    reader.fetch_all(sql, values![tenant, from, PAGE]).await?.iter().map(logged).collect()
}

impl Logged {
    /// Whether what people read is what the leaf ties, and the columns that are searched say the same. Erased ones and notes on grants are
    /// tied to nothing; an entry that lost its salt alone is neither.
    pub fn is_as_logged(&self) -> bool {
        let tied = match (&self.salt, &self.body) {
            (Some(salt), Some(body)) => entry_leaf_data(salt, body.as_bytes()) == self.data,
            (Some(_), None) => false,
            (None, Some(_)) => !is_entry_leaf(&self.data),
            (None, None) => true,
        };
        tied && self.body.as_deref().is_none_or(|body| self.columns_say(body))
    }

    fn columns_say(&self, body: &str) -> bool {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else { return false };
        let same = |key: &str, column: &str| body[key].as_str() == Some(column);
        same("kind", &self.kind) && same("at", &self.at.to_string()) && self.actor.as_deref().is_some_and(|actor| same("actor", actor))
    }
}
