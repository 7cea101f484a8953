//! Replacing credentials: each step is a commit of its own, made by whoever has the turn and before the step is taken.

use sallyport_decide::bridge::rotation::{Failure, State, is_told, wait_secs};
use sallyport_model::{ConnectionId, Timestamp, limits};
use serde_json::json;

use super::change::due_after;
use super::read::{ConnectionRow, SealedSecret, read, select};
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// Connections whose credential is to be replaced, or whose replacement was left half done.
pub async fn due_rotations(reader: &mut Reader, now: Timestamp) -> Result<Vec<ConnectionRow>, StoreError> {
    let sql = select!(
        "c.stopped IS NULL AND c.expires > $1 AND c.rotation_due <= $1 AND (c.rotation_try IS NULL OR c.rotation_try <= $1) \
         AND (c.rotation_claim IS NULL OR c.rotation_claim <= $1) ORDER BY c.rotation_due, c.id LIMIT 8"
    );
    reader.fetch_all(sql, values![now]).await?.iter().map(read).collect()
}

/// Takes the turn, and says which it is. [`StoreError::Conflict`] where somebody else took it.
pub struct ClaimRotation {
    pub connection: ConnectionId,
    pub turn: u64,
    pub at: Timestamp,
}

impl Change for ClaimRotation {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("whose turn it is changes nothing; each step that does is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let sql = "UPDATE connections SET rotation_claim = $3, rotation_turn = rotation_turn + 1 WHERE id = $1 AND rotation_turn = $2 \
                   AND stopped IS NULL AND rotation_due <= $4 AND (rotation_claim IS NULL OR rotation_claim <= $4)";
        let until = self.at.plus_secs(limits::ROTATION_CLAIM_SECS);
        tx.execute_versioned(sql, values![self.connection, self.turn, until, self.at]).await?;
        Ok(self.turn + 1)
    }
}

/// Moves on, where it is still this turn.
async fn to(tx: &mut Tx, (connection, turn): (ConnectionId, u64), state: State) -> Result<(), StoreError> {
    let sql = "UPDATE connections SET rotation = $3 WHERE id = $1 AND rotation_turn = $2 AND stopped IS NULL";
    tx.execute_versioned(sql, values![connection, turn, state.as_str()]).await
}

async fn keep_candidate(tx: &mut Tx, connection: ConnectionId, secret: &SealedSecret, at: Timestamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM connection_secrets WHERE connection = $1 AND state = 'candidate'", values![connection]).await?;
    let sql = "INSERT INTO connection_secrets (id, connection, state, sealed, created) VALUES ($1, $2, 'candidate', $3, $4)";
    tx.execute(sql, values![secret.id, connection, secret.sealed, at]).await.map(|_| ())
}

/// Begins: the new credential is kept before anybody hears of it.
pub struct BeginRotation {
    pub connection: ConnectionId,
    pub turn: u64,
    /// Where the server makes it.
    pub candidate: Option<SealedSecret>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for BeginRotation {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        to(tx, (self.connection, self.turn), State::Ready).await?;
        if let Some(candidate) = &self.candidate {
            keep_candidate(tx, self.connection, candidate, self.at).await?;
        }
        tell(tx, self.connection, ("connection.rotation_began", json!({})), (self.at, self.salt)).await
    }
}

/// Writes down that the vendor is told, before it is.
pub struct MarkSent {
    pub connection: ConnectionId,
    pub turn: u64,
}

impl Change for MarkSent {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("that it began is in the log, and how it ends will be");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        to(tx, (self.connection, self.turn), State::Sent).await
    }
}

/// Keeps the credential that the vendor made, before it is used.
pub struct KeepCandidate {
    pub connection: ConnectionId,
    pub turn: u64,
    pub candidate: SealedSecret,
    pub at: Timestamp,
}

impl Change for KeepCandidate {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("that it began is in the log, and how it ends will be");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        to(tx, (self.connection, self.turn), State::Answered).await?;
        keep_candidate(tx, self.connection, &self.candidate, self.at).await
    }
}

/// The new credential has proved itself: it takes the old one's place, and the old one is forgotten.
pub struct FinishRotation {
    pub row: ConnectionRow,
    pub turn: u64,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for FinishRotation {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let due = self.row.shape.rotation.as_ref().map(|hook| due_after(hook, self.at));
        let sql = "UPDATE connections SET rotation = 'idle', rotation_due = $3, rotation_try = NULL, rotation_attempts = 0, rotation_failure = NULL, \
                   rotated = $4, rotation_claim = NULL WHERE id = $1 AND rotation_turn = $2 AND stopped IS NULL";
        let id = self.row.id;
        tx.execute_versioned(sql, values![id, self.turn, due, self.at]).await?;
        tx.execute("DELETE FROM connection_secrets WHERE connection = $1 AND state = 'present'", values![id]).await?;
        let sql = "UPDATE connection_secrets SET state = 'present', created = $2 WHERE connection = $1 AND state = 'candidate'";
        tx.execute_versioned(sql, values![id, self.at]).await?;
        tell(tx, id, ("connection.rotated", json!({})), (self.at, self.salt)).await
    }
}

/// It did not come to its end; it is tried again later, from this state.
pub struct FailRotation {
    pub row: ConnectionRow,
    pub turn: u64,
    pub state: State,
    pub failure: Failure,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for FailRotation {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let attempts = self.row.rotation.attempts.saturating_add(1);
        let sql = "UPDATE connections SET rotation = $3, rotation_try = $4, rotation_attempts = $5, rotation_failure = $6, rotation_claim = NULL \
                   WHERE id = $1 AND rotation_turn = $2 AND stopped IS NULL";
        let next_try = self.at.plus_secs(wait_secs(attempts));
        let args = values![self.row.id, self.turn, self.state.as_str(), next_try, attempts, self.failure.as_str()];
        tx.execute_versioned(sql, args).await?;
        let told = is_told(attempts, self.failure);
        let payload = json!({ "reason": self.failure.as_str(), "attempts": attempts, "next_try": next_try, "told": told });
        tell(tx, self.row.id, ("connection.rotation_failed", payload), (self.at, self.salt)).await
    }
}

async fn tell(
    tx: &mut Tx,
    connection: ConnectionId,
    (kind, mut payload): (&'static str, serde_json::Value),
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<(), StoreError> {
    let row = tx.fetch_one("SELECT tenant, name, owner FROM connections WHERE id = $1", values![connection]).await?;
    let owner: sallyport_model::UserId = row.get("owner")?;
    payload["connection"] = json!(connection);
    payload["name"] = json!(row.text("name")?);
    payload["user"] = json!(owner);
    tx.append(row.get("tenant")?, Entry::new(kind, Actor::System, at, salt, payload)).await?;
    Ok(())
}
