//! What posture found and somebody accepted.

use std::collections::BTreeMap;

use sallyport_decide::policy::{AcceptFindings, Permit};
use sallyport_model::{Digest, Note, TenantId, Timestamp, limits};
use serde_json::json;

use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// An acceptance that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRow {
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
    pub until: Timestamp,
}

/// What a tenant has accepted and whose end has not come, by its finding.
pub async fn accepted(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<BTreeMap<Digest, AcceptedRow>, StoreError> {
    let sql = "SELECT finding, reason, by_name, accepted, until FROM accepted_findings WHERE tenant = $1 AND until > $2 LIMIT $3";
    let read = |row: &Row| {
        let (reason, by) = (row.text("reason")?, row.text("by_name")?);
        Ok((row.digest("finding")?, AcceptedRow { reason, by, at: row.time("accepted")?, until: row.time("until")? }))
    };
    reader.fetch_all(sql, values![tenant, now, limits::ACCEPTED_FINDINGS]).await?.iter().map(read).collect()
}

/// Accepts a finding, or gives an acceptance another reason and end. [`StoreError::Exists`] where there are too many.
pub struct AcceptFinding {
    pub permit: Permit<AcceptFindings>,
    pub finding: Digest,
    pub rule: &'static str,
    pub title: String,
    pub reason: Note,
    pub until: Timestamp,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for AcceptFinding {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (tenant, actor) = (self.permit.actor().tenant, self.permit.actor());
        // What is over is forgotten, and so is what takes this one's place.
        let sql = "DELETE FROM accepted_findings WHERE tenant = $1 AND (until <= $2 OR finding = $3)";
        tx.execute(sql, values![tenant, self.at, self.finding]).await?;
        let count = tx.fetch_one("SELECT COUNT(*) AS n FROM accepted_findings WHERE tenant = $1", values![tenant]).await?;
        if count.uint("n")? >= limits::ACCEPTED_FINDINGS as u64 {
            return Err(StoreError::Exists);
        }
        let sql = "INSERT INTO accepted_findings (tenant, finding, rule, title, reason, by_name, accepted, until) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let reason = self.reason.as_str();
        tx.execute(sql, values![tenant, self.finding, self.rule, self.title, reason, actor.name, self.at, self.until]).await?;
        let payload = json!({ "finding": self.finding, "rule": self.rule, "title": self.title, "because": reason, "until": self.until });
        tx.append(tenant, Entry::new("posture.accepted", Actor::User(actor.user), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// Accepts a finding no longer; [`StoreError::NotFound`] where nobody has.
pub struct ReopenFinding {
    pub permit: Permit<AcceptFindings>,
    pub finding: Digest,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ReopenFinding {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (tenant, user) = (self.permit.actor().tenant, self.permit.actor().user);
        let sql = "DELETE FROM accepted_findings WHERE tenant = $1 AND finding = $2 AND until > $3 RETURNING rule, title";
        let row = tx.fetch_optional(sql, values![tenant, self.finding, self.at]).await?.ok_or(StoreError::NotFound)?;
        let payload = json!({ "finding": self.finding, "rule": row.text("rule")?, "title": row.text("title")? });
        tx.append(tenant, Entry::new("posture.reopened", Actor::User(user), self.at, self.salt, payload)).await.map(|_| ())
    }
}
