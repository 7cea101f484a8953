//! The public keys of clients: registered, replaced, overdue.

use sallyport_decide::automation::{ClientKey, KeyAge, Stopped};
use sallyport_model::{ApiClientId, Digest, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::clients::stop;
use super::tokens::remember;
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// A key with its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKey {
    pub key: ClientKey,
    pub age: KeyAge,
}

/// The keys of a client, the newest first; those that it replaced too, so that their use is noticed.
pub async fn keys_of(reader: &mut Reader, client: ApiClientId) -> Result<Vec<RegisteredKey>, StoreError> {
    let sql = "SELECT jwk, created, until FROM client_keys WHERE client = $1 ORDER BY created DESC";
    let mut keys = Vec::new();
    for row in &reader.fetch_all(sql, values![client]).await? {
        let jwk = serde_json::from_str(&row.text("jwk")?).map_err(|_| StoreError::Corrupt("jwk"))?;
        let key = ClientKey::parse(jwk).map_err(|_| StoreError::Corrupt("jwk"))?;
        keys.push(RegisteredKey { key, age: KeyAge { created: row.time("created")?, until: row.time_opt("until")? } });
    }
    Ok(keys)
}

pub(super) async fn insert(tx: &mut Tx, client: ApiClientId, key: &ClientKey, at: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO client_keys (client, jkt, jwk, created) VALUES ($1, $2, $3, $4)";
    let jwk = serde_json::to_string(key.jwk()).map_err(|_| StoreError::Corrupt("jwk"))?;
    tx.execute(sql, values![client, *key.thumbprint().as_bytes(), jwk, at]).await.map(|_| ())
}

/// The next key takes the place of the present one, which works on for the overlap. [`StoreError::Conflict`] where the present key is another
/// one meanwhile; [`StoreError::Exists`] where an assertion or the key itself was there before.
pub struct RotateKey {
    pub tenant: TenantId,
    pub client: ApiClientId,
    pub present: ClientKey,
    pub next: ClientKey,
    /// Ids of both assertions, and until when they must be remembered.
    pub assertions: [(Digest, Timestamp); 2],
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RotateKey {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for (id, expires) in self.assertions {
            remember(tx, id, expires).await?;
        }
        let until = self.at.plus_secs(limits::CLIENT_KEY_OVERLAP_SECS);
        let sql = "UPDATE client_keys SET until = $3 WHERE client = $1 AND jkt = $2 AND until IS NULL";
        tx.execute_versioned(sql, values![self.client, *self.present.thumbprint().as_bytes(), until]).await?;
        insert(tx, self.client, &self.next, self.at).await?;
        self.forget_oldest(tx).await?;
        let sql = "UPDATE api_clients SET warned = NULL, version = version + 1 WHERE id = $1 AND stopped IS NULL RETURNING name";
        let name = tx.fetch_optional(sql, values![self.client]).await?.ok_or(StoreError::Conflict)?.text("name")?;
        let payload = json!({ "client": self.client, "name": name, "key": self.next.jwk() });
        tx.append(self.tenant, Entry::new("client.key_rotated", Actor::Client(self.client), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

impl RotateKey {
    /// Each key is tried when somebody says to be the client, so there are only so many. Older ones are refused like strangers' keys.
    async fn forget_oldest(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "DELETE FROM client_keys WHERE client = $1 AND until IS NOT NULL AND jkt NOT IN \
                   (SELECT jkt FROM client_keys WHERE client = $1 AND until IS NOT NULL ORDER BY until DESC LIMIT $2)";
        tx.execute(sql, values![self.client, limits::CLIENT_KEYS_REMEMBERED]).await.map(|_| ())
    }
}

/// Clients whose present key is older than it may be: those to be warned about, and those to be stopped.
pub async fn stale_keys(reader: &mut Reader, now: Timestamp) -> Result<(Vec<ApiClientId>, Vec<ApiClientId>), StoreError> {
    let sql = "SELECT c.id, c.warned, k.created FROM api_clients c JOIN client_keys k ON k.client = c.id AND k.until IS NULL \
               WHERE c.stopped IS NULL AND c.expires > $2 AND c.rotation = 'daily' AND k.created <= $1";
    let due = now.plus_secs(-limits::CLIENT_KEY_SECS - limits::CLIENT_KEY_OVERLAP_SECS);
    let missed = now.plus_secs(-limits::CLIENT_KEY_MAX_SECS);
    let (mut warn, mut end) = (Vec::new(), Vec::new());
    for row in &reader.fetch_all(sql, values![due, now]).await? {
        let id = row.get("id")?;
        match row.time("created")? <= missed {
            true => end.push(id),
            false if row.time_opt("warned")?.is_none() => warn.push(id),
            false => {}
        }
    }
    Ok((warn, end))
}

/// Writes down once that a client's key is overdue, so that its owner is told.
pub struct WarnOfKey {
    pub client: ApiClientId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for WarnOfKey {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tells the log once; who comes second has nothing to tell");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE api_clients SET warned = $2 WHERE id = $1 AND warned IS NULL AND stopped IS NULL RETURNING tenant, name, owner";
        let Some(row) = tx.fetch_optional(sql, values![self.client, self.at]).await? else { return Ok(()) };
        let owner: UserId = row.get("owner")?;
        let payload = json!({ "client": self.client, "name": row.text("name")?, "user": owner });
        tx.append(row.get("tenant")?, Entry::new("client.key_due", Actor::System, self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Stops a client whose key was not replaced in time, unless it was replaced meanwhile.
pub struct StopStale {
    pub client: ApiClientId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for StopStale {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tells the log once; who comes second has nothing to tell");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "SELECT c.tenant FROM api_clients c JOIN client_keys k ON k.client = c.id AND k.until IS NULL \
                   WHERE c.id = $1 AND c.stopped IS NULL AND k.created <= $2";
        let missed = self.at.plus_secs(-limits::CLIENT_KEY_MAX_SECS);
        let Some(row) = tx.fetch_optional(sql, values![self.client, missed]).await? else { return Ok(()) };
        stop(tx, (row.get("tenant")?, self.client), Stopped::RotationMissed, Actor::System, (self.at, self.salt)).await
    }
}
