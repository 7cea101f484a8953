//! What guarded operations name: devices, sites, scripts, people.

use sallyport_model::{DeviceId, Digest, ScriptId, SiteId, TenantId, UserId};

use crate::{Reader, Row, StoreError, values};

/// A device as an action needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    pub device: DeviceId,
    pub name: String,
    pub state: String,
    pub thumbprint: Digest,
    pub seal_key: [u8; 32],
}

fn facts(row: &Row) -> Result<DeviceFacts, StoreError> {
    let seal_key = row.bytes("seal_key")?.try_into().map_err(|_| StoreError::Corrupt("seal_key"))?;
    let (device, name, state) = (row.get("id")?, row.text("name")?, row.text("state")?);
    Ok(DeviceFacts { device, name, state, thumbprint: row.digest("thumbprint")?, seal_key })
}

/// Above this many, the whole table is read once instead of row by row.
const ONE_BY_ONE: usize = 200;

/// Those of the named devices that the tenant has, in the order of their ids. `ids` is sorted.
pub async fn devices_by_id(reader: &mut Reader, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<DeviceFacts>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    if ids.len() > ONE_BY_ONE {
        let sql = "SELECT id, name, state, thumbprint, seal_key FROM devices WHERE tenant = $1 ORDER BY id";
        for row in &reader.fetch_all(sql, values![tenant]).await? {
            if ids.binary_search(&row.get("id")?).is_ok() {
                found.push(facts(row)?);
            }
        }
        return Ok(found);
    }
    for id in ids {
        let sql = "SELECT id, name, state, thumbprint, seal_key FROM devices WHERE tenant = $1 AND id = $2";
        if let Some(row) = reader.fetch_optional(sql, values![tenant, id]).await? {
            found.push(facts(&row)?);
        }
    }
    Ok(found)
}

/// Which of a tenant's devices a person reached before.
pub async fn ever_touched(
    reader: &mut Reader,
    tenant: TenantId,
    person: UserId,
) -> Result<std::collections::BTreeSet<DeviceId>, StoreError> {
    let sql = "SELECT DISTINCT device FROM touches WHERE tenant = $1 AND person = $2";
    reader.fetch_all(sql, values![tenant, person]).await?.iter().map(|row| row.get("device")).collect()
}

/// Names of a site and of what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePlace {
    pub tenant: String,
    pub customer: String,
    pub site: String,
}

/// Names of a site, where the tenant has it.
pub async fn site_place(reader: &mut Reader, tenant: TenantId, site: SiteId) -> Result<Option<SitePlace>, StoreError> {
    let sql = "SELECT t.name AS tenant, c.name AS customer, s.name AS site FROM sites s JOIN customers c ON c.id = s.customer \
               JOIN tenants t ON t.id = s.tenant WHERE s.tenant = $1 AND s.id = $2";
    let row = reader.fetch_optional(sql, values![tenant, site]).await?;
    row.map(|row| Ok(SitePlace { tenant: row.text("tenant")?, customer: row.text("customer")?, site: row.text("site")? })).transpose()
}

/// One version of a script, to be frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptText {
    pub id: ScriptId,
    pub version: u32,
    pub name: String,
    pub interpreter: String,
    pub text: String,
    /// The version that ran last.
    pub last_run_version: Option<u32>,
}

/// A version of a script that is still in the library.
pub async fn script_text(reader: &mut Reader, tenant: TenantId, id: ScriptId, version: u32) -> Result<Option<ScriptText>, StoreError> {
    let sql = "SELECT s.name, s.last_run_version, v.interpreter, v.content FROM scripts s JOIN script_versions v ON v.script = s.id \
               WHERE s.tenant = $1 AND s.id = $2 AND v.version = $3 AND s.deleted IS NULL";
    let Some(row) = reader.fetch_optional(sql, values![tenant, id, version]).await? else { return Ok(None) };
    Ok(Some(ScriptText {
        id,
        version,
        name: row.text("name")?,
        interpreter: row.text("interpreter")?,
        text: row.text("content")?,
        last_run_version: row.get_opt("last_run_version")?,
    }))
}

/// Customer and site of each device of a tenant, for those that are named. `ids` is sorted.
pub async fn places_of(
    reader: &mut Reader,
    tenant: TenantId,
    ids: &[DeviceId],
) -> Result<std::collections::BTreeMap<DeviceId, String>, StoreError> {
    let sql = "SELECT d.id, c.name AS customer, s.name AS site FROM devices d JOIN sites s ON s.id = d.site JOIN customers c ON c.id = s.customer \
               WHERE d.tenant = $1";
    let mut places = std::collections::BTreeMap::new();
    for row in &reader.fetch_all(sql, values![tenant]).await? {
        let device: DeviceId = row.get("id")?;
        if ids.binary_search(&device).is_ok() {
            places.insert(device, format!("{} / {}", row.text("customer")?, row.text("site")?));
        }
    }
    Ok(places)
}
