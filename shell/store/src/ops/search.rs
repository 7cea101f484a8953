//! What can be found on all devices. The texts are packed and read by `decide::search`; the database only passes over those
//! that cannot hold what is looked for.

use sallyport_decide::search::FindKind;
use sallyport_model::{DeviceId, TenantId};

use crate::{Reader, StoreError, Tx, values};

/// A device whose text may hold what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub device: DeviceId,
    /// To be unpacked.
    pub content: String,
}

/// Candidates among the managed devices behind `after`, in the order of their ids; `needle` is lower-case ASCII.
pub async fn candidates(
    reader: &mut Reader,
    tenant: TenantId,
    kind: FindKind,
    needle: &str,
    after: Option<DeviceId>,
    most: u32,
) -> Result<Vec<Candidate>, StoreError> {
    let sql = "SELECT f.device, f.content FROM findables f JOIN devices d ON d.id = f.device WHERE d.tenant = $1 AND d.state <> 'removed' \
               AND f.kind = $2 AND LOWER(f.content) LIKE $3 ESCAPE '!' AND f.device > $4 ORDER BY f.device LIMIT $5";
    let after = after.map_or_else(Vec::new, |device| device.as_bytes().to_vec());
    let rows = reader.fetch_all(sql, values![tenant, kind.word(), pattern(needle), after, most]).await?;
    rows.iter().map(|row| Ok(Candidate { device: row.get("device")?, content: row.text("content")? })).collect()
}

/// The signs that mean something in a pattern are meant as themselves.
fn pattern(needle: &str) -> String {
    let escaped: String =
        needle.chars().flat_map(|sign| matches!(sign, '!' | '%' | '_').then_some('!').into_iter().chain([sign])).collect();
    format!("%{escaped}%")
}

/// Replaces what can be found on a device.
pub(super) async fn keep(tx: &mut Tx, device: DeviceId, findable: &[(FindKind, String)]) -> Result<(), StoreError> {
    for (kind, content) in findable {
        let sql = "INSERT INTO findables (device, kind, content) VALUES ($1, $2, $3) ON CONFLICT (device, kind) DO UPDATE SET content = $3 \
                   WHERE findables.content <> $3";
        tx.execute(sql, values![device, kind.word(), content]).await?;
    }
    Ok(())
}
