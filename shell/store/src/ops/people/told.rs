//! Telling people what happened: reads the log from a mark on, and moves the mark in the commit that queues the mails.

use sallyport_decide::people::notices::Origin;
use sallyport_model::{SessionId, TenantId, Timestamp, UserId};

use super::links::{NewLink, make_link};
use super::mail::{NewMail, queue};
use crate::{Audit, Change, Reader, Row, StoreError, Tx, values};

/// An entry that somebody may have to be told of.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub tenant: TenantId,
    pub index: u64,
    pub at: Timestamp,
    pub kind: String,
    /// JSON `{"actor":..,"payload":..}`; absent once erased.
    pub body: Option<String>,
    pub actor: Option<String>,
}

/// Entries of a tenant that nobody was told of yet, in order; `None` before telling was begun.
pub async fn untold(reader: &mut Reader, tenant: TenantId, limit: u32) -> Result<Option<Vec<NewEntry>>, StoreError> {
    let mark = reader.fetch_optional("SELECT idx FROM notice_marks WHERE tenant = $1", values![tenant]).await?;
    let Some(mark) = mark else { return Ok(None) };
    let sql = "SELECT idx, at, kind, body, actor FROM log_entries WHERE tenant = $1 AND idx >= $2 ORDER BY idx LIMIT $3";
    let rows = reader.fetch_all(sql, values![tenant, mark.int("idx")?, limit]).await?;
    let read = |row: &Row| {
        Ok(NewEntry {
            tenant,
            index: row.uint("idx")?,
            at: row.time("at")?,
            kind: row.text("kind")?,
            body: row.text_opt("body")?,
            actor: row.text_opt("actor")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Every tenant.
pub async fn tenants(reader: &mut Reader) -> Result<Vec<TenantId>, StoreError> {
    reader.fetch_all("SELECT id FROM tenants", &[]).await?.iter().map(|row| row.get("id")).collect()
}

/// Begins telling where the log ends now; nothing where it has begun.
pub struct BeginTelling {
    pub tenant: TenantId,
}

impl Change for BeginTelling {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("what is told is in the log; this is how far it was read");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO notice_marks (tenant, idx) SELECT tenant, size FROM log_heads WHERE tenant = $1 ON CONFLICT (tenant) DO NOTHING";
        tx.execute(sql, values![self.tenant]).await.map(|_| ())
    }
}

/// Moves the mark over an entry, with the mails and their links. [`StoreError::Conflict`] where somebody else told it.
pub struct Tell {
    pub tenant: TenantId,
    pub index: u64,
    pub links: Vec<(UserId, NewLink)>,
    pub mails: Vec<NewMail>,
    pub at: Timestamp,
}

impl Change for Tell {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("what is told is in the log; this is how far it was read");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE notice_marks SET idx = $3 WHERE tenant = $1 AND idx <= $2";
        tx.execute_versioned(sql, values![self.tenant, self.index, self.index + 1]).await?;
        for (user, link) in &self.links {
            make_link(tx, self.tenant, *user, link, self.at).await?;
        }
        queue(tx, &self.mails).await
    }
}

/// Whether a session came from somewhere new: compared with all earlier sessions of its person.
pub async fn origin(reader: &mut Reader, user: UserId, session: SessionId) -> Result<Origin, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM sessions e WHERE e.user_id = s.user_id AND e.id < s.id) AS earlier, \
               (SELECT COUNT(*) FROM sessions e WHERE e.user_id = s.user_id AND e.id < s.id AND e.address = s.address) AS same_address, \
               (SELECT COUNT(*) FROM sessions e WHERE e.user_id = s.user_id AND e.id < s.id AND e.user_agent = s.user_agent) AS same_agent \
               FROM sessions s WHERE s.id = $1 AND s.user_id = $2";
    let Some(row) = reader.fetch_optional(sql, values![session, user]).await? else { return Ok(Origin::Known) };
    Ok(match (row.int("earlier")?, row.int("same_agent")?, row.int("same_address")?) {
        (0, _, _) => Origin::First,
        (_, 0, _) => Origin::NewDevice,
        (_, _, 0) => Origin::NewAddress,
        _ => Origin::Known,
    })
}

/// To whom a mail goes.
pub async fn address_of(reader: &mut Reader, tenant: TenantId, user: UserId) -> Result<Option<(String, String)>, StoreError> {
    let row = reader.fetch_optional("SELECT email, name FROM users WHERE tenant = $1 AND id = $2", values![tenant, user]).await?;
    row.map(|row| Ok((row.text("email")?, row.text("name")?))).transpose()
}
