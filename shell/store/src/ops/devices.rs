//! Devices as people see them: lists, details, labels. What devices say of themselves comes in through `enrolment`.

use std::collections::BTreeSet;
use std::str::FromStr;

use sallyport_decide::policy::{Permit, TagDevices};
use sallyport_model::{DeviceId, Digest, SiteId, Tag, TenantId, Timestamp};
use serde_json::json;

use super::people::device_within;
use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Whether a device may receive anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Waits for approval.
    Pending,
    /// Obeys grants.
    Approved,
    /// Two machines use its key.
    Quarantined,
    /// No longer managed.
    Removed,
}

impl FromStr for DeviceState {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self, StoreError> {
        match word {
            "pending" => Ok(Self::Pending),
            "approved" => Ok(Self::Approved),
            "quarantined" => Ok(Self::Quarantined),
            "removed" => Ok(Self::Removed),
            _ => Err(StoreError::Corrupt("state")),
        }
    }
}

/// A device as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    pub id: DeviceId,
    pub site: SiteId,
    pub name: String,
    pub os: String,
    pub state: DeviceState,
    pub last_seen: Option<Timestamp>,
    /// Space-separated.
    pub tags: String,
    /// Line-separated.
    pub signed_in: String,
    /// Line-separated, most urgent first.
    pub alerts: String,
}

/// Which devices a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are managed, or wait to be.
    Managed,
    /// Those that are not any more.
    Removed,
}

/// Between the texts of one device, and between devices. Control characters are in no text that is stored of a device.
const TEXT_END: &str = "\u{1f}";
const DEVICE_END: &str = "\u{1e}";

macro_rules! packed {
    ($state:literal) => {
        concat!(
            "SELECT string_agg(id, $2) AS ids, string_agg(site, $2) AS sites, string_agg(name || $3 || os || $3 || state || $3 || tags || $3 \
             || signed_in || $3 || alerts || $3 || COALESCE(CAST(last_seen AS TEXT), ''), $4) AS texts FROM devices WHERE tenant = $1 AND ",
            $state
        )
    };
}

/// All of them, in no order: presence is in memory and texts are compared in Rust, so filters and orders are not SQL's.
/// They come packed into one row, because the drivers take longer for ten thousand rows than for all that follows.
pub async fn list(reader: &mut Reader, tenant: TenantId, which: Which) -> Result<Vec<DeviceRow>, StoreError> {
    let sql = match which {
        Which::Managed => packed!("state <> 'removed'"),
        Which::Removed => packed!("state = 'removed'"),
    };
    let row = reader.fetch_one(sql, values![tenant, Vec::<u8>::new(), TEXT_END, DEVICE_END]).await?;
    let Some(texts) = row.text_opt("texts")? else { return Ok(Vec::new()) };
    let (ids, sites) = (row.bytes("ids")?, row.bytes("sites")?);
    let ((ids, []), (sites, [])) = (ids.as_chunks::<16>(), sites.as_chunks::<16>()) else { return Err(StoreError::Corrupt("ids")) };
    let texts: Vec<&str> = texts.split(DEVICE_END).collect();
    if texts.len() != ids.len() || texts.len() != sites.len() {
        return Err(StoreError::Corrupt("texts"));
    }
    ids.iter().zip(sites).zip(texts).map(|((id, site), texts)| unpacked(*id, *site, texts)).collect()
}

fn unpacked(id: [u8; 16], site: [u8; 16], texts: &str) -> Result<DeviceRow, StoreError> {
    let mut texts = texts.split(TEXT_END);
    let mut next = || texts.next().ok_or(StoreError::Corrupt("texts"));
    let (name, os, state, tags, signed_in, alerts, last_seen) = (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    let micros = (!last_seen.is_empty()).then(|| last_seen.parse()).transpose().map_err(|_| StoreError::Corrupt("last_seen"))?;
    Ok(DeviceRow {
        id: DeviceId::from_bytes(id),
        site: SiteId::from_bytes(site),
        name: name.to_owned(),
        os: os.to_owned(),
        state: state.parse()?,
        last_seen: micros.map(Timestamp::from_micros),
        tags: tags.to_owned(),
        signed_in: signed_in.to_owned(),
        alerts: alerts.to_owned(),
    })
}

fn device_row(row: &Row) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        id: row.get("id")?,
        site: row.get("site")?,
        name: row.text("name")?,
        os: row.text("os")?,
        state: row.parse("state")?,
        last_seen: row.time_opt("last_seen")?,
        tags: row.text("tags")?,
        signed_in: row.text("signed_in")?,
        alerts: row.text("alerts")?,
    })
}

/// A device in full, without its inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    pub row: DeviceRow,
    pub thumbprint: Digest,
    pub agent_version: String,
    pub enrolled: Timestamp,
    pub enrolled_from: String,
    pub approved: Option<Timestamp>,
    pub approved_by: Option<String>,
    pub inventory_at: Option<Timestamp>,
}

/// One device of the tenant, removed ones included.
pub async fn device(reader: &mut Reader, tenant: TenantId, device: DeviceId) -> Result<DeviceFacts, StoreError> {
    let row = reader.fetch_one("SELECT * FROM devices WHERE tenant = $1 AND id = $2", values![tenant, device]).await?;
    Ok(DeviceFacts {
        row: device_row(&row)?,
        thumbprint: row.digest("thumbprint")?,
        agent_version: row.text("agent_version")?,
        enrolled: row.time("enrolled")?,
        enrolled_from: row.text("enrolled_from")?,
        approved: row.time_opt("approved")?,
        approved_by: row.text_opt("approved_by")?,
        inventory_at: row.time_opt("inventory_at")?,
    })
}

/// What a device said of itself last, as bytes of the agent link; `None` before it said anything.
pub async fn inventory(reader: &mut Reader, tenant: TenantId, device: DeviceId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT i.content FROM devices d LEFT JOIN inventories i ON i.device = d.id WHERE d.tenant = $1 AND d.id = $2";
    reader.fetch_one(sql, values![tenant, device]).await?.bytes_opt("content")
}

/// Replaces the labels of a device that is managed.
pub struct TagDevice {
    pub permit: Permit<TagDevices>,
    pub device: DeviceId,
    pub tags: BTreeSet<Tag>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for TagDevice {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        if !device_within(tx, actor.tenant, self.permit.reach(), self.device).await? {
            return Err(StoreError::NotFound);
        }
        let tags = self.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(" ");
        let sql = "UPDATE devices SET tags = $3, version = version + 1 WHERE tenant = $1 AND id = $2 AND state <> 'removed' RETURNING name";
        let name = tx.fetch_one(sql, values![actor.tenant, self.device, tags]).await?.text("name")?;
        let payload = json!({ "device": self.device, "name": name, "tags": self.tags });
        tx.append(actor.tenant, Entry::new("device.tagged", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}
