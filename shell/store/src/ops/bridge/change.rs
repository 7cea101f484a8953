//! What people do to connections: make and change them by proof, stop them and have their credential replaced by a click.

use sallyport_decide::bridge::rotation::State;
use sallyport_decide::bridge::{ChangeConnection, Hook};
use sallyport_decide::policy::{self, ManageConnections, Permit};
use sallyport_grant::sha256;
use sallyport_model::{ConnectionId, RequestId, Timestamp, limits};
use serde_json::json;

use super::read::{ConnectionRow, SealedSecret, connection, living};
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// Keeps a sealed credential with the request that it came with.
pub(crate) async fn keep_asked(
    tx: &mut Tx,
    (connection, request): (ConnectionId, RequestId),
    secret: &SealedSecret,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO connection_secrets (id, connection, state, request, sealed, created) VALUES ($1, $2, 'asked', $3, $4, $5)";
    tx.execute(sql, values![secret.id, connection, request, secret.sealed, at]).await.map(|_| ())
}

/// Makes a connection, with the credential that came with the request.
pub(crate) async fn create(
    tx: &mut Tx,
    (asker, request): (&policy::Actor, RequestId),
    new: &ChangeConnection,
    at: Timestamp,
) -> Result<(), StoreError> {
    new.after.check(at).map_err(|_| StoreError::Conflict)?;
    if living(tx, asker.tenant).await? >= limits::CONNECTIONS {
        return Err(StoreError::Conflict);
    }
    let sql = "INSERT INTO connections (id, tenant, owner, name, shape, created, expires, rotation, rotation_due, rotation_attempts, \
               rotation_turn, version) VALUES ($1, $2, $3, $4, $5, $6, $7, 'idle', $8, 0, 1, 1)";
    let due = new.after.rotation.as_ref().map(|hook| due_after(hook, at));
    let shape = text(new)?;
    tx.execute(sql, values![new.connection, asker.tenant, asker.user, new.after.name, shape, at, new.after.expires, due]).await?;
    take_asked(tx, request, new, at).await
}

/// Gives a connection other terms; [`StoreError::Conflict`] where it has other ones than were shown, was stopped, or would send a credential
/// elsewhere than where it was entrusted for.
pub(crate) async fn change(
    tx: &mut Tx,
    (asker, request): (&policy::Actor, RequestId),
    wanted: &ChangeConnection,
    at: Timestamp,
) -> Result<(), StoreError> {
    let row = connection(tx, asker.tenant, wanted.connection).await?;
    wanted.after.check(at).map_err(|_| StoreError::Conflict)?;
    let same = wanted.before.as_ref() == Some(&row.shape) && row.stopped.is_none();
    let entrusted = wanted.secret.is_some()
        || row.secret_since.is_some() && row.rotation.state == State::Idle && !wanted.after.wants_new_secret(&row.shape);
    if !same || !entrusted {
        return Err(StoreError::Conflict);
    }
    let sql = "UPDATE connections SET owner = $3, name = $4, shape = $5, expires = $6, rotation = 'idle', rotation_due = $7, rotation_try = NULL, \
               rotation_attempts = 0, rotation_failure = NULL, rotation_claim = NULL, rotation_turn = rotation_turn + 1, version = version + 1 \
               WHERE id = $1 AND version = $2";
    let (shape, due) = (text(wanted)?, next_due(&row, wanted, at));
    let args = values![row.id, row.version, asker.user, wanted.after.name, shape, wanted.after.expires, due];
    tx.execute_versioned(sql, args).await?;
    if wanted.secret.is_some() { take_asked(tx, request, wanted, at).await } else { Ok(()) }
}

fn next_due(row: &ConnectionRow, wanted: &ChangeConnection, at: Timestamp) -> Option<Timestamp> {
    let hook = wanted.after.rotation.as_ref()?;
    let stays = wanted.secret.is_none() && row.shape.rotation.as_ref().is_some_and(|before| before.every_days == hook.every_days);
    row.rotation.due.filter(|_| stays).or_else(|| Some(due_after(hook, at)))
}

pub(super) fn due_after(hook: &Hook, at: Timestamp) -> Timestamp {
    at.plus_secs(i64::from(hook.every_days) * 86_400)
}

fn text(change: &ChangeConnection) -> Result<String, StoreError> {
    serde_json::to_string(&change.after).map_err(|_| StoreError::Corrupt("shape"))
}

/// The credential of a request takes the place of all others, if it is the one that was frozen.
async fn take_asked(tx: &mut Tx, request: RequestId, change: &ChangeConnection, at: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT id, sealed FROM connection_secrets WHERE connection = $1 AND request = $2 AND state = 'asked'";
    let row = tx.fetch_optional(sql, values![change.connection, request]).await?.ok_or(StoreError::Conflict)?;
    if Some(sha256(&[&row.bytes("sealed")?])) != change.secret {
        return Err(StoreError::Conflict);
    }
    let id: [u8; 16] = row.get("id")?;
    let sql = "DELETE FROM connection_secrets WHERE connection = $1 AND state <> 'asked'";
    tx.execute(sql, values![change.connection]).await?;
    let sql = "UPDATE connection_secrets SET state = 'present', request = NULL, created = $2 WHERE id = $1";
    tx.execute_versioned(sql, values![id, at]).await
}

/// Stops a connection for good, and forgets its credentials. [`StoreError::NotFound`] where it was stopped already.
pub struct StopConnection {
    pub permit: Permit<ManageConnections>,
    pub connection: ConnectionId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for StopConnection {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let sql = "UPDATE connections SET stopped = $3, stopped_by = $4, rotation = 'idle', rotation_due = NULL, rotation_claim = NULL, \
                   rotation_turn = rotation_turn + 1, version = version + 1 WHERE tenant = $1 AND id = $2 AND stopped IS NULL RETURNING name";
        let row = tx.fetch_one(sql, values![actor.tenant, self.connection, self.at, actor.name]).await?;
        tx.execute("DELETE FROM connection_secrets WHERE connection = $1", values![self.connection]).await?;
        let payload = json!({ "connection": self.connection, "name": row.text("name")? });
        tx.append(actor.tenant, Entry::new("connection.stopped", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Has a credential replaced now. [`StoreError::Conflict`] where there is nothing that replaces it.
pub struct RotateNow {
    pub permit: Permit<ManageConnections>,
    pub connection: ConnectionId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RotateNow {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let row = connection(tx, actor.tenant, self.connection).await?;
        let sql = "UPDATE connections SET rotation_due = $2, rotation_try = NULL \
                   WHERE id = $1 AND stopped IS NULL AND rotation_due IS NOT NULL AND expires > $2";
        tx.execute_versioned(sql, values![row.id, self.at]).await?;
        let payload = json!({ "connection": row.id, "name": row.shape.name });
        tx.append(actor.tenant, Entry::new("connection.rotation_asked", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Whether there are credentials whose request is over, or whose connection has ended.
pub async fn forgettable(reader: &mut Reader, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM connection_secrets s WHERE \
               (s.state = 'asked' AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = s.request AND r.state = 'open')) \
               OR (s.state <> 'asked' AND EXISTS (SELECT 1 FROM connections c WHERE c.id = s.connection AND c.expires <= $1)) LIMIT 1";
    Ok(reader.fetch_optional(sql, values![now]).await?.is_some())
}

/// Forgets them.
pub struct ForgetConnectionSecrets {
    pub at: Timestamp,
}

impl Change for ForgetConnectionSecrets {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("the end of the request or of the connection is what ends its credential");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let sql = "DELETE FROM connection_secrets WHERE \
                   (state = 'asked' AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = connection_secrets.request AND r.state = 'open')) \
                   OR (state <> 'asked' AND EXISTS (SELECT 1 FROM connections c WHERE c.id = connection_secrets.connection AND c.expires <= $1))";
        tx.execute(sql, values![self.at]).await
    }
}
