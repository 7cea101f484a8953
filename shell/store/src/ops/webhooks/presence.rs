//! Which devices are connected, as webhooks were told last: kept so that a server that restarts tells nobody that all devices came back.

use std::collections::BTreeMap;

use sallyport_decide::webhooks::{Event, EventKind};
use sallyport_model::{DeviceId, TenantId, Timestamp};
use serde_json::json;

use crate::{Audit, Change, Reader, StoreError, Tx, values};

/// Tenants that have a webhook which wants to know who comes and goes.
pub async fn wants_presence(reader: &mut Reader) -> Result<Vec<TenantId>, StoreError> {
    let mut tenants = Vec::new();
    for row in &reader.fetch_all("SELECT tenant, events FROM webhooks ORDER BY tenant", &[]).await? {
        let wanted = [EventKind::DeviceOnline, EventKind::DeviceOffline].map(EventKind::as_str);
        if row.text("events")?.split(' ').any(|word| wanted.contains(&word)) {
            tenants.push(row.get("tenant")?);
        }
    }
    tenants.dedup();
    Ok(tenants)
}

/// What was told of a tenant's devices last.
pub async fn presence(reader: &mut Reader, tenant: TenantId) -> Result<BTreeMap<DeviceId, bool>, StoreError> {
    let rows = reader.fetch_all("SELECT device, online FROM webhook_presence WHERE tenant = $1", values![tenant]).await?;
    rows.iter().map(|row| Ok((row.get("device")?, row.flag("online")?))).collect()
}

/// Tells that a device came or went, where it is one that is managed and that was not told last.
pub struct TellPresence {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub kind: EventKind,
    pub at: Timestamp,
}

impl Change for TellPresence {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "SELECT name FROM devices WHERE tenant = $1 AND id = $2 AND state = 'approved'";
        let Some(row) = tx.fetch_optional(sql, values![self.tenant, self.device]).await? else { return Ok(()) };
        let online = self.kind == EventKind::DeviceOnline;
        let sql = "INSERT INTO webhook_presence (device, tenant, online, at) VALUES ($1, $2, $3, $4) ON CONFLICT (device) \
                   DO UPDATE SET online = excluded.online, at = excluded.at WHERE webhook_presence.online <> excluded.online";
        if tx.execute(sql, values![self.device, self.tenant, online, self.at]).await? == 0 {
            return Ok(());
        }
        let data = json!({ "device": self.device, "name": row.text("name")? });
        let key = [self.device.as_bytes().as_slice(), &self.at.micros().to_be_bytes()].concat();
        tx.announce(self.tenant, self.at, &key, Event { kind: self.kind, data });
        Ok(())
    }
}
