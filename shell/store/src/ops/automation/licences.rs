//! Licences: issued by an executed action, shown, revoked, and what was refused for want of one.

use sallyport_decide::automation::licence::Issued;
use sallyport_decide::automation::{IssueLicence, LicenceRefusal, Licensed};
use sallyport_decide::policy::{self, ManageClients, Permit};
use sallyport_grant::Envelope;
use sallyport_grant::body::{Body, LicenceBody};
use sallyport_model::{ApiClientId, Digest, LicenceId, TenantId, Timestamp, limits};
use serde_json::json;

use super::super::people::rights_of;
use super::clients::client;
use super::tokens::remember;
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A licence as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceRow {
    pub id: LicenceId,
    pub tenant: TenantId,
    pub client: ApiClientId,
    /// The signed file.
    pub envelope: String,
    pub digest: Digest,
    pub issued: Timestamp,
    pub issued_by: String,
    pub expires: Timestamp,
    pub revoked: Option<Timestamp>,
    pub revoked_by: Option<String>,
    pub last_used: Option<Timestamp>,
    pub last_host: Option<String>,
}

impl LicenceRow {
    /// As the decision about it wants it.
    pub fn as_issued(&self) -> Issued {
        Issued { client: self.client, digest: self.digest, revoked: self.revoked.is_some() }
    }
}

/// The licences of a client, the newest first.
pub async fn licences(reader: &mut Reader, client: ApiClientId) -> Result<Vec<LicenceRow>, StoreError> {
    let sql = "SELECT * FROM licences WHERE client = $1 ORDER BY id DESC LIMIT $2";
    reader.fetch_all(sql, values![client, limits::LICENCES_LISTED]).await?.iter().map(read).collect()
}

/// One of them, whoever's it is: the caller compares the tenant.
pub async fn licence(reader: &mut Reader, id: LicenceId) -> Result<Option<LicenceRow>, StoreError> {
    let row = reader.fetch_optional("SELECT * FROM licences WHERE id = $1", values![id]).await?;
    row.as_ref().map(read).transpose()
}

/// How many licences of a client stand.
pub async fn standing_licences(reader: &mut Reader, client: ApiClientId, at: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM licences WHERE client = $1 AND revoked IS NULL AND expires > $2";
    reader.fetch_one(sql, values![client, at]).await?.uint("n")
}

fn read(row: &Row) -> Result<LicenceRow, StoreError> {
    Ok(LicenceRow {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        client: row.get("client")?,
        envelope: row.text("envelope")?,
        digest: row.get("digest")?,
        issued: row.time("issued")?,
        issued_by: row.text("issued_by")?,
        expires: row.time("expires")?,
        revoked: row.time_opt("revoked")?,
        revoked_by: row.text_opt("revoked_by")?,
        last_used: row.time_opt("last_used")?,
        last_host: row.text_opt("last_host")?,
    })
}

/// Keeps a signed licence, where its client still is what it was and whoever asked may still give what it gives. What the log is told comes out.
pub(crate) async fn issue(
    tx: &mut Tx,
    asker: &policy::Actor,
    wanted: &IssueLicence,
    envelope: &Envelope,
    at: Timestamp,
) -> Result<serde_json::Value, StoreError> {
    let broken = || StoreError::Corrupt("licence");
    let body = LicenceBody::parse(envelope.payload()).map_err(|_| broken())?;
    if envelope.payload() != wanted.body.as_bytes() || body.id != wanted.licence || body.tenant != asker.tenant {
        return Err(broken());
    }
    let row = client(tx, wanted.client).await?.filter(|row| row.tenant == asker.tenant).ok_or(StoreError::NotFound)?;
    let rights = rights_of(tx, asker.user).await?;
    let may = row.owner == asker.user || row.state.shape.may_be_given_by(&rights);
    let again = IssueLicence::freeze(body.clone(), &row.state.shape, &rights, at);
    if !may || row.state.stopped.is_some() || again.is_err() {
        return Err(StoreError::Conflict);
    }
    if standing_licences(tx, wanted.client, at).await? >= limits::LICENCES_PER_CLIENT as u64 {
        return Err(StoreError::Conflict);
    }
    let text = String::from_utf8(envelope.to_bytes()).map_err(|_| broken())?;
    let sql =
        "INSERT INTO licences (id, tenant, client, envelope, digest, issued, issued_by, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = values![body.id, asker.tenant, wanted.client, text, envelope.digest(), at, asker.name, body.expires];
    tx.execute(sql, args).await?;
    Ok(json!({
        "licence": body.id, "client": wanted.client, "name": row.state.shape.name, "tool": body.tool, "publisher": body.publisher,
        "versions": body.versions, "executables": body.executables, "scripts": body.scripts, "scopes": body.scopes, "hosts": body.hosts,
        "host_keys": body.host_keys, "expires": body.expires, "digest": envelope.digest(),
    }))
}

/// Whether the licence of a token that is about to be issued still stands, and the client's rule is met; its use is written down.
pub(super) async fn use_licence(tx: &mut Tx, client: ApiClientId, shown: Option<&Licensed>, at: Timestamp) -> Result<(), StoreError> {
    let Some(shown) = shown else {
        let sql = "SELECT 1 AS free FROM api_clients WHERE id = $1 AND licence_rule = 'not_needed'";
        return tx.fetch_optional(sql, values![client]).await?.map(|_| ()).ok_or(StoreError::Conflict);
    };
    let sql = "UPDATE licences SET last_used = $3, last_host = $4 WHERE id = $1 AND client = $2 AND revoked IS NULL AND expires > $3";
    tx.execute_versioned(sql, values![shown.licence(), client, at, shown.host()]).await
}

/// Ends a licence before its time, with the tokens that stand on it. [`StoreError::NotFound`] where it was revoked already.
pub struct RevokeLicence {
    pub permit: Permit<ManageClients>,
    pub licence: LicenceId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RevokeLicence {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let row = licence(tx, self.licence).await?.filter(|row| row.tenant == actor.tenant).ok_or(StoreError::NotFound)?;
        let sql = "UPDATE licences SET revoked = $2, revoked_by = $3 WHERE id = $1 AND revoked IS NULL RETURNING client";
        tx.fetch_optional(sql, values![self.licence, self.at, actor.name]).await?.ok_or(StoreError::NotFound)?;
        let sql = "UPDATE access_tokens SET revoked = $2 WHERE licence = $1 AND revoked IS NULL";
        tx.execute(sql, values![self.licence, self.at]).await?;
        let of = client(tx, row.client).await?.ok_or(StoreError::Corrupt("client"))?;
        let payload = json!({
            "licence": self.licence, "client": row.client, "name": of.state.shape.name, "user": of.owner, "tool": tool_of(&row.envelope)?,
        });
        tx.append(actor.tenant, Entry::new("licence.revoked", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

fn tool_of(envelope: &str) -> Result<String, StoreError> {
    let broken = || StoreError::Corrupt("envelope");
    let envelope = Envelope::parse(envelope.as_bytes(), sallyport_grant::PayloadType::Licence).map_err(|_| broken())?;
    LicenceBody::parse(envelope.payload()).map(|body| body.tool.to_string()).map_err(|_| broken())
}

/// A client's key was right and its licence was not: uses the assertion up, and keeps why for the client's owner.
pub struct RefuseLicence {
    pub tenant: TenantId,
    pub client: ApiClientId,
    /// The assertion's id, and until when it must be remembered.
    pub assertion: (Digest, Timestamp),
    pub why: LicenceRefusal,
    pub address: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RefuseLicence {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("refusals are summed up: an entry in an hour for each client");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        remember(tx, self.assertion.0, self.assertion.1).await?;
        let row = tx.fetch_one("SELECT name, owner, refused_logged FROM api_clients WHERE id = $1", values![self.client]).await?;
        let logged = row.time_opt("refused_logged")?;
        let lately = logged.is_some_and(|at| self.at.micros_since(at) < limits::LICENCE_REFUSAL_LOGGED_SECS * 1_000_000);
        let logged = if lately { logged } else { Some(self.at) };
        let sql = "UPDATE api_clients SET refused = $2, refused_why = $3, refused_address = $4, refused_logged = $5 WHERE id = $1";
        tx.execute(sql, values![self.client, self.at, self.why.as_str(), self.address, logged]).await?;
        if !lately {
            let owner: sallyport_model::UserId = row.get("owner")?;
            let payload = json!({
                "client": self.client, "name": row.text("name")?, "user": owner, "reason": self.why.as_str(), "why": self.why.words(),
                "source": self.address,
            });
            tx.append(self.tenant, Entry::new("licence.refused", Actor::System, self.at, self.salt, payload)).await?;
        }
        Ok(())
    }
}
