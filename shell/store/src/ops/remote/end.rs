//! How remote sessions and attachments end: by a person, by the device, by a right that is gone, by a limit.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::net::IpAddr;

use sallyport_model::{DeviceId, Digest, GrantId, RemoteSessionId, TenantId, Timestamp, UserId};
use serde_json::json;

use super::read::{Attaching, may_attach};
use crate::ops::networks::rules;
use crate::ops::people::rights_of;
use crate::{Actor, Change, Entry, Reader, StoreError, Tx, values};

/// Why something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody ended it.
    Ended,
    /// The device said so, by its receipts.
    Device,
    /// A session, role, user or device that it stood on is gone.
    Revoked,
    /// It reached its longest life.
    Limit,
    /// It could not be handed to the device.
    Undelivered,
}

impl EndReason {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Device => "device",
            Self::Revoked => "revoked",
            Self::Limit => "limit",
            Self::Undelivered => "undelivered",
        }
    }
}

/// A remote session that is over, and the attachments that ended with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub session: RemoteSessionId,
    pub device: DeviceId,
    pub grants: Vec<GrantId>,
}

/// Ends an open remote session with all of its attachments; [`StoreError::NotFound`] where there is none that is open.
pub struct EndRemoteSession {
    pub tenant: TenantId,
    pub session: RemoteSessionId,
    pub by: Option<UserId>,
    pub reason: EndReason,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndRemoteSession {
    type Out = Ended;

    async fn apply(&self, tx: &mut Tx) -> Result<Ended, StoreError> {
        let actor = self.by.map_or(Actor::System, Actor::User);
        let end = End { tenant: self.tenant, session: self.session, actor, reason: self.reason, at: self.at, salt: self.salt };
        end.session(tx).await
    }
}

struct End {
    tenant: TenantId,
    session: RemoteSessionId,
    actor: Actor,
    reason: EndReason,
    at: Timestamp,
    salt: [u8; 32],
}

impl End {
    async fn session(&self, tx: &mut Tx) -> Result<Ended, StoreError> {
        let sql = "UPDATE remote_sessions SET state = 'ended', ended = $3, end_reason = $4 WHERE tenant = $1 AND id = $2 AND state = 'open' \
                   RETURNING device, kind";
        let row = tx.fetch_one(sql, values![self.tenant, self.session, self.at, self.reason.as_str()]).await?;
        let sql = "UPDATE attachments SET ended = $2, end_reason = $3 WHERE remote_session = $1 AND ended IS NULL RETURNING grant_id";
        let rows = tx.fetch_all(sql, values![self.session, self.at, self.reason.as_str()]).await?;
        let grants = rows.iter().map(|row| row.get("grant_id")).collect::<Result<_, _>>()?;
        let device: DeviceId = row.get("device")?;
        let payload =
            json!({ "remote_session": self.session, "device": device, "session_kind": row.text("kind")?, "reason": self.reason.as_str() });
        tx.append(self.tenant, Entry::new("remote_session.ended", self.actor, self.at, self.salt, payload)).await?;
        Ok(Ended { session: self.session, device, grants })
    }
}

/// What the end of one attachment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapsed {
    pub session: RemoteSessionId,
    pub device: DeviceId,
    /// It was the last one, or the one that opened the session: that is over too.
    pub over: Option<Ended>,
}

/// Ends one attachment whose right is gone. With the one that opened it, the remote session ends for all.
pub struct EndAttachment {
    pub tenant: TenantId,
    pub grant: GrantId,
    pub reason: EndReason,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndAttachment {
    type Out = Lapsed;

    async fn apply(&self, tx: &mut Tx) -> Result<Lapsed, StoreError> {
        let sql = "UPDATE attachments SET ended = $3, end_reason = $4 WHERE tenant = $1 AND grant_id = $2 AND ended IS NULL \
                   RETURNING remote_session, device, person";
        let row = tx.fetch_one(sql, values![self.tenant, self.grant, self.at, self.reason.as_str()]).await?;
        let (session, device, person): (_, _, UserId) = (row.get("remote_session")?, row.get("device")?, row.get("person")?);
        let payload =
            json!({ "remote_session": session, "grant": self.grant, "device": device, "user": person, "reason": self.reason.as_str() });
        tx.append(self.tenant, Entry::new("remote_session.left", Actor::System, self.at, self.salt, payload)).await?;
        let end = End { tenant: self.tenant, session, actor: Actor::System, reason: self.reason, at: self.at, salt: self.salt };
        let over = if goes_on(tx, session, self.grant).await? { None } else { Some(end.session(tx).await?) };
        Ok(Lapsed { session, device, over })
    }
}

/// Whether others are attached, and the one that is gone did not open it.
async fn goes_on(tx: &mut Tx, session: RemoteSessionId, gone: GrantId) -> Result<bool, StoreError> {
    let sql = "SELECT grant_id FROM attachments WHERE remote_session = $1 ORDER BY log_index LIMIT 1";
    let first: GrantId = tx.fetch_one(sql, values![session]).await?.get("grant_id")?;
    Ok(first != gone && is_attended(tx, session).await?)
}

async fn is_attended(tx: &mut Tx, session: RemoteSessionId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS attended FROM attachments WHERE remote_session = $1 AND ended IS NULL LIMIT 1";
    Ok(tx.fetch_optional(sql, values![session]).await?.is_some())
}

/// A device's signed receipt about an attachment, as the server verified it; [`StoreError::NotFound`] where it has none.
pub struct KeepReceipt {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub grant: GrantId,
    pub outcome: &'static str,
    pub reason: Option<String>,
    pub recording_sha256: Digest,
    pub receipt: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for KeepReceipt {
    type Out = Lapsed;

    async fn apply(&self, tx: &mut Tx) -> Result<Lapsed, StoreError> {
        let sql = "SELECT remote_session, receipt FROM attachments WHERE tenant = $1 AND grant_id = $2 AND device = $3";
        let row = tx.fetch_one(sql, values![self.tenant, self.grant, self.device]).await?;
        let session: RemoteSessionId = row.get("remote_session")?;
        if row.text_opt("receipt")?.is_some() {
            return Ok(Lapsed { session, device: self.device, over: None });
        }
        let why = self.reason.as_deref().unwrap_or(self.outcome);
        let sql =
            "UPDATE attachments SET receipt = $2, ended = COALESCE(ended, $3), end_reason = COALESCE(end_reason, $4) WHERE grant_id = $1";
        tx.execute(sql, values![self.grant, self.receipt, self.at, why]).await?;
        let payload = json!({ "remote_session": session, "grant": self.grant, "device": self.device, "outcome": self.outcome,
            "reason": why, "recording_sha256": self.recording_sha256 });
        tx.append(self.tenant, Entry::new("remote_session.receipt", Actor::Device(self.device), self.at, self.salt, payload)).await?;
        let open = "SELECT 1 AS open FROM remote_sessions WHERE id = $1 AND state = 'open'";
        if tx.fetch_optional(open, values![session]).await?.is_none() || is_attended(tx, session).await? {
            return Ok(Lapsed { session, device: self.device, over: None });
        }
        let actor = Actor::Device(self.device);
        let end = End { tenant: self.tenant, session, actor, reason: EndReason::Device, at: self.at, salt: self.salt };
        Ok(Lapsed { session, device: self.device, over: Some(end.session(tx).await?) })
    }
}

/// Attachments that nothing stands behind any more: the user's session, right or account, or the device, is gone; the session waits for a
/// factor since its address left the allowed ranges, or the rules of this moment do not allow the address from which it is used (NET-05).
pub async fn revoked(
    reader: &mut Reader,
    now: Timestamp,
    used_from: &HashMap<GrantId, IpAddr>,
) -> Result<Vec<(TenantId, GrantId)>, StoreError> {
    let sql = "SELECT a.tenant, a.grant_id, a.person, a.device, r.opener, (SELECT CAST(1 AS BIGINT) FROM users u JOIN sessions s ON s.user_id = u.id \
               JOIN tenants t ON t.id = u.tenant JOIN devices d ON d.id = a.device \
               WHERE u.id = a.person AND u.state = 'active' AND (u.expires IS NULL OR u.expires > $1) \
               AND s.id = a.user_session AND s.ended_at IS NULL AND s.challenged_at IS NULL AND s.created + t.session_lifetime_secs * 1000000 > $1 \
               AND s.last_active + t.session_idle_secs * 1000000 > $1 AND d.state = 'approved') AS stands \
               FROM attachments a JOIN remote_sessions r ON r.id = a.remote_session WHERE a.ended IS NULL";
    let rows = reader.fetch_all(sql, values![now]).await?;
    let (mut rights, mut networks, mut gone) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for row in &rows {
        let attaching =
            Attaching { tenant: row.get("tenant")?, device: row.get("device")?, person: row.get("person")?, opener: row.get("opener")? };
        if let btree_map::Entry::Vacant(place) = rights.entry(attaching.person) {
            place.insert(rights_of(reader, attaching.person).await?);
        }
        if let btree_map::Entry::Vacant(place) = networks.entry(attaching.tenant) {
            place.insert(rules(reader, attaching.tenant).await?.rules);
        }
        let grant = row.get("grant_id")?;
        let is_outside = used_from.get(&grant).is_some_and(|from| !networks[&attaching.tenant].allows_remote(*from));
        if is_outside || row.int_opt("stands")?.is_none() || !may_attach(reader, &rights[&attaching.person], attaching).await? {
            gone.push((attaching.tenant, grant));
        }
    }
    Ok(gone)
}

/// Open remote sessions that reached their longest life.
pub async fn end_overdue(reader: &mut Reader, now: Timestamp) -> Result<Vec<(TenantId, RemoteSessionId)>, StoreError> {
    let sql = "SELECT tenant, id FROM remote_sessions WHERE state = 'open' AND expires <= $1";
    let rows = reader.fetch_all(sql, values![now]).await?;
    rows.iter().map(|row| Ok((row.get("tenant")?, row.get("id")?))).collect()
}
