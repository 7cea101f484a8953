//! Calls over connections. Each is written down before it is made: that counts it, in the one place that all processes share, and no call is
//! made that could not be written down. The audit log gets one entry a minute for each caller.

use std::collections::BTreeMap;

use sallyport_decide::bridge::{Cleared, Standing, Verb};
use sallyport_model::{ConnectionId, TenantId, Timestamp, limits};
use serde_json::{Value, json};

use super::read::{Kept, SealedSecret, connection, secret_of};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

const MINUTE_SECS: i64 = 60;
/// What is written of a path at most: enough to recognise it.
const PATH_CHARS: usize = 300;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub tenant: TenantId,
    /// Of a user or an API client.
    pub id: String,
    pub name: String,
}

/// Takes a call out of the connection's minute and gives its sealed credential. [`StoreError::Conflict`] where the connection has other terms
/// than those that the call was cleared by.
pub struct TakeCall {
    pub id: [u8; 16],
    pub caller: Caller,
    pub connection: ConnectionId,
    pub version: u64,
    pub cleared: Cleared,
    pub at: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It may be made.
    Go {
        secret: SealedSecret,
        /// The one that is to take its place: an answer must not have that either.
        candidate: Option<SealedSecret>,
        /// Calls of this minute that are left.
        left: u32,
    },
    /// The minute's calls are used up.
    TooMany,
}

impl Change for TakeCall {
    type Out = Taken;
    const AUDIT: Audit = Audit::Exempt("calls are summed up, one entry a minute for each connection and caller");

    async fn apply(&self, tx: &mut Tx) -> Result<Taken, StoreError> {
        let row = connection(tx, self.caller.tenant, self.connection).await?;
        let secret = secret_of(tx, row.id, Kept::Present).await?;
        let (Some(secret), true) = (secret, row.version == self.version && row.standing(self.at) == Standing::Works) else {
            return Err(StoreError::Conflict);
        };
        let used = used(tx, row.id, self.at).await?;
        if used >= row.shape.per_minute {
            return Ok(Taken::TooMany);
        }
        let (verb, path, rule) = (self.cleared.verb(), self.cleared.path(), Some(self.cleared.rule()));
        insert(tx, self.id, (row.id, &self.caller), (verb, path, rule, None), self.at).await?;
        tx.execute("UPDATE connections SET last_used = $2 WHERE id = $1", values![row.id, self.at]).await?;
        let candidate = secret_of(tx, row.id, Kept::Candidate).await?;
        Ok(Taken::Go { secret, candidate, left: row.shape.per_minute - used - 1 })
    }
}

/// Calls within the last minute, without those of callers whom the connection is not for.
async fn used(tx: &mut Tx, connection: ConnectionId, at: Timestamp) -> Result<u32, StoreError> {
    let sql =
        "SELECT COUNT(*) AS n FROM connection_calls WHERE connection = $1 AND at > $2 AND (outcome IS NULL OR outcome <> 'caller_refused')";
    tx.fetch_one(sql, values![connection, at.plus_secs(-MINUTE_SECS)]).await?.get("n")
}

async fn insert(
    tx: &mut Tx,
    id: [u8; 16],
    (connection, caller): (ConnectionId, &Caller),
    (verb, path, rule, outcome): (Verb, &str, Option<&str>, Option<&str>),
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO connection_calls (id, connection, tenant, caller, caller_name, at, minute, method, path, rule, outcome) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let path: String = path.chars().take(PATH_CHARS).collect();
    let minute = at.micros() - at.micros().rem_euclid(MINUTE_SECS * 1_000_000);
    let args = values![id, connection, caller.tenant, caller.id, caller.name, at, minute, verb.as_str(), path, rule, outcome];
    tx.execute(sql, args).await.map(|_| ())
}

/// Writes down how a call ended.
pub struct EndCall {
    pub id: [u8; 16],
    /// The vendor's status, or why there is none.
    pub outcome: String,
    /// Whether the connection shows it as its last refusal.
    pub refused: Option<&'static str>,
    pub at: Timestamp,
}

impl Change for EndCall {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("calls are summed up, one entry a minute for each connection and caller");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE connection_calls SET outcome = $2 WHERE id = $1 AND outcome IS NULL RETURNING connection";
        let Some(row) = tx.fetch_optional(sql, values![self.id, self.outcome]).await? else { return Ok(()) };
        match self.refused {
            Some(why) => refused(tx, row.get("connection")?, why, self.at).await,
            None => Ok(()),
        }
    }
}

async fn refused(tx: &mut Tx, connection: ConnectionId, why: &str, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE connections SET last_refused = $2, last_refusal = $3 WHERE id = $1";
    tx.execute(sql, values![connection, at, why]).await.map(|_| ())
}

/// Writes down a call that was not made. What more than fills a minute is not written any more.
pub struct KeepRefusal {
    pub id: [u8; 16],
    pub caller: Caller,
    pub connection: ConnectionId,
    pub verb: Verb,
    pub path: String,
    pub why: &'static str,
    pub at: Timestamp,
}

impl Change for KeepRefusal {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("calls are summed up, one entry a minute for each connection and caller");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let row = connection(tx, self.caller.tenant, self.connection).await?;
        let sql = "SELECT COUNT(*) AS n FROM connection_calls WHERE connection = $1 AND at > $2 AND outcome = 'caller_refused'";
        let (count, most) = match self.why {
            "caller_refused" => {
                let strangers = tx.fetch_one(sql, values![row.id, self.at.plus_secs(-MINUTE_SECS)]).await?.get("n")?;
                (strangers, limits::CONNECTION_STRANGERS_PER_MINUTE)
            }
            _ => (used(tx, row.id, self.at).await?, row.shape.per_minute),
        };
        if count < most {
            insert(tx, self.id, (row.id, &self.caller), (self.verb, &self.path, None, Some(self.why)), self.at).await?;
        }
        refused(tx, row.id, self.why, self.at).await
    }
}

/// A call as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    pub at: Timestamp,
    pub caller: String,
    pub caller_name: String,
    pub method: String,
    pub path: String,
    pub outcome: Option<String>,
}

/// The last calls of a connection, the newest first.
pub async fn calls_of(reader: &mut Reader, connection: ConnectionId) -> Result<Vec<CallRow>, StoreError> {
    let sql =
        "SELECT at, caller, caller_name, method, path, outcome FROM connection_calls WHERE connection = $1 ORDER BY at DESC, id LIMIT $2";
    let read = |row: &Row| {
        Ok(CallRow {
            at: row.time("at")?,
            caller: row.text("caller")?,
            caller_name: row.text("caller_name")?,
            method: row.text("method")?,
            path: row.text("path")?,
            outcome: row.text_opt("outcome")?,
        })
    };
    reader.fetch_all(sql, values![connection, limits::CONNECTION_CALLS_SHOWN]).await?.iter().map(read).collect()
}

/// A minute of a caller that the audit log was not told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsummed {
    pub connection: ConnectionId,
    pub caller: String,
    pub minute: Timestamp,
}

/// Minutes that are over and not told of.
pub async fn unsummed(reader: &mut Reader, now: Timestamp) -> Result<Vec<Unsummed>, StoreError> {
    let sql =
        "SELECT DISTINCT connection, caller, minute FROM connection_calls WHERE logged IS NULL AND minute <= $1 ORDER BY minute LIMIT 100";
    let read = |row: &Row| Ok(Unsummed { connection: row.get("connection")?, caller: row.text("caller")?, minute: row.time("minute")? });
    reader.fetch_all(sql, values![now.plus_secs(-MINUTE_SECS)]).await?.iter().map(read).collect()
}

/// Tells the audit log what a caller did over a connection within a minute. [`StoreError::Conflict`] where somebody else told it.
pub struct SumCalls {
    pub wanted: Unsummed,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for SumCalls {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let Unsummed { connection, caller, minute } = &self.wanted;
        let sql = "SELECT tenant, caller_name, method, rule, outcome, at FROM connection_calls \
                   WHERE connection = $1 AND caller = $2 AND minute = $3 AND logged IS NULL ORDER BY at, id";
        let rows = tx.fetch_all(sql, values![connection, caller, minute]).await?;
        let first = rows.first().ok_or(StoreError::Conflict)?;
        let tenant = first.get("tenant")?;
        let sql = "SELECT name FROM connections WHERE id = $1";
        let name = tx.fetch_one(sql, values![connection]).await?.text("name")?;
        let sql = "UPDATE connection_calls SET logged = $4 WHERE connection = $1 AND caller = $2 AND minute = $3 AND logged IS NULL";
        tx.execute(sql, values![connection, caller, minute, self.at]).await?;
        for (kind, mut payload) in sums(&rows)? {
            payload["connection"] = json!(connection);
            payload["name"] = json!(name);
            payload["minute"] = json!(minute);
            tx.append(tenant, Entry::new(kind, actor(caller), self.at, self.salt, payload)).await?;
        }
        self.forget_oldest(tx).await
    }
}

impl SumCalls {
    async fn forget_oldest(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "DELETE FROM connection_calls WHERE connection = $1 AND logged IS NOT NULL AND at <= $2 AND id NOT IN \
                   (SELECT id FROM connection_calls WHERE connection = $1 ORDER BY at DESC, id LIMIT $3)";
        let counted = self.at.plus_secs(-MINUTE_SECS);
        tx.execute(sql, values![self.wanted.connection, counted, limits::CONNECTION_CALLS_KEPT]).await.map(|_| ())
    }
}

fn actor(caller: &str) -> Actor {
    match (caller.parse(), caller.parse()) {
        (Ok(user), _) => Actor::User(user),
        (_, Ok(client)) => Actor::Client(client),
        _ => Actor::System,
    }
}

/// One entry for what was sent, by rule and outcome; one for what was refused before it was, by reason.
fn sums(rows: &[Row]) -> Result<Vec<(&'static str, Value)>, StoreError> {
    let (mut sent, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let outcome = row.text_opt("outcome")?;
        match (row.text_opt("rule")?, outcome) {
            (Some(rule), outcome) => {
                *sent.entry((row.text("method")?, rule, outcome.unwrap_or_else(|| "unknown".to_owned()))).or_insert(0u32) += 1;
            }
            (None, outcome) => *refused.entry(outcome.unwrap_or_default()).or_insert(0u32) += 1,
        }
    }
    let by: Vec<_> = sent
        .iter()
        .map(|((method, rule, outcome), calls)| json!({ "method": method, "rule": rule, "outcome": outcome, "calls": calls }))
        .collect();
    let mut entries = Vec::new();
    if !by.is_empty() {
        entries.push(("connection.used", json!({ "calls": sent.values().sum::<u32>(), "by": by })));
    }
    if !refused.is_empty() {
        entries.push(("connection.refused", json!({ "calls": refused.values().sum::<u32>(), "reasons": refused })));
    }
    Ok(entries)
}
