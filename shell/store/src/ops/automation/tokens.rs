//! Access tokens: issued for an assertion that counts once, used, revoked.

use sallyport_decide::accounts::proof::Thumbprint;
use sallyport_decide::automation::{AccessToken, Licensed};
use sallyport_model::{ApiClientId, Digest, TenantId, Timestamp, limits};
use serde_json::json;

use super::clients::{ClientRow, client};
use super::licences::{licence, use_licence};
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// Uses an assertion up; [`StoreError::Exists`] where it was used before.
pub(super) async fn remember(tx: &mut Tx, id: Digest, expires: Timestamp) -> Result<(), StoreError> {
    tx.execute("INSERT INTO client_assertions (id, expires) VALUES ($1, $2)", values![id, expires]).await.map(|_| ())
}

/// A token that is to be.
pub struct NewToken {
    /// Its hash.
    pub token: Digest,
    /// The key that it is bound to.
    pub key: Thumbprint,
    /// Words with spaces between them.
    pub scopes: String,
}

/// Issues a token for an assertion, or only uses the assertion up. [`StoreError::Exists`] where the assertion was used before;
/// [`StoreError::Conflict`] where the client was stopped or its licence revoked
/// meanwhile, or it has as many live tokens as it may have.
pub struct IssueToken {
    pub tenant: TenantId,
    pub client: ApiClientId,
    pub assertion: (Digest, Timestamp),
    pub token: NewToken,
    /// What it stands on, where a licence was shown.
    pub licence: Option<Licensed>,
    pub address: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for IssueToken {
    type Out = ();
    const AUDIT: Audit =
        Audit::Exempt("uses are summed up: an entry in a quarter of an hour for each client, and one for each new address");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        remember(tx, self.assertion.0, self.assertion.1).await?;
        let sql = "SELECT COUNT(*) AS live FROM access_tokens WHERE client = $1 AND revoked IS NULL AND issued > $2 AND last_used > $3";
        let oldest = self.at.plus_secs(-limits::ACCESS_TOKEN_SECS);
        let unused = self.at.plus_secs(-limits::ACCESS_TOKEN_IDLE_SECS);
        let live = tx.fetch_one(sql, values![self.client, oldest, unused]).await?.uint("live")?;
        if live >= limits::ACCESS_TOKENS_PER_CLIENT as u64 {
            return Err(StoreError::Conflict);
        }
        self.used(tx).await?;
        use_licence(tx, self.client, self.licence.as_ref(), self.at).await?;
        let sql = "INSERT INTO access_tokens (token, client, jkt, scopes, issued, last_used, licence) VALUES ($1, $2, $3, $4, $5, $5, $6)";
        let NewToken { token, key, scopes } = &self.token;
        let licence = self.licence.as_ref().map(Licensed::licence);
        tx.execute(sql, values![token, self.client, *key.as_bytes(), scopes, self.at, licence]).await.map(|_| ())
    }
}

impl IssueToken {
    async fn used(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "SELECT name, last_logged, last_address FROM api_clients WHERE id = $1 AND stopped IS NULL";
        let row = tx.fetch_optional(sql, values![self.client]).await?.ok_or(StoreError::Conflict)?;
        let logged = row.time_opt("last_logged")?;
        let lately = logged.is_some_and(|at| self.at.micros_since(at) < limits::CLIENT_USE_LOGGED_SECS * 1_000_000);
        let tell = !lately || row.text_opt("last_address")?.as_deref() != Some(self.address.as_str());
        let logged = if tell { Some(self.at) } else { logged };
        let sql = "UPDATE api_clients SET last_used = $2, last_address = $3, last_logged = $4 WHERE id = $1";
        tx.execute(sql, values![self.client, self.at, self.address, logged]).await?;
        if tell {
            let payload = json!({ "client": self.client, "name": row.text("name")?, "address": self.address });
            tx.append(self.tenant, Entry::new("client.used", Actor::Client(self.client), self.at, self.salt, payload)).await?;
        }
        Ok(())
    }
}

/// A token that nobody revoked, with its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveToken {
    pub token: AccessToken,
    /// Words with spaces between them.
    pub scopes: String,
    pub client: ClientRow,
}

/// Finds a token by its hash; whether it lives is for `decide` to say.
pub async fn live_token(reader: &mut Reader, token: Digest) -> Result<Option<LiveToken>, StoreError> {
    let sql = "SELECT client, jkt, scopes, issued, last_used, licence FROM access_tokens WHERE token = $1 AND revoked IS NULL";
    let Some(row) = reader.fetch_optional(sql, values![token]).await? else { return Ok(None) };
    let Some(client) = client(reader, row.get("client")?).await? else { return Ok(None) };
    let licence_ends = match row.get_opt("licence")? {
        None => None,
        // Revoking a licence revokes its tokens; looking again costs little and forgives nothing.
        Some(id) => match licence(reader, id).await?.filter(|row| row.revoked.is_none()) {
            None => return Ok(None),
            Some(row) => Some(row.expires),
        },
    };
    let key = Thumbprint::from_bytes(row.get("jkt")?);
    let token = AccessToken { key, issued: row.time("issued")?, last_used: row.time("last_used")?, licence_ends };
    Ok(Some(LiveToken { token, scopes: row.text("scopes")?, client }))
}

/// Writes down that a token was used.
pub struct UseToken {
    pub token: Digest,
    pub at: Timestamp,
}

impl Change for UseToken {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence: the time of the last use");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE access_tokens SET last_used = $2 WHERE token = $1 AND last_used < $2 AND revoked IS NULL";
        tx.execute(sql, values![self.token, self.at]).await.map(|_| ())
    }
}

/// Ends a token of this client before its time; where there is none, nothing happens (RFC 7009, section 2.2).
pub struct RevokeToken {
    pub client: ApiClientId,
    /// The assertion's id, and until when it must be remembered.
    pub assertion: (Digest, Timestamp),
    /// Absent where what was shown is no token at all.
    pub token: Option<Digest>,
    pub at: Timestamp,
}

impl Change for RevokeToken {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a token ends by itself within minutes; ending it earlier gives nobody anything");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        remember(tx, self.assertion.0, self.assertion.1).await?;
        let sql = "UPDATE access_tokens SET revoked = $3 WHERE token = $1 AND client = $2 AND revoked IS NULL";
        tx.execute(sql, values![self.token, self.client, self.at]).await.map(|_| ())
    }
}

/// Forgets tokens, assertions and codes that are refused for their time alone.
pub struct ForgetTokens {
    pub at: Timestamp,
}

impl Change for ForgetTokens {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a token or an assertion that expired is refused for its time alone");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("DELETE FROM client_assertions WHERE expires <= $1", values![self.at]).await?;
        let ended = self.at.plus_secs(-limits::ACCESS_TOKEN_SECS);
        tx.execute("DELETE FROM access_tokens WHERE issued <= $1", values![ended]).await?;
        let kept = self.at.plus_secs(-limits::PROGRAM_CODE_KEPT_SECS);
        tx.execute("DELETE FROM program_codes WHERE issued <= $1", values![kept]).await.map(|_| ())
    }
}
