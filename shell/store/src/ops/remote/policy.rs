//! A tenant's rules for remote sessions.

use sallyport_decide::remote_policy::{ChangeRemotePolicy, RemotePolicy};
use sallyport_model::TenantId;

use crate::{Reader, StoreError, Tx, values};

/// A tenant's rules with their version; 0 where none were ever made.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoredRemotePolicy {
    pub policy: RemotePolicy,
    pub version: u64,
}

/// Reads them.
pub async fn remote_policy(reader: &mut Reader, tenant: TenantId) -> Result<StoredRemotePolicy, StoreError> {
    let row = reader.fetch_optional("SELECT policy, version FROM remote_policies WHERE tenant = $1", values![tenant]).await?;
    let Some(row) = row else { return Ok(StoredRemotePolicy::default()) };
    let policy = serde_json::from_str(&row.text("policy")?).map_err(|_| StoreError::Corrupt("policy"))?;
    Ok(StoredRemotePolicy { policy, version: row.uint("version")? })
}

/// Replaces them; [`StoreError::Conflict`] where others came in between.
pub(in crate::ops) async fn replace(tx: &mut Tx, tenant: TenantId, change: &ChangeRemotePolicy) -> Result<(), StoreError> {
    let text = serde_json::to_string(&change.after).map_err(|_| StoreError::Corrupt("policy"))?;
    if change.version == 0 {
        let sql = "INSERT INTO remote_policies (tenant, policy, version) VALUES ($1, $2, 1) ON CONFLICT (tenant) DO NOTHING";
        return tx.execute_versioned(sql, values![tenant, text]).await;
    }
    let sql = "UPDATE remote_policies SET policy = $3, version = version + 1 WHERE tenant = $1 AND version = $2";
    tx.execute_versioned(sql, values![tenant, change.version, text]).await
}

/// A grant is made under the rules that hold when it is made, not under those that held when it was asked for.
pub(super) async fn still_holds(tx: &mut Tx, tenant: TenantId, version: u64) -> Result<(), StoreError> {
    if remote_policy(tx, tenant).await?.version == version { Ok(()) } else { Err(StoreError::Conflict) }
}
