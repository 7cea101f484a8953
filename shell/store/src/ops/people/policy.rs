//! The tenant's policy of factors and sessions, and its own roles.

use std::collections::BTreeSet;

use sallyport_decide::accounts::session::Timers;
use sallyport_decide::accounts::sign_in::HasPasskey;
use sallyport_decide::people::{
    AdminsProve, ChangeMfaPolicy, ChangeSessionLimits, ChangedRole, DeviceCodes, Factorless, MfaPolicy, MfaWho, proves,
};
use sallyport_model::{RoleId, TenantId, Timestamp, UserId};

use super::rights::{rights_of, words};
use crate::ops::accounts::refuse_approved_programs;
use crate::{Reader, Row, StoreError, Tx, values};

/// What a tenant decided about signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPolicy {
    pub name: String,
    pub mfa: MfaPolicy,
    pub timers: Timers,
}

/// Reads it.
pub async fn policy(reader: &mut Reader, tenant: TenantId) -> Result<TenantPolicy, StoreError> {
    let sql = "SELECT name, mfa_who, mfa_roles, mfa_deadline, factorless, admins_passkey, device_codes, session_idle_secs, \
               session_lifetime_secs FROM tenants WHERE id = $1";
    let row = reader.fetch_one(sql, values![tenant]).await?;
    let mfa = MfaPolicy {
        who: MfaWho::parse(&row.text("mfa_who")?).ok_or(StoreError::Corrupt("mfa_who"))?,
        roles: words(&row.text("mfa_roles")?).into_iter().collect(),
        deadline: row.time_opt("mfa_deadline")?,
        factorless: if row.flag("factorless")? { Factorless::Allowed } else { Factorless::Refused },
        admins: if row.flag("admins_passkey")? { AdminsProve::ByPasskey } else { AdminsProve::ByAnyFactor },
        device_codes: if row.flag("device_codes")? { DeviceCodes::Allowed } else { DeviceCodes::Refused },
    };
    let timers = Timers { idle_secs: row.int("session_idle_secs")?, lifetime_secs: row.int("session_lifetime_secs")? };
    Ok(TenantPolicy { name: row.text("name")?, mfa, timers })
}

/// What a proof of somebody has to be, and whether they have a passkey.
pub async fn means_of(reader: &mut Reader, tenant: TenantId, user: UserId) -> Result<(AdminsProve, HasPasskey), StoreError> {
    let mfa = policy(reader, tenant).await?.mfa;
    let proves = proves(&mfa, &rights_of(reader, user).await?);
    let sql = "SELECT id FROM factors WHERE user_id = $1 AND kind = 'passkey' LIMIT 1";
    let has = if reader.fetch_optional(sql, values![user]).await?.is_some() { HasPasskey::Yes } else { HasPasskey::No };
    Ok((proves, has))
}

pub(super) async fn change_mfa(tx: &mut Tx, tenant: TenantId, change: &ChangeMfaPolicy) -> Result<(), StoreError> {
    if policy(tx, tenant).await?.mfa != change.before {
        return Err(StoreError::Conflict);
    }
    let after = &change.after;
    let sql = "UPDATE tenants SET mfa_who = $2, mfa_roles = $3, mfa_deadline = $4, factorless = $5, admins_passkey = $6, \
               device_codes = $7, version = version + 1 WHERE id = $1";
    let (factorless, passkey) = (after.factorless == Factorless::Allowed, after.admins == AdminsProve::ByPasskey);
    let codes = after.device_codes == DeviceCodes::Allowed;
    tx.execute_versioned(sql, values![tenant, after.who.as_str(), after.roles.join(" "), after.deadline, factorless, passkey, codes])
        .await?;
    if codes { Ok(()) } else { refuse_approved_programs(tx, tenant).await }
}

pub(super) async fn change_timers(tx: &mut Tx, tenant: TenantId, change: &ChangeSessionLimits) -> Result<(), StoreError> {
    let sql = "UPDATE tenants SET session_idle_secs = $2, session_lifetime_secs = $3, version = version + 1 \
               WHERE id = $1 AND session_idle_secs = $4 AND session_lifetime_secs = $5";
    let (before, after) = (change.before, change.after);
    tx.execute_versioned(sql, values![tenant, after.idle_secs, after.lifetime_secs, before.idle_secs, before.lifetime_secs]).await
}

/// A tenant's own role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRow {
    pub id: RoleId,
    pub name: String,
    pub capabilities: BTreeSet<String>,
    /// How many users have it.
    pub users: u64,
}

/// A tenant's own roles, by name.
pub async fn roles(reader: &mut Reader, tenant: TenantId) -> Result<Vec<RoleRow>, StoreError> {
    let sql = "SELECT r.id, r.name, r.capabilities, (SELECT COUNT(DISTINCT a.user_id) FROM assignments a WHERE a.custom = r.id) AS users \
               FROM roles r WHERE r.tenant = $1 ORDER BY r.name, r.id";
    reader.fetch_all(sql, values![tenant]).await?.iter().map(role_row).collect()
}

/// How many users have a built-in role.
pub async fn users_of_role(reader: &mut Reader, tenant: TenantId, word: &str) -> Result<u64, StoreError> {
    let sql =
        "SELECT COUNT(DISTINCT a.user_id) AS n FROM assignments a JOIN users u ON u.id = a.user_id WHERE u.tenant = $1 AND a.role = $2";
    reader.fetch_one(sql, values![tenant, word]).await?.uint("n")
}

fn role_row(row: &Row) -> Result<RoleRow, StoreError> {
    Ok(RoleRow { id: row.get("id")?, name: row.text("name")?, capabilities: words(&row.text("capabilities")?), users: row.uint("users")? })
}

pub(super) async fn save_role(tx: &mut Tx, tenant: TenantId, role: &ChangedRole, at: Timestamp) -> Result<(), StoreError> {
    let (before, after) = (role.before.join(" "), role.after.join(" "));
    if role.before.is_empty() {
        let sql = "INSERT INTO roles (id, tenant, name, capabilities, created) VALUES ($1, $2, $3, $4, $5)";
        return tx.execute(sql, values![role.id, tenant, role.name, after, at]).await.map(|_| ());
    }
    let sql = "UPDATE roles SET name = $3, capabilities = $4 WHERE tenant = $1 AND id = $2 AND capabilities = $5";
    tx.execute_versioned(sql, values![tenant, role.id, role.name, after, before]).await
}

/// A role that somebody has is not taken away.
pub(super) async fn delete_role(tx: &mut Tx, tenant: TenantId, role: &ChangedRole) -> Result<(), StoreError> {
    let sql = "DELETE FROM roles WHERE tenant = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.custom = roles.id)";
    tx.execute_versioned(sql, values![tenant, role.id]).await
}
