//! Users as administrators see them.

use std::collections::BTreeMap;

use sallyport_decide::actions::Action;
use sallyport_decide::policy::Rights;
use sallyport_model::{RequestId, TenantId, Timestamp, UserId, limits};

use super::rights::{rights_of, rights_of_all};
use crate::{Reader, Row, StoreError, values};

/// A user with the counts that the list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// invited, active or disabled.
    pub state: String,
    /// Whether an administrator requires a factor of this very account.
    pub mfa_required: bool,
    pub expires: Option<Timestamp>,
    pub last_sign_in: Option<Timestamp>,
    pub created: Timestamp,
    pub rights: Rights,
    pub totp: u32,
    pub passkeys: u32,
    /// Factors that are locked after too many wrong codes.
    pub locked: u32,
    pub codes_left: u32,
    pub sessions: u32,
    /// Until when an invitation or activation link works.
    pub link_until: Option<Timestamp>,
    pub held: Option<HeldRow>,
}

impl UserRow {
    /// Whether they have a second factor.
    pub fn has_factor(&self) -> bool {
        self.totp + self.passkeys > 0
    }
}

/// A reset that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    pub until: Timestamp,
    pub by: String,
}

macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.email, u.name, u.state, u.mfa_required, u.expires, u.last_sign_in, u.created, \
             (SELECT COUNT(*) FROM factors f WHERE f.user_id = u.id AND f.kind = 'totp') AS totp, \
             (SELECT COUNT(*) FROM factors f WHERE f.user_id = u.id AND f.kind = 'passkey') AS passkeys, \
             (SELECT COUNT(*) FROM factors f WHERE f.user_id = u.id AND f.kind <> 'recovery' AND f.failures >= $3) AS locked, \
             (SELECT COUNT(*) FROM recovery_codes c WHERE c.user_id = u.id AND c.used_at IS NULL) AS codes_left, \
             (SELECT COUNT(*) FROM sessions s JOIN tenants t ON t.id = u.tenant WHERE s.user_id = u.id AND s.ended_at IS NULL \
              AND s.created + t.session_lifetime_secs * 1000000 > $2 AND s.last_active + t.session_idle_secs * 1000000 > $2) AS sessions, \
             (SELECT MAX(l.expires) FROM links l WHERE l.user_id = u.id AND l.purpose <> 'not_me' AND l.expires > $2) AS link_until, \
             h.until AS held_until, h.asked_by_name FROM users u LEFT JOIN held_resets h ON h.user_id = u.id WHERE u.tenant = $1 AND ",
            $rest
        )
    };
}

/// All users of a tenant, in no order: filters and orders are not SQL's.
pub async fn users(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<Vec<UserRow>, StoreError> {
    let rows = reader.fetch_all(users!("1 = 1 LIMIT $4"), values![tenant, now, limits::FACTOR_FAILURES, limits::USERS]).await?;
    let mut rights: BTreeMap<UserId, Rights> = rights_of_all(reader, tenant).await?;
    rows.iter().map(|row| user_row(row, rights.remove(&row.get("id")?).unwrap_or_default())).collect()
}

/// One user of the tenant.
pub async fn user(reader: &mut Reader, tenant: TenantId, id: UserId, now: Timestamp) -> Result<UserRow, StoreError> {
    let row = reader.fetch_one(users!("u.id = $4"), values![tenant, now, limits::FACTOR_FAILURES, id]).await?;
    let rights = rights_of(reader, id).await?;
    user_row(&row, rights)
}

/// One user of the tenant, by address.
pub async fn user_by_email(reader: &mut Reader, tenant: TenantId, email: &str, now: Timestamp) -> Result<Option<UserRow>, StoreError> {
    let found = reader.fetch_optional("SELECT id FROM users WHERE tenant = $1 AND email = $2", values![tenant, email]).await?;
    match found {
        Some(row) => user(reader, tenant, row.get("id")?, now).await.map(Some),
        None => Ok(None),
    }
}

fn user_row(row: &Row, rights: Rights) -> Result<UserRow, StoreError> {
    let held = match row.time_opt("held_until")? {
        Some(until) => Some(HeldRow { until, by: row.text("asked_by_name")? }),
        None => None,
    };
    Ok(UserRow {
        id: row.get("id")?,
        email: row.text("email")?,
        name: row.text("name")?,
        state: row.text("state")?,
        mfa_required: row.flag("mfa_required")?,
        expires: row.time_opt("expires")?,
        last_sign_in: row.time_opt("last_sign_in")?,
        created: row.time("created")?,
        rights,
        totp: row.get("totp")?,
        passkeys: row.get("passkeys")?,
        locked: row.get("locked")?,
        codes_left: row.get("codes_left")?,
        sessions: row.get("sessions")?,
        link_until: row.time_opt("link_until")?,
        held,
    })
}

/// How many people a tenant has, of all states.
pub async fn count(reader: &mut Reader, tenant: TenantId) -> Result<usize, StoreError> {
    Ok(reader.fetch_one("SELECT COUNT(*) AS n FROM users WHERE tenant = $1", values![tenant]).await?.uint("n")? as usize)
}

/// A guarded action that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentAction {
    pub request: RequestId,
    pub summary: String,
    pub state: String,
    pub at: Timestamp,
}

/// The last guarded actions that a person asked for, the newest first.
pub async fn recent_actions(reader: &mut Reader, user: UserId, limit: u32) -> Result<Vec<RecentAction>, StoreError> {
    let sql = "SELECT id, state, action, created FROM requests WHERE asker = $1 ORDER BY id DESC LIMIT $2";
    let read = |row: &Row| {
        let action: Action = serde_json::from_str(&row.text("action")?).map_err(|_| StoreError::Corrupt("action"))?;
        Ok(RecentAction { request: row.get("id")?, summary: action.sentence(), state: row.text("state")?, at: row.time("created")? })
    };
    reader.fetch_all(sql, values![user, limit]).await?.iter().map(read).collect()
}
