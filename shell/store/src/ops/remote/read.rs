//! Remote sessions as they are listed, joined and dialled.

use sallyport_decide::policy::{Capability as _, OpenRemoteSessions, Rights, WatchRemoteSessions};
use sallyport_grant::body::{Access, RemoteKind};
use sallyport_model::{DeviceId, Digest, GrantId, RemoteSessionId, SessionId, TenantId, Timestamp, UserId, limits};

use crate::ops::jobs::Whose;
use crate::ops::people::device_within;
use crate::{Reader, Row, StoreError, values};

/// A remote session, as it is listed.
#[derive(Debug, Clone)]
pub struct RemoteSessionRow {
    pub id: RemoteSessionId,
    pub device: DeviceId,
    pub device_name: String,
    pub kind: RemoteKind,
    pub run_as: Option<String>,
    pub is_recorded: bool,
    pub opener: UserId,
    pub opener_name: String,
    pub state: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub ended: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub recording_bytes: u64,
    pub recording_sha256: Option<Digest>,
    pub next_piece: u64,
}

fn kind(row: &Row) -> Result<RemoteKind, StoreError> {
    RemoteKind::parse(&row.text("kind")?).ok_or(StoreError::Corrupt("kind"))
}

fn read(row: &Row) -> Result<RemoteSessionRow, StoreError> {
    Ok(RemoteSessionRow {
        id: row.get("id")?,
        device: row.get("device")?,
        device_name: row.text("device_name")?,
        kind: kind(row)?,
        run_as: row.text_opt("run_as")?,
        is_recorded: row.int("is_recorded")? == 1,
        opener: row.get("opener")?,
        opener_name: row.text("opener_name")?,
        state: row.text("state")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
        ended: row.time_opt("ended")?,
        end_reason: row.text_opt("end_reason")?,
        recording_bytes: row.uint("recording_bytes")?,
        recording_sha256: row.get_opt("recording_sha256")?,
        next_piece: row.uint("next_piece")?,
    })
}

/// Which remote sessions are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub device: Option<DeviceId>,
    /// `open` or `ended`.
    pub state: Option<String>,
    /// Only older ones than this.
    pub before: Option<RemoteSessionId>,
}

/// Remote sessions within a reach, the newest first.
pub async fn list(reader: &mut Reader, whose: &Whose, filter: Filter, limit: u32) -> Result<Vec<RemoteSessionRow>, StoreError> {
    let (mut found, mut filter) = (Vec::new(), filter);
    loop {
        let rows = page(reader, whose.tenant, &filter, limit).await?;
        filter.before = rows.last().map(|row| row.id);
        let is_last = rows.len() < limit as usize;
        found.extend(rows.into_iter().filter(|row| whose.devices.has(&row.device)));
        if is_last || found.len() >= limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

async fn page(reader: &mut Reader, tenant: TenantId, filter: &Filter, limit: u32) -> Result<Vec<RemoteSessionRow>, StoreError> {
    let sql = "SELECT r.*, d.name AS device_name FROM remote_sessions r JOIN devices d ON d.id = r.device WHERE r.tenant = $1 \
               AND ($2 IS NULL OR r.device = $2) AND ($3 IS NULL OR r.state = $3) AND ($4 IS NULL OR r.id < $4) ORDER BY r.id DESC LIMIT $5";
    let args = values![tenant, filter.device, filter.state, filter.before, limit];
    reader.fetch_all(sql, args).await?.iter().map(read).collect()
}

/// One remote session; one out of reach is not there.
pub async fn remote_session(reader: &mut Reader, whose: &Whose, id: RemoteSessionId) -> Result<RemoteSessionRow, StoreError> {
    let sql =
        "SELECT r.*, d.name AS device_name FROM remote_sessions r JOIN devices d ON d.id = r.device WHERE r.tenant = $1 AND r.id = $2";
    let row = read(&reader.fetch_one(sql, values![whose.tenant, id]).await?)?;
    if whose.devices.has(&row.device) { Ok(row) } else { Err(StoreError::NotFound) }
}

/// Whoever is or was attached.
#[derive(Debug, Clone)]
pub struct Attached {
    pub grant: GrantId,
    pub person: UserId,
    pub person_name: String,
    pub access: Access,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub end_reason: Option<String>,
}

/// The attachments of a remote session, in the order in which they came.
pub async fn attachments(reader: &mut Reader, session: RemoteSessionId) -> Result<Vec<Attached>, StoreError> {
    let sql = "SELECT * FROM attachments WHERE remote_session = $1 ORDER BY log_index LIMIT 200";
    let read = |row: &Row| {
        Ok(Attached {
            grant: row.get("grant_id")?,
            person: row.get("person")?,
            person_name: row.text("person_name")?,
            access: access(row)?,
            created: row.time("created")?,
            ended: row.time_opt("ended")?,
            end_reason: row.text_opt("end_reason")?,
        })
    };
    reader.fetch_all(sql, values![session]).await?.iter().map(read).collect()
}

fn access(row: &Row) -> Result<Access, StoreError> {
    Access::parse(&row.text("access")?).ok_or(StoreError::Corrupt("access"))
}

/// A remote session that somebody wants to join.
#[derive(Debug, Clone)]
pub struct Joinable {
    pub device: DeviceId,
    pub kind: RemoteKind,
    pub opener: UserId,
    pub is_recorded: bool,
}

/// An open remote session of the tenant.
pub async fn joinable(reader: &mut Reader, tenant: TenantId, id: RemoteSessionId) -> Result<Option<Joinable>, StoreError> {
    let sql = "SELECT device, kind, opener, is_recorded FROM remote_sessions WHERE tenant = $1 AND id = $2 AND state = 'open'";
    let row = reader.fetch_optional(sql, values![tenant, id]).await?;
    let read = |row: Row| {
        let is_recorded = row.int("is_recorded")? == 1;
        Ok(Joinable { device: row.get("device")?, kind: kind(&row)?, opener: row.get("opener")?, is_recorded })
    };
    row.map(read).transpose()
}

/// Whether a device has as many open remote sessions as it may have.
pub async fn device_is_full(reader: &mut Reader, device: DeviceId) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) AS open FROM remote_sessions WHERE device = $1 AND state = 'open'";
    Ok(reader.fetch_one(sql, values![device]).await?.uint("open")? >= limits::REMOTE_SESSIONS_PER_DEVICE as u64)
}

/// An attachment that has not ended, as it is offered to the device and dialled.
#[derive(Debug, Clone)]
pub struct Attachment {
    pub grant: GrantId,
    pub session: RemoteSessionId,
    pub tenant: TenantId,
    pub device: DeviceId,
    pub person: UserId,
    /// Who opened the session: others need the right to watch.
    pub opener: UserId,
    pub user_session: SessionId,
    pub envelope: String,
    pub log_index: u64,
    pub idle_secs: i64,
    pub expires: Timestamp,
    pub device_name: String,
    pub device_key: [u8; 32],
    pub thumbprint: Digest,
}

/// Whether somebody with these rights may be attached to a session of a device that `opener` opened.
pub async fn may_attach(reader: &mut Reader, rights: &Rights, attached: Attaching) -> Result<bool, StoreError> {
    let row = if attached.person == attached.opener { &OpenRemoteSessions::ROW } else { &WatchRemoteSessions::ROW };
    match rights.reach(row) {
        Some(reach) => device_within(reader, attached.tenant, &reach, attached.device).await,
        None => Ok(false),
    }
}

/// Who is attached to what.
#[derive(Debug, Clone, Copy)]
pub struct Attaching {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub person: UserId,
    pub opener: UserId,
}

impl Attachment {
    /// Who is attached to what.
    pub fn attaching(&self) -> Attaching {
        Attaching { tenant: self.tenant, device: self.device, person: self.person, opener: self.opener }
    }
}

/// An attachment of an open remote session.
pub async fn attachment(reader: &mut Reader, tenant: TenantId, grant: GrantId) -> Result<Option<Attachment>, StoreError> {
    let sql = "SELECT a.*, r.opener, r.idle_secs, r.expires, d.name AS device_name, d.device_key, d.thumbprint FROM attachments a \
               JOIN remote_sessions r ON r.id = a.remote_session JOIN devices d ON d.id = a.device WHERE a.tenant = $1 AND a.grant_id = $2 AND a.ended IS NULL AND r.state = 'open'";
    let row = reader.fetch_optional(sql, values![tenant, grant]).await?;
    let read = |row: Row| {
        Ok(Attachment {
            grant,
            session: row.get("remote_session")?,
            tenant,
            device: row.get("device")?,
            person: row.get("person")?,
            opener: row.get("opener")?,
            user_session: row.get("user_session")?,
            envelope: row.text("envelope")?,
            log_index: row.uint("log_index")?,
            idle_secs: row.int("idle_secs")?,
            expires: row.time("expires")?,
            device_name: row.text("device_name")?,
            device_key: row.get("device_key")?,
            thumbprint: row.digest("thumbprint")?,
        })
    };
    row.map(read).transpose()
}

/// Remote sessions of a device that are over, and of which it has not said so: told again after each reconnect.
pub async fn ended_of_device(reader: &mut Reader, device: DeviceId, now: Timestamp) -> Result<Vec<RemoteSessionId>, StoreError> {
    let sql = "SELECT r.id FROM remote_sessions r WHERE r.device = $1 AND r.state = 'ended' AND r.expires > $2 AND EXISTS \
               (SELECT 1 FROM attachments a WHERE a.remote_session = r.id AND a.receipt IS NULL) LIMIT 100";
    reader.fetch_all(sql, values![device, now]).await?.iter().map(|row| row.get("id")).collect()
}

/// Whether any remote session is open: asked once at the start, so that an idle server does not look again and again.
pub async fn any_open(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.fetch_optional("SELECT 1 AS open FROM remote_sessions WHERE state = 'open' LIMIT 1", values![]).await?.is_some())
}

/// Whether a grant is an attachment's, open or not.
pub async fn is_attachment(reader: &mut Reader, tenant: TenantId, grant: GrantId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS known FROM attachments WHERE tenant = $1 AND grant_id = $2";
    Ok(reader.fetch_optional(sql, values![tenant, grant]).await?.is_some())
}

/// Whose a remote session is.
pub async fn tenant_of(reader: &mut Reader, id: RemoteSessionId) -> Result<Option<TenantId>, StoreError> {
    let row = reader.fetch_optional("SELECT tenant FROM remote_sessions WHERE id = $1", values![id]).await?;
    row.map(|row| row.get("tenant")).transpose()
}
