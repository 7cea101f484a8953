//! Installers and the devices that enrol with them.

use sallyport_decide::enrolment::Token;
use sallyport_decide::search::FindKind;
use sallyport_model::{AgentText, DeviceId, Digest, InstallerId, SiteId, TenantId, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::accounts::report_due;
use super::search;
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// The token of an installer, as `decide` judges it.
pub async fn token(reader: &mut Reader, tenant: TenantId, installer: InstallerId) -> Result<Option<Token>, StoreError> {
    let sql = "SELECT site, uses, used, network, secret_hash, expires, revoked FROM installers WHERE tenant = $1 AND id = $2";
    let Some(row) = reader.fetch_optional(sql, values![tenant, installer]).await? else { return Ok(None) };
    Ok(Some(Token {
        site: row.get("site")?,
        uses: u32::try_from(row.int("uses")?).map_err(|_| StoreError::Corrupt("uses"))?,
        used: u32::try_from(row.int("used")?).map_err(|_| StoreError::Corrupt("used"))?,
        network: row.text_opt("network")?.map(|text| text.parse().map_err(|_| StoreError::Corrupt("network"))).transpose()?,
        secret_hash: row.digest("secret_hash")?,
        expires: row.time("expires")?,
        revoked: row.time_opt("revoked")?,
    }))
}

/// A machine became a device and waits for approval. Spends one use of the token in the same transaction.
pub struct Enrol {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub installer: InstallerId,
    pub site: SiteId,
    pub thumbprint: Digest,
    pub device_key: [u8; 32],
    pub seal_key: [u8; 32],
    pub name: AgentText,
    pub os: AgentText,
    pub agent_version: AgentText,
    pub from: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Enrol {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        // The uses are checked again here: between reading the token and this transaction others may have spent it.
        let sql = "UPDATE installers SET used = used + 1 WHERE tenant = $1 AND id = $2 AND used < uses AND revoked IS NULL";
        tx.execute_versioned(sql, values![self.tenant, self.installer]).await?;
        let sql = "INSERT INTO devices (id, tenant, site, thumbprint, device_key, seal_key, name, os, agent_version, state, installer, enrolled, \
                   enrolled_from, last_seen, tags, signed_in, alerts, version) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $11, $12, $11, '', '', '', 1)";
        let args = values![
            self.device,
            self.tenant,
            self.site,
            self.thumbprint,
            self.device_key,
            self.seal_key,
            self.name,
            self.os,
            self.agent_version,
            self.installer,
            self.at,
            self.from,
        ];
        tx.execute(sql, args).await?;
        let payload = json!({ "device": self.device, "name": self.name, "installer": self.installer, "from": self.from, "thumbprint": self.thumbprint });
        tx.append(self.tenant, Entry::new("device.enrolled", Actor::Device(self.device), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// A machine showed a token that was not accepted. Whoever has an old enrolment file can repeat that, so it is summed up.
pub struct EnrolRefused {
    pub tenant: TenantId,
    pub installer: InstallerId,
    pub reason: &'static str,
    pub from: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EnrolRefused {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("refused enrolments are summed up, one entry in a quarter of an hour for each installer and reason");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let Some(attempts) = report_due(tx, self.subject(), self.at).await? else { return Ok(()) };
        let payload = json!({ "installer": self.installer, "reason": self.reason, "from": self.from, "attempts": attempts });
        tx.append(self.tenant, Entry::new("device.enrolment_refused", Actor::System, self.at, self.salt, payload)).await?;
        Ok(())
    }
}

impl EnrolRefused {
    /// Each reason is told apart.
    fn subject(&self) -> [u8; 16] {
        let digest: [u8; 32] = Sha256::new().chain_update(self.installer.as_bytes()).chain_update(self.reason).finalize().into();
        std::array::from_fn(|at| digest[at])
    }
}

/// A device as the link needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedDevice {
    pub device: DeviceId,
    pub state: String,
    pub name: String,
}

/// The device with that key, removed ones included.
pub async fn by_thumbprint(reader: &mut Reader, tenant: TenantId, thumbprint: Digest) -> Result<Option<LinkedDevice>, StoreError> {
    let sql = "SELECT id, state, name FROM devices WHERE tenant = $1 AND thumbprint = $2";
    let Some(row) = reader.fetch_optional(sql, values![tenant, thumbprint]).await? else { return Ok(None) };
    Ok(Some(LinkedDevice { device: row.get("id")?, state: row.text("state")?, name: row.text("name")? }))
}

/// A device was heard of.
pub struct Seen {
    pub device: DeviceId,
    pub at: Timestamp,
}

impl Change for Seen {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("UPDATE devices SET last_seen = $2 WHERE id = $1", values![self.device, self.at]).await?;
        Ok(())
    }
}

/// What a device said of itself.
pub struct KeepInventory {
    pub device: DeviceId,
    pub name: AgentText,
    pub os: AgentText,
    pub agent_version: AgentText,
    pub signed_in: String,
    pub alerts: String,
    pub content: Vec<u8>,
    /// What of it can be found by a search over all devices.
    pub findable: Vec<(FindKind, String)>,
    pub at: Timestamp,
}

impl Change for KeepInventory {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("inventory: what devices say of themselves changes all the time and decides nothing");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE devices SET name = $2, os = $3, agent_version = $4, signed_in = $5, alerts = $6, inventory_at = $7, last_seen = $7 WHERE id = $1";
        tx.execute(sql, values![self.device, self.name, self.os, self.agent_version, self.signed_in, self.alerts, self.at]).await?;
        let sql = "INSERT INTO inventories (device, content) VALUES ($1, $2) ON CONFLICT (device) DO UPDATE SET content = $2";
        tx.execute(sql, values![self.device, self.content]).await?;
        search::keep(tx, self.device, &self.findable).await
    }
}

/// How far a device's clock is off, as one line of its alerts; none where it is right.
pub struct KeepClockAlert {
    pub device: DeviceId,
    pub alert: Option<String>,
}

/// How the line of a clock begins.
pub const CLOCK_ALERT: &str = "Clock is ";
/// Lines of alerts that are kept of a device.
pub const ALERTS: usize = 5;

impl Change for KeepClockAlert {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("what devices say of themselves changes all the time and decides nothing");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let row = tx.fetch_one("SELECT alerts FROM devices WHERE id = $1", values![self.device]).await?;
        let alerts = row.text("alerts")?;
        let others = alerts.lines().filter(|line| !line.starts_with(CLOCK_ALERT));
        let alerts: Vec<&str> = self.alert.as_deref().into_iter().chain(others).take(ALERTS).collect();
        tx.execute("UPDATE devices SET alerts = $2 WHERE id = $1", values![self.device, alerts.join("\n")]).await.map(|_| ())
    }
}

/// Two machines use one device key: neither receives anything until a person has looked.
pub struct Quarantine {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub from: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Quarantine {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE devices SET state = 'quarantined', alerts = 'Two machines use the key of this device', version = version + 1 WHERE id = $1 AND state <> 'removed'";
        tx.execute(sql, values![self.device]).await?;
        let payload = json!({ "device": self.device, "from": self.from });
        tx.append(self.tenant, Entry::new("device.quarantined", Actor::System, self.at, self.salt, payload)).await?;
        Ok(())
    }
}
