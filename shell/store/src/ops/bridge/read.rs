//! Connections as they are stored.

use std::collections::BTreeSet;

use sallyport_decide::bridge::rotation::State;
use sallyport_decide::bridge::{Shape, Standing};
use sallyport_model::{ApiClientId, ConnectionId, TenantId, Timestamp, UserId};

use crate::{Reader, Row, StoreError, values};

/// A connection with everything that decisions about it stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub owner: UserId,
    pub owner_name: String,
    pub shape: Shape,
    pub created: Timestamp,
    pub stopped: Option<Timestamp>,
    pub stopped_by: Option<String>,
    pub last_used: Option<Timestamp>,
    pub last_refused: Option<Timestamp>,
    pub last_refusal: Option<String>,
    /// Since when its present credential is kept; none where it is forgotten.
    pub secret_since: Option<Timestamp>,
    pub rotation: RotationRow,
    pub version: u64,
}

/// How far the replacement of a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRow {
    pub state: State,
    pub due: Option<Timestamp>,
    pub next_try: Option<Timestamp>,
    pub attempts: u32,
    pub failure: Option<String>,
    pub rotated: Option<Timestamp>,
    pub turn: u64,
}

impl ConnectionRow {
    /// Whether it works at this moment.
    pub fn standing(&self, now: Timestamp) -> Standing {
        Standing::of(self.stopped, self.shape.expires, now)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, u.name AS owner_name, (SELECT MAX(s.created) FROM connection_secrets s WHERE s.connection = c.id AND s.state = 'present') \
             AS secret_since FROM connections c JOIN users u ON u.id = c.owner WHERE ",
            $rest
        )
    };
}
pub(super) use select;

/// Those of a tenant, the newest first, from the one after `after` on.
pub async fn connections(
    reader: &mut Reader,
    tenant: TenantId,
    after: Option<ConnectionId>,
    limit: u32,
) -> Result<Vec<ConnectionRow>, StoreError> {
    let after = after.unwrap_or(ConnectionId::from_bytes([0xff; 16]));
    let sql = select!("c.tenant = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3");
    reader.fetch_all(sql, values![tenant, after, limit]).await?.iter().map(read).collect()
}

/// One of a tenant.
pub async fn connection(reader: &mut Reader, tenant: TenantId, id: ConnectionId) -> Result<ConnectionRow, StoreError> {
    read(&reader.fetch_one(select!("c.tenant = $1 AND c.id = $2"), values![tenant, id]).await?)
}

/// How many of a tenant were not stopped.
pub async fn living(reader: &mut Reader, tenant: TenantId) -> Result<usize, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM connections WHERE tenant = $1 AND stopped IS NULL";
    reader.fetch_one(sql, values![tenant]).await?.get("n")
}

/// Ids that are neither a user nor an API client of the tenant.
pub async fn unknown_callers(reader: &mut Reader, tenant: TenantId, ids: &BTreeSet<String>) -> Result<Vec<String>, StoreError> {
    let mut unknown = Vec::new();
    for id in ids {
        let known = match (id.parse::<UserId>(), id.parse::<ApiClientId>()) {
            (Ok(user), _) => {
                reader.fetch_optional("SELECT 1 AS one FROM users WHERE tenant = $1 AND id = $2", values![tenant, user]).await?
            }
            (_, Ok(client)) => {
                reader.fetch_optional("SELECT 1 AS one FROM api_clients WHERE tenant = $1 AND id = $2", values![tenant, client]).await?
            }
            _ => None,
        };
        if known.is_none() {
            unknown.push(id.clone());
        }
    }
    Ok(unknown)
}

/// Which of a connection's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The one that calls use.
    Present,
    /// The one that is to take its place.
    Candidate,
}

impl Kept {
    fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Candidate => "candidate",
        }
    }
}

/// A sealed credential, with the place that it is sealed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    pub id: [u8; 16],
    pub sealed: Vec<u8>,
}

/// A connection's sealed credential.
pub async fn secret_of(reader: &mut Reader, connection: ConnectionId, kept: Kept) -> Result<Option<SealedSecret>, StoreError> {
    let sql = "SELECT id, sealed FROM connection_secrets WHERE connection = $1 AND state = $2";
    let row = reader.fetch_optional(sql, values![connection, kept.as_str()]).await?;
    row.map(|row| Ok(SealedSecret { id: row.get("id")?, sealed: row.bytes("sealed")? })).transpose()
}

pub(super) fn read(row: &Row) -> Result<ConnectionRow, StoreError> {
    let rotation = RotationRow {
        state: State::parse(&row.text("rotation")?).ok_or(StoreError::Corrupt("rotation"))?,
        due: row.time_opt("rotation_due")?,
        next_try: row.time_opt("rotation_try")?,
        attempts: u32::try_from(row.uint("rotation_attempts")?).unwrap_or(u32::MAX),
        failure: row.text_opt("rotation_failure")?,
        rotated: row.time_opt("rotated")?,
        turn: row.uint("rotation_turn")?,
    };
    Ok(ConnectionRow {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        owner: row.get("owner")?,
        owner_name: row.text("owner_name")?,
        shape: serde_json::from_str(&row.text("shape")?).map_err(|_| StoreError::Corrupt("shape"))?,
        created: row.time("created")?,
        stopped: row.time_opt("stopped")?,
        stopped_by: row.text_opt("stopped_by")?,
        last_used: row.time_opt("last_used")?,
        last_refused: row.time_opt("last_refused")?,
        last_refusal: row.text_opt("last_refusal")?,
        secret_since: row.time_opt("secret_since")?,
        rotation,
        version: row.uint("version")?,
    })
}
