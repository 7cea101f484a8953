//! Erasing what an audit entry says of a person; the tree keeps standing on the leaf's own bytes.

use sallyport_model::{TenantId, Timestamp};
use serde_json::json;

use crate::{Actor, Change, Entry, StoreError, Tx, values};

/// Takes body, salt and actor out of one salted entry. Grants' entries are never erased.
pub struct EraseEntry {
    pub tenant: TenantId,
    pub index: u64,
    pub by: Actor,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EraseEntry {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE log_entries SET body = NULL, salt = NULL, actor = NULL WHERE tenant = $1 AND idx = $2 AND salt IS NOT NULL";
        if tx.execute(sql, values![self.tenant, self.index]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let entry = Entry::new("log.entry_erased", self.by, self.at, self.salt, json!({ "index": self.index }));
        tx.append(self.tenant, entry).await?;
        Ok(())
    }
}
