//! Sessions: found by their token's hash at each request, so that whatever ends one holds at the next.

use sallyport_decide::accounts::session::Session;
use sallyport_decide::accounts::sign_in::UserState;
use sallyport_decide::policy::{Rights, Stage};
use sallyport_model::{Digest, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::super::people::rights_of;
use super::{NewSession, read_session, stage_word};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A session that nobody ended, with its user; whether its timers run is for `decide` to say.
#[derive(Clone)]
pub struct LiveSession {
    pub session: Session,
    pub tenant: TenantId,
    pub tenant_name: String,
    /// Length of the tenant's step-up window.
    pub step_up_secs: i64,
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub rights: Rights,
    pub address: String,
    pub user_agent: String,
    /// The key that the browser keeps in hardware for it, if it does.
    pub device: Option<DeviceBinding>,
    /// Which of the session's tokens found it.
    pub shown: ShownToken,
    /// What the program calls itself whose session it is; none for browsers.
    pub program: Option<String>,
}

/// A session's key in the browser's hardware.
#[derive(Debug, Clone)]
pub struct DeviceBinding {
    pub key: Vec<u8>,
    /// Since when it is bound.
    pub at: Timestamp,
}

/// A token that was shown for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownToken {
    /// The one that it has.
    Present,
    /// The one before, which requests under way still have for some seconds.
    Former,
}

const LIVE: &str = "SELECT s.id, s.jkt, s.stage, s.created, s.last_active, s.auth_time, s.method, s.step_up_at, s.step_up_kind, s.address, \
    s.user_agent, s.program, s.token, b.public_key AS device_key, b.bound_at AS device_bound_at, u.id AS user_id, u.tenant, u.email, u.name, u.expires AS account_ends, t.name AS tenant_name, t.step_up_secs, \
    t.session_idle_secs, t.session_lifetime_secs FROM sessions s JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = u.tenant \
    LEFT JOIN device_bindings b ON b.session = s.id WHERE s.ended_at IS NULL AND u.state = $2 AND (s.token = $1 OR (s.former_token = $1 AND s.former_until > $3))";

const LIVE_BY_ID: &str = "SELECT s.id, s.jkt, s.stage, s.created, s.last_active, s.auth_time, s.method, s.step_up_at, s.step_up_kind, s.address, \
    s.user_agent, s.program, s.token, b.public_key AS device_key, b.bound_at AS device_bound_at, u.id AS user_id, u.tenant, u.email, u.name, u.expires AS account_ends, t.name AS tenant_name, t.step_up_secs, \
    t.session_idle_secs, t.session_lifetime_secs FROM sessions s JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = u.tenant \
    LEFT JOIN device_bindings b ON b.session = s.id WHERE s.ended_at IS NULL AND u.state = $2 AND s.id = $1";

/// Finds a session by the hash of its token.
pub async fn live_session(reader: &mut Reader, token: Digest, now: Timestamp) -> Result<Option<LiveSession>, StoreError> {
    let row = reader.fetch_optional(LIVE, values![token, UserState::Active.as_str(), now]).await?;
    let live = with_rights(reader, row.as_ref()).await?;
    let is_present = row.is_some_and(|row| row.bytes("token").is_ok_and(|present| present == token.as_bytes()));
    Ok(live.map(|live| LiveSession { shown: if is_present { ShownToken::Present } else { ShownToken::Former }, ..live }))
}

/// Finds a session by its id, for streams that are open already.
pub async fn live_session_by_id(reader: &mut Reader, session: SessionId) -> Result<Option<LiveSession>, StoreError> {
    let row = reader.fetch_optional(LIVE_BY_ID, values![session, UserState::Active.as_str()]).await?;
    with_rights(reader, row.as_ref()).await
}

/// Rights are read at each request, so that a change holds at the next.
async fn with_rights(reader: &mut Reader, row: Option<&Row>) -> Result<Option<LiveSession>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let rights = rights_of(reader, row.id("user_id")?).await?;
    read_live(row, rights).map(Some)
}

fn read_live(row: &Row, rights: Rights) -> Result<LiveSession, StoreError> {
    Ok(LiveSession {
        session: read_session(row)?,
        tenant: row.id("tenant")?,
        tenant_name: row.text("tenant_name")?,
        step_up_secs: row.int("step_up_secs")?,
        user: row.id("user_id")?,
        email: row.text("email")?,
        name: row.text("name")?,
        rights,
        address: row.text("address")?,
        user_agent: row.text("user_agent")?,
        device: read_binding(row)?,
        shown: ShownToken::Present,
        program: row.text_opt("program")?,
    })
}

fn read_binding(row: &Row) -> Result<Option<DeviceBinding>, StoreError> {
    let Some(key) = row.bytes_opt("device_key")? else { return Ok(None) };
    Ok(Some(DeviceBinding { key, at: row.time("device_bound_at")? }))
}

/// One of a user's sessions, as they see it.
pub struct SessionRow {
    pub session: Session,
    pub address: String,
    pub user_agent: String,
    /// Whether the browser keeps it to this device.
    pub device: DeviceBound,
    /// What the program calls itself whose session it is; none for browsers.
    pub program: Option<String>,
}

/// Whether a session is bound to a key in the browser's hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceBound {
    Yes,
    No,
}

impl DeviceBound {
    /// By the key that is stored for it.
    pub fn of<K>(key: Option<&K>) -> Self {
        if key.is_some() { Self::Yes } else { Self::No }
    }
}

/// A user's sessions that nobody ended, newest activity first; whether the timers of each run is for `decide` to say.
pub async fn sessions(reader: &mut Reader, user: UserId) -> Result<Vec<SessionRow>, StoreError> {
    let sql = "SELECT s.id, s.jkt, s.stage, s.created, s.last_active, s.auth_time, s.method, s.step_up_at, s.step_up_kind, s.address, \
               s.user_agent, s.program, (SELECT b.public_key FROM device_bindings b WHERE b.session = s.id) AS device_key, u.expires AS account_ends, t.session_idle_secs, t.session_lifetime_secs FROM sessions s \
               JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = u.tenant WHERE s.user_id = $1 AND s.ended_at IS NULL \
               ORDER BY s.last_active DESC, s.id LIMIT 200";
    let rows = reader.fetch_all(sql, values![user]).await?;
    let read = |row: &Row| {
        let device = DeviceBound::of(row.bytes_opt("device_key")?.as_ref());
        let (address, user_agent) = (row.text("address")?, row.text("user_agent")?);
        Ok(SessionRow { session: read_session(row)?, address, user_agent, device, program: row.text_opt("program")? })
    };
    rows.iter().map(read).collect()
}

/// Ends the session that the same browser had before: only its own, for the key must be the same.
pub(super) async fn end_replaced(tx: &mut Tx, new: &NewSession) -> Result<Option<SessionId>, StoreError> {
    let Some(token) = new.replaces else { return Ok(None) };
    let sql = "UPDATE sessions SET ended_at = $3 WHERE token = $1 AND jkt = $2 AND ended_at IS NULL RETURNING id";
    let row = tx.fetch_optional(sql, values![token, new.key, new.at]).await?;
    row.map(|row| row.id("id")).transpose()
}

/// Makes room for one more session: beyond the limit the one that was idle longest ends.
pub(super) async fn make_room(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<(), StoreError> {
    let kept = i64::try_from(limits::SESSIONS_PER_USER - 1).unwrap_or(i64::MAX);
    let sql = "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN \
               (SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL ORDER BY last_active DESC, id LIMIT $3)";
    tx.execute(sql, values![user, at, kept]).await.map(|_| ())
}

/// Writes down that a session's person did something.
pub struct TouchSession {
    pub session: SessionId,
    pub at: Timestamp,
}

impl Change for TouchSession {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence: the time of the last activity");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET last_active = $2 WHERE id = $1 AND last_active < $2 AND ended_at IS NULL";
        tx.execute(sql, values![self.session, self.at]).await.map(|_| ())
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its person signed out in it.
    SignedOut,
    /// Its person ended it from another one.
    Revoked,
}

impl EndReason {
    fn as_str(self) -> &'static str {
        match self {
            EndReason::SignedOut => "signed_out",
            EndReason::Revoked => "revoked",
        }
    }
}

/// Ends one of the user's own sessions; [`StoreError::NotFound`] where it is not theirs or has ended.
pub struct EndSession {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub reason: EndReason,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndSession {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL";
        if tx.execute(sql, values![self.session, self.user, self.at]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let payload = json!({ "sessions": [self.session], "reason": self.reason.as_str() });
        tx.append(self.tenant, Entry::new("session.ended", Actor::User(self.user), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Ends all of the user's sessions but one; tells which ended.
pub struct EndOtherSessions {
    pub tenant: TenantId,
    pub user: UserId,
    pub kept: SessionId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndOtherSessions {
    type Out = Vec<SessionId>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<SessionId>, StoreError> {
        let ended = end_others(tx, self.user, self.kept, self.at).await?;
        let payload = json!({ "sessions": ended, "reason": EndReason::Revoked.as_str() });
        tx.append(self.tenant, Entry::new("session.ended", Actor::User(self.user), self.at, self.salt, payload)).await?;
        Ok(ended)
    }
}

/// Ends all of a person's sessions but one; yields those that ended.
pub(super) async fn end_others(tx: &mut Tx, user: UserId, kept: SessionId, at: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let sql = "UPDATE sessions SET ended_at = $3 WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL RETURNING id";
    tx.fetch_all(sql, values![user, kept, at]).await?.iter().map(|row| row.id("id")).collect()
}

/// The owner keeps their recovery codes: the session becomes a full one under another token, and the old token is dead.
pub struct ConfirmRecoveryCodes {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub token: Digest,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ConfirmRecoveryCodes {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET stage = $3, token = $4, former_token = NULL, former_until = NULL \
                   WHERE id = $1 AND stage = $2 AND ended_at IS NULL";
        tx.execute_versioned(sql, values![self.session, stage_word(Stage::Codes), stage_word(Stage::Full), self.token]).await?;
        tx.execute("UPDATE users SET codes_kept = 1, version = version + 1 WHERE id = $1", values![self.user]).await?;
        let payload = json!({ "session": self.session });
        tx.append(self.tenant, Entry::new("recovery_codes.saved", Actor::User(self.user), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Requests that were under way with the old token when a window opened may still come in for so long.
const FORMER_SECS: i64 = 10;

/// A factor was proved in this session: its step-up window opens, for no kind of remote session yet, under another token. The old
/// token is dead once the requests that were on their way with it have come in. Every other change of the token kills all earlier ones.
pub async fn open_step_up(tx: &mut Tx, session: SessionId, token: Digest, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET step_up_at = $2, auth_time = $2, step_up_kind = NULL, former_token = token, former_until = $4, token = $3 \
               WHERE id = $1 AND ended_at IS NULL";
    tx.execute_versioned(sql, values![session, at, token, at.plus_secs(FORMER_SECS)]).await
}

/// Binds a session to a key that its browser keeps in hardware: once, for the session's whole life. [`StoreError::Conflict`] where it is
/// bound already or has ended.
pub struct BindDevice {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub key: [u8; 64],
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for BindDevice {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "INSERT INTO device_bindings (session, public_key, bound_at) SELECT id, $2, $3 FROM sessions \
                   WHERE id = $1 AND ended_at IS NULL ON CONFLICT (session) DO NOTHING";
        tx.execute_versioned(sql, values![self.session, self.key, self.at]).await?;
        let payload = json!({ "session": self.session });
        tx.append(self.tenant, Entry::new("session.bound", Actor::User(self.user), self.at, self.salt, payload)).await?;
        Ok(())
    }
}
