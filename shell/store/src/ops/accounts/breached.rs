//! Lists of breached passwords, for the audit log.

use sallyport_model::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::reports;
use crate::{Actor, Audit, Change, Entry, StoreError, Tx};

/// A list was imported on the server's own machine: each tenant's log tells so. Where there is no tenant yet, there is nobody to tell.
pub struct RecordImport {
    pub passwords: u64,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RecordImport {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tells every tenant's log; before the set-up there is none");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for row in tx.fetch_all("SELECT id FROM tenants ORDER BY id", &[]).await? {
            let tenant: sallyport_model::TenantId = row.id("id")?;
            // Each entry has a salt of its own.
            let salt = Sha256::new().chain_update(self.salt).chain_update(tenant.as_bytes()).finalize().into();
            let payload = json!({ "passwords": self.passwords });
            tx.append(tenant, Entry::new("passwords.imported", Actor::System, self.at, salt, payload)).await?;
        }
        Ok(())
    }
}

/// A list of breached passwords did not answer, and a password passed it unseen.
pub struct ReportSilentList {
    /// Which one: `imported` or `range`.
    pub list: &'static str,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ReportSilentList {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("silent lists are summed up, one entry in a quarter of an hour for each list");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        // The oldest tenant is that of whoever runs the installation; before the set-up there is nobody to tell.
        let Some(row) = tx.fetch_optional("SELECT id FROM tenants ORDER BY created, id LIMIT 1", &[]).await? else { return Ok(()) };
        let mut subject = [0; 16];
        subject.copy_from_slice(&Sha256::digest(format!("breached passwords, {}", self.list))[..16]);
        let Some(times) = reports::due(tx, subject, self.at).await? else { return Ok(()) };
        let payload = json!({ "list": self.list, "passwords": times });
        tx.append(row.id("id")?, Entry::new("passwords.unchecked", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}
