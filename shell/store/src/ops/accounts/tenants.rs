//! A tenant's keys and root.

use sallyport_model::TenantId;

use crate::{Reader, StoreError, values};

/// The sealed secret keys of one tenant.
pub struct ServerKeysRow {
    pub tenant: TenantId,
    pub sealed: Vec<u8>,
}

/// The sealed keys of every tenant, for opening them at start.
pub async fn server_keys(reader: &mut Reader) -> Result<Vec<ServerKeysRow>, StoreError> {
    let rows = reader.fetch_all("SELECT tenant, sealed FROM server_keys", &[]).await?;
    rows.iter().map(|row| Ok(ServerKeysRow { tenant: row.id("tenant")?, sealed: row.bytes("sealed")? })).collect()
}

/// The newest root of a tenant, as the authority signed it.
pub async fn trust_root(reader: &mut Reader, tenant: TenantId) -> Result<Vec<u8>, StoreError> {
    find_trust_root(reader, tenant).await?.ok_or(StoreError::NotFound)
}

/// The same, or nothing where nobody has such a tenant.
pub async fn find_trust_root(reader: &mut Reader, tenant: TenantId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT envelope FROM trust_roots WHERE tenant = $1 ORDER BY version DESC LIMIT 1";
    reader.fetch_optional(sql, values![tenant]).await?.map(|row| row.bytes("envelope")).transpose()
}
