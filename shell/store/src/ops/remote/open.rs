//! What opening or joining writes, within the transaction that executes the action.

use sallyport_decide::actions::{Action, Method, OpenRemoteSession, Released};
use sallyport_grant::Envelope;
use sallyport_grant::body::{Body, Entry as Way, GrantBody, OpenRemoteSession as GrantOpen, Record};
use sallyport_grant::log::grant_leaf_data;
use sallyport_model::{Digest, SessionId, Timestamp, limits};
use serde_json::json;

use super::policy;
use crate::ops::accounts::open_step_up;
use crate::{Actor, Entry, StoreError, Tx, values};

/// A signed grant of one attachment.
pub struct NewAttachment {
    pub envelope: Envelope,
    /// Where a code released it in the asker's own session: that session's step-up window begins anew.
    pub window: Option<NewWindow>,
}

/// The token under which a session goes on after an elevation, as stored.
#[derive(Debug, Clone, Copy)]
pub struct NewWindow {
    pub session: SessionId,
    pub token: Digest,
}

/// Writes the session, where it is new, and the attachment; returns the grant's place in the log.
pub(in crate::ops) async fn open(tx: &mut Tx, released: &Released, new: &NewAttachment) -> Result<u64, StoreError> {
    let frozen = released.frozen();
    let Action::OpenRemoteSession(action) = &frozen.action else { return Err(StoreError::Corrupt("action")) };
    let body = GrantBody::parse(new.envelope.payload()).map_err(|_| StoreError::Corrupt("envelope"))?;
    let granted = body.action.remote_session().ok_or(StoreError::Corrupt("envelope"))?;
    if granted.session != action.session || body.id != action.grant {
        return Err(StoreError::Corrupt("envelope"));
    }
    policy::still_holds(tx, frozen.asker.tenant, action.policy).await?;
    use_window(tx, released, action, new.window).await?;
    match granted.joins {
        Way::Opens => insert_session(tx, released, action, granted).await?,
        Way::Joins => still_joinable(tx, released, action).await?,
    }
    let log_index = append(tx, released, action, new, &body).await?;
    insert_attachment(tx, released, action, new, log_index).await?;
    Ok(log_index)
}

/// A window is bound to the kind that used it first. A code opens it anew, for this kind.
async fn use_window(tx: &mut Tx, released: &Released, action: &OpenRemoteSession, new: Option<NewWindow>) -> Result<(), StoreError> {
    let asker = &released.frozen().asker;
    let by_window = released.proofs().iter().any(|proof| proof.user == asker.user && proof.method == Method::StepUp);
    if let Some(window) = new {
        open_step_up(tx, window.session, window.token, released.at()).await?;
    }
    let session = match (by_window, new) {
        (_, Some(window)) => window.session,
        (true, None) => asker.session,
        (false, None) => return Ok(()),
    };
    // Two kinds that use one window at the same moment meet here: the second one conflicts.
    let sql = "UPDATE sessions SET step_up_kind = $2 WHERE id = $1 AND ended_at IS NULL AND (step_up_kind IS NULL OR step_up_kind = $2)";
    tx.execute_versioned(sql, values![session, action.kind.as_str()]).await
}

async fn insert_session(tx: &mut Tx, released: &Released, action: &OpenRemoteSession, open: &GrantOpen) -> Result<(), StoreError> {
    let sql = "SELECT COUNT(*) AS open FROM remote_sessions WHERE device = $1 AND state = 'open'";
    if tx.fetch_one(sql, values![action.target.device]).await?.uint("open")? >= limits::REMOTE_SESSIONS_PER_DEVICE as u64 {
        return Err(StoreError::Conflict);
    }
    let (asker, at): (_, Timestamp) = (&released.frozen().asker, released.at());
    let sql = "INSERT INTO remote_sessions (id, tenant, device, kind, run_as, is_recorded, opener, opener_name, state, idle_secs, created, expires, \
               next_piece, recording_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11, 0, 0)";
    let args = values![
        action.session,
        asker.tenant,
        action.target.device,
        action.kind.as_str(),
        open.run_as.as_ref().map(ToString::to_string),
        i64::from(open.record == Record::Session),
        asker.user,
        asker.name,
        i64::from(open.idle_secs),
        at,
        at.plus_secs(i64::from(open.max_secs)),
    ];
    tx.execute(sql, args).await.map(|_| ())
}

async fn still_joinable(tx: &mut Tx, released: &Released, action: &OpenRemoteSession) -> Result<(), StoreError> {
    let sql = "UPDATE remote_sessions SET state = state WHERE tenant = $1 AND id = $2 AND device = $3 AND kind = $4 AND state = 'open'";
    let args = values![released.frozen().asker.tenant, action.session, action.target.device, action.kind.as_str()];
    tx.execute_versioned(sql, args).await?;
    let sql = "SELECT COUNT(*) AS open FROM attachments WHERE remote_session = $1 AND ended IS NULL";
    let open = tx.fetch_one(sql, values![action.session]).await?.uint("open")?;
    if open < limits::ATTACHMENTS_PER_SESSION as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

async fn append(
    tx: &mut Tx,
    released: &Released,
    action: &OpenRemoteSession,
    new: &NewAttachment,
    body: &GrantBody,
) -> Result<u64, StoreError> {
    let frozen = released.frozen();
    let kind = match action.joins {
        Way::Opens => "remote_session.opened",
        Way::Joins => "remote_session.joined",
    };
    let payload = json!({ "remote_session": action.session, "grant": action.grant, "device": action.target.device, "name": action.target.name,
        "session_kind": action.kind.as_str(), "access": action.access.as_str(), "class": u8::from(frozen.class), "request": frozen.id,
        "digest": new.envelope.digest(), "proofs": released.proofs() });
    let entry = Entry::grant(kind, Actor::of(&frozen.asker), released.at(), grant_leaf_data(&new.envelope, body), payload);
    tx.append(frozen.asker.tenant, entry).await
}

async fn insert_attachment(
    tx: &mut Tx,
    released: &Released,
    action: &OpenRemoteSession,
    new: &NewAttachment,
    log_index: u64,
) -> Result<(), StoreError> {
    let asker = &released.frozen().asker;
    let envelope = String::from_utf8(new.envelope.to_bytes()).map_err(|_| StoreError::Corrupt("envelope"))?;
    let sql = "INSERT INTO attachments (grant_id, tenant, remote_session, device, person, person_name, user_session, access, envelope, \
               log_index, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let args = values![
        action.grant,
        asker.tenant,
        action.session,
        action.target.device,
        asker.user,
        asker.name,
        asker.session,
        action.access.as_str(),
        envelope,
        log_index,
        released.at(),
    ];
    tx.execute(sql, args).await.map(|_| ())
}
