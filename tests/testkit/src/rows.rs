//! Rows that only agents, or thousands of calls, could bring in, put where they would put them.

use sallyport_model::{DeviceId, InstallerId, SiteId, TenantId};
use sallyport_store::{Audit, Change, StoreError, Tx, Value, values};

/// Rows of one table.
pub struct Rows {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<Value>>,
}

impl Change for Rows {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.insert_rows(self.table, self.columns, &self.rows).await
    }
}

/// An approved device that has never been here.
pub struct PutDevice {
    pub id: DeviceId,
    pub tenant: TenantId,
    pub site: SiteId,
    pub name: String,
    /// Told apart from all others by it.
    pub key: Vec<u8>,
    pub tags: &'static str,
    pub signed_in: &'static str,
    pub alerts: &'static str,
}

impl PutDevice {
    const COLUMNS: &[&str] = &[
        "id",
        "tenant",
        "site",
        "thumbprint",
        "device_key",
        "seal_key",
        "name",
        "os",
        "agent_version",
        "state",
        "installer",
        "enrolled",
        "enrolled_from",
        "tags",
        "signed_in",
        "alerts",
        "version",
    ];

    /// Device `n` of many, named `web-00042`.
    pub fn numbered(n: u32, id: DeviceId, tenant: TenantId, site: SiteId) -> Self {
        let (name, key) = (format!("web-{n:05}"), [n.to_be_bytes(); 8].concat());
        Self { id, tenant, site, name, key, tags: "prod web", signed_in: "root", alerts: "" }
    }

    /// What is committed to have them all.
    pub fn rows(devices: impl IntoIterator<Item = Self>) -> Rows {
        Rows { table: "devices", columns: Self::COLUMNS, rows: devices.into_iter().map(Self::row).collect() }
    }

    fn row(self) -> Vec<Value> {
        let Self { id, tenant, site, name, key, tags, signed_in, alerts } = self;
        let (installer, one, os) = (InstallerId::from_bytes([1; 16]), 1i64, "Debian GNU/Linux 13");
        values![id, tenant, site, key, key, key, name, os, "0.1.0", "approved", installer, one, "192.0.2.1", tags, signed_in, alerts, one]
            .to_vec()
    }
}
