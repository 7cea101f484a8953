//! API clients as people see them, and what executing an action does to them.

use sallyport_decide::actions::Action;
use sallyport_decide::automation::{ChangeClient, ClientKey, ClientState, LicenceRefusal, LicenceRule, Rotation, Shape, Stopped};
use sallyport_decide::networks::Range;
use sallyport_decide::policy::{self, ManageClients, Permit, Rights};
use sallyport_model::{ApiClientId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::super::people::{rights_of, touched, words};
use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A client with everything that decisions about it stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    pub id: ApiClientId,
    pub tenant: TenantId,
    pub owner: UserId,
    pub owner_name: String,
    pub owner_email: String,
    pub state: ClientState,
    pub created: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub last_used: Option<Timestamp>,
    pub last_address: Option<String>,
    /// When the present key was registered.
    pub key_created: Timestamp,
    /// The present key, as a JSON Web Key.
    pub key: String,
    /// The last time that it got no token for want of a licence.
    pub refused: Option<Refused>,
}

/// A token that was refused for want of a licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub at: Timestamp,
    pub why: LicenceRefusal,
    pub address: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, u.name AS owner_name, u.email AS owner_email, u.state AS owner_state, u.expires AS owner_expires, \
             k.created AS key_created, k.jwk FROM api_clients c JOIN users u ON u.id = c.owner \
             JOIN client_keys k ON k.client = c.id AND k.until IS NULL WHERE ",
            $rest
        )
    };
}

/// Those of a tenant, the newest first, from the one after `after` on.
pub async fn clients(reader: &mut Reader, tenant: TenantId, after: Option<ApiClientId>, limit: u32) -> Result<Vec<ClientRow>, StoreError> {
    let after = after.unwrap_or(ApiClientId::from_bytes([0xff; 16]));
    let sql = select!("c.tenant = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3");
    reader.fetch_all(sql, values![tenant, after, limit]).await?.iter().map(read).collect()
}

/// How many of a tenant may work.
pub async fn living_clients(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM api_clients WHERE tenant = $1 AND stopped IS NULL AND expires > $2";
    reader.fetch_one(sql, values![tenant, now]).await?.uint("n")
}

/// Those that may work, and those that were stopped since then; no more than anybody reads.
pub async fn recent_clients(reader: &mut Reader, tenant: TenantId, since: Timestamp) -> Result<Vec<ClientRow>, StoreError> {
    let sql = select!("c.tenant = $1 AND c.expires > $2 AND (c.stopped IS NULL OR c.stopped > $2) ORDER BY c.id DESC LIMIT 500");
    reader.fetch_all(sql, values![tenant, since]).await?.iter().map(read).collect()
}

/// One of them, whoever's it is: the caller compares the tenant.
pub async fn client(reader: &mut Reader, id: ApiClientId) -> Result<Option<ClientRow>, StoreError> {
    reader.fetch_optional(select!("c.id = $1"), values![id]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<ClientRow, StoreError> {
    let stopped = row.text_opt("stopped_why")?;
    let stopped = stopped.map(|word| Stopped::parse(&word).ok_or(StoreError::Corrupt("stopped_why"))).transpose()?;
    let state = ClientState {
        shape: shape(row)?,
        stopped,
        owner_works: row.text("owner_state")? == "active",
        owner_ends: row.time_opt("owner_expires")?,
    };
    Ok(ClientRow {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        owner: row.get("owner")?,
        owner_name: row.text("owner_name")?,
        owner_email: row.text("owner_email")?,
        state,
        created: row.time("created")?,
        stopped_at: row.time_opt("stopped")?,
        last_used: row.time_opt("last_used")?,
        last_address: row.text_opt("last_address")?,
        key_created: row.time("key_created")?,
        key: row.text("jwk")?,
        refused: refused(row)?,
    })
}

fn refused(row: &Row) -> Result<Option<Refused>, StoreError> {
    let Some(at) = row.time_opt("refused")? else { return Ok(None) };
    let why = row.text_opt("refused_why")?.and_then(|word| LicenceRefusal::parse(&word)).ok_or(StoreError::Corrupt("refused_why"))?;
    Ok(Some(Refused { at, why, address: row.text_opt("refused_address")?.unwrap_or_default() }))
}

fn shape(row: &Row) -> Result<Shape, StoreError> {
    let broken = |_| StoreError::Corrupt("networks");
    Ok(Shape {
        name: row.text("name")?,
        scopes: words(&row.text("scopes")?),
        networks: row.text("networks")?.split_whitespace().map(str::parse).collect::<Result<Vec<Range>, _>>().map_err(broken)?,
        expires: row.time("expires")?,
        rotation: Rotation::parse(&row.text("rotation")?).ok_or(StoreError::Corrupt("rotation"))?,
        licence: LicenceRule::parse(&row.text("licence_rule")?).ok_or(StoreError::Corrupt("licence_rule"))?,
    })
}

fn scopes_text(shape: &Shape) -> String {
    shape.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn networks_text(shape: &Shape) -> String {
    shape.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What the owner of a client may do now, within these scopes.
pub async fn owner_rights(reader: &mut Reader, owner: UserId, scopes: &str) -> Result<Rights, StoreError> {
    Ok(rights_of(reader, owner).await?.narrowed(&words(scopes)))
}

/// Whether a client may still have what it asked for: it works, and its owner may do it wherever it reaches (A29).
pub(crate) async fn still_stands(tx: &mut Tx, id: ApiClientId, action: &Action, at: Timestamp) -> Result<(), StoreError> {
    let row = client(tx, id).await?.ok_or(StoreError::Conflict)?;
    let works = row.state.stopped.is_none() && row.state.owner_works && at < row.state.shape.expires;
    if !works || row.state.owner_ends.is_some_and(|ends| at >= ends) {
        return Err(StoreError::Conflict);
    }
    let rights = rights_of(tx, row.owner).await?.narrowed(&row.state.shape.scopes);
    let reach = rights.reach(action.kind().capability()).ok_or(StoreError::Conflict)?;
    match reach.is_tenant() || touched(tx, row.tenant, action).await?.is_within(&reach) {
        true => Ok(()),
        false => Err(StoreError::Conflict),
    }
}

/// Makes a client in the name of whoever asked for it. They must still have what it gets.
pub(crate) async fn create(tx: &mut Tx, asker: &policy::Actor, new: &ChangeClient, at: Timestamp) -> Result<(), StoreError> {
    let rights = rights_of(tx, asker.user).await?;
    new.after.check(&rights, at).map_err(|_| StoreError::Conflict)?;
    let living = "SELECT COUNT(*) AS n FROM api_clients WHERE tenant = $1 AND stopped IS NULL AND expires > $2";
    let count = tx.fetch_one(living, values![asker.tenant, at]).await?.uint("n")?;
    if count >= limits::API_CLIENTS as u64 {
        return Err(StoreError::Conflict);
    }
    let sql = "INSERT INTO api_clients (id, tenant, owner, name, scopes, networks, rotation, created, expires, licence_rule, version) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)";
    let shape = &new.after;
    let (scopes, networks, rotation) = (scopes_text(shape), networks_text(shape), shape.rotation.as_str());
    let args =
        values![new.client, asker.tenant, asker.user, shape.name, scopes, networks, rotation, at, shape.expires, shape.licence.as_str()];
    tx.execute(sql, args).await?;
    let jwk = new.key.clone().ok_or(StoreError::Corrupt("key"))?;
    let key = ClientKey::parse(jwk).map_err(|_| StoreError::Corrupt("key"))?;
    super::keys::insert(tx, new.client, &key, at).await
}

/// Gives a client another shape; [`StoreError::Conflict`] where it has another one than was shown, or was stopped.
pub(crate) async fn change(tx: &mut Tx, asker: &policy::Actor, changed: &ChangeClient, at: Timestamp) -> Result<(), StoreError> {
    let row = client(tx, changed.client).await?.filter(|row| row.tenant == asker.tenant).ok_or(StoreError::NotFound)?;
    let own = rights_of(tx, asker.user).await?;
    let may = row.owner == asker.user || changed.after.may_be_given_by(&own);
    if !may || changed.before.as_ref() != Some(&row.state.shape) {
        return Err(StoreError::Conflict);
    }
    let sql = "UPDATE api_clients SET name = $2, scopes = $3, networks = $4, rotation = $5, expires = $6, licence_rule = $7, version = version + 1 \
               WHERE id = $1 AND stopped IS NULL";
    let shape = &changed.after;
    let (scopes, networks, rotation) = (scopes_text(shape), networks_text(shape), shape.rotation.as_str());
    tx.execute_versioned(sql, values![changed.client, shape.name, scopes, networks, rotation, shape.expires, shape.licence.as_str()])
        .await?;
    if shape.licence == LicenceRule::Needed {
        let sql = "UPDATE access_tokens SET revoked = $2 WHERE client = $1 AND licence IS NULL AND revoked IS NULL";
        tx.execute(sql, values![changed.client, at]).await?;
    }
    Ok(())
}

/// Who or what stops a client.
pub enum StoppedBy {
    Person(Permit<ManageClients>),
    /// The server, for what the client's key did or did not.
    Itself {
        tenant: TenantId,
        why: Stopped,
    },
}

/// Stops a client for good: its tokens and its open requests are over with it. [`StoreError::NotFound`] where it was stopped already.
pub struct StopClient {
    pub by: StoppedBy,
    pub client: ApiClientId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for StopClient {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (tenant, actor, why) = match &self.by {
            StoppedBy::Person(permit) => (permit.actor().tenant, Actor::of(permit.actor()), Stopped::ByPerson),
            StoppedBy::Itself { tenant, why } => (*tenant, Actor::System, *why),
        };
        stop(tx, (tenant, self.client), why, actor, (self.at, self.salt)).await
    }
}

/// Stops every client of an owner, and says what they were called.
pub(crate) async fn stop_all_of(
    tx: &mut Tx,
    (tenant, owner): (TenantId, UserId),
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT id, name FROM api_clients WHERE tenant = $1 AND owner = $2 AND stopped IS NULL ORDER BY id";
    let mut names = Vec::new();
    for row in &tx.fetch_all(sql, values![tenant, owner]).await? {
        stop(tx, (tenant, row.get("id")?), Stopped::ByPerson, Actor::User(owner), (at, salt)).await?;
        names.push(row.text("name")?);
    }
    Ok(names)
}

pub(super) async fn stop(
    tx: &mut Tx,
    (tenant, client): (TenantId, ApiClientId),
    why: Stopped,
    actor: Actor,
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<(), StoreError> {
    let sql = "UPDATE api_clients SET stopped = $3, stopped_why = $4, version = version + 1 \
               WHERE tenant = $1 AND id = $2 AND stopped IS NULL RETURNING name, owner";
    let row = tx.fetch_one(sql, values![tenant, client, at, why.as_str()]).await?;
    tx.execute("UPDATE access_tokens SET revoked = $2 WHERE client = $1 AND revoked IS NULL", values![client, at]).await?;
    let sealed = "DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE client = $1 AND state = 'open')";
    tx.execute(sealed, values![client]).await?;
    tx.execute("UPDATE requests SET state = 'denied' WHERE client = $1 AND state = 'open'", values![client]).await?;
    let owner: UserId = row.get("owner")?;
    let payload = json!({ "client": client, "name": row.text("name")?, "user": owner, "reason": why.as_str() });
    tx.append(tenant, Entry::new("client.stopped", actor, at, salt, payload)).await?;
    Ok(())
}
