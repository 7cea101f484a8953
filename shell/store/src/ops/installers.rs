//! Installers as people see them. They are made in `execute` and used in `enrolment`.

use sallyport_decide::policy::{ManageInstallers, Permit};
use sallyport_model::{InstallerId, SiteId, TenantId, Timestamp};
use serde_json::json;

use super::people::{Within, sites_within};
use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// An installer without its secret's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallerRow {
    pub id: InstallerId,
    pub label: String,
    pub site: SiteId,
    pub site_name: String,
    pub customer_name: String,
    pub platform: String,
    pub uses: u32,
    pub used: u32,
    pub network: Option<String>,
    pub created: Timestamp,
    pub created_by: String,
    pub expires: Timestamp,
    pub revoked: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.*, s.name AS site_name, c.name AS customer_name FROM installers i \
             JOIN sites s ON s.id = i.site JOIN customers c ON c.id = s.customer WHERE i.tenant = $1 AND ",
            $rest
        )
    };
}

/// The newest first, from the one after `after` on.
pub async fn list(
    reader: &mut Reader,
    tenant: TenantId,
    sites: &Within<SiteId>,
    after: Option<InstallerId>,
    limit: u32,
) -> Result<Vec<InstallerRow>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.unwrap_or(InstallerId::from_bytes([0xff; 16]));
    let sql = select!("i.id < $2 ORDER BY i.id DESC LIMIT $3");
    loop {
        let rows = reader.fetch_all(sql, values![tenant, after, limit]).await?;
        for row in &rows {
            after = row.get("id")?;
            found.extend(Some(installer(row)?).filter(|installer| sites.has(&installer.site)));
            if found.len() >= limit as usize {
                return Ok(found);
            }
        }
        if rows.len() < limit as usize {
            return Ok(found);
        }
    }
}

/// One of them.
pub async fn one(reader: &mut Reader, tenant: TenantId, id: InstallerId) -> Result<InstallerRow, StoreError> {
    installer(&reader.fetch_one(select!("i.id = $2"), values![tenant, id]).await?)
}

fn installer(row: &Row) -> Result<InstallerRow, StoreError> {
    Ok(InstallerRow {
        id: row.get("id")?,
        label: row.text("label")?,
        site: row.get("site")?,
        site_name: row.text("site_name")?,
        customer_name: row.text("customer_name")?,
        platform: row.text("platform")?,
        uses: row.get("uses")?,
        used: row.get("used")?,
        network: row.text_opt("network")?,
        created: row.time("created")?,
        created_by: row.text("created_by")?,
        expires: row.time("expires")?,
        revoked: row.time_opt("revoked")?,
    })
}

/// Ends an installer before its time; [`StoreError::NotFound`] where there is none that could still be used.
pub struct RevokeInstaller {
    pub permit: Permit<ManageInstallers>,
    pub installer: InstallerId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RevokeInstaller {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let sites = sites_within(tx, actor.tenant, self.permit.reach()).await?;
        if !sites.has(&one(tx, actor.tenant, self.installer).await?.site) {
            return Err(StoreError::NotFound);
        }
        let sql = "UPDATE installers SET revoked = $3 WHERE tenant = $1 AND id = $2 AND revoked IS NULL RETURNING label";
        let label = tx.fetch_one(sql, values![actor.tenant, self.installer, self.at]).await?.text("label")?;
        let payload = json!({ "installer": self.installer, "label": label });
        tx.append(actor.tenant, Entry::new("installer.revoked", Actor::User(actor.user), self.at, self.salt, payload)).await?;
        Ok(())
    }
}
