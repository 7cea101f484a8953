//! What a recovery by the authority kit stands on, and what it leaves in the log.

use sallyport_decide::accounts::by_kit::Owners;
use sallyport_model::{SessionId, TenantId, Timestamp, UserId};
use serde_json::json;

use super::NewSession;
use crate::{Actor, Change, Entry, Reader, StoreError, Tx, values};

/// Whether an account is an owner's beside whom no other owner could sign in: with a factor, active, and not ended.
pub async fn owners(reader: &mut Reader, tenant: TenantId, user: UserId, now: Timestamp) -> Result<Owners, StoreError> {
    let sql = "SELECT DISTINCT u.id FROM users u JOIN assignments a ON a.user_id = u.id WHERE u.tenant = $1 AND a.role = 'owner' AND (u.id = $2 OR \
               (u.state = 'active' AND (u.expires IS NULL OR u.expires > $3) \
               AND EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.kind <> 'recovery')))";
    let rows = reader.fetch_all(sql, values![tenant, user, now]).await?;
    let ids: Vec<UserId> = rows.iter().map(|row| row.id("id")).collect::<Result<_, _>>()?;
    Ok(if ids == [user] { Owners::OnlyThis } else { Owners::Others })
}

/// Uses what a kit stands for. [`StoreError::Conflict`] where the account is no longer its tenant's only owner. A locked authenticator
/// works again, as after a recovery code: the password alone was enough to lock it.
pub(super) async fn use_kit(tx: &mut Tx, tenant: TenantId, session: &NewSession, salt: [u8; 32]) -> Result<(), StoreError> {
    let (user, at) = (session.user, session.at);
    if owners(tx, tenant, user, at).await? == Owners::Others {
        return Err(StoreError::Conflict);
    }
    tx.execute("UPDATE factors SET failures = 0, locked_at = NULL WHERE user_id = $1", values![user]).await?;
    let payload = told(user, Some(session.id), &session.address, &session.user_agent);
    tx.append(tenant, Entry::new("authority_kit.used", Actor::User(user), at, salt, payload)).await.map(|_| ())
}

fn told(user: UserId, session: Option<SessionId>, address: &str, user_agent: &str) -> serde_json::Value {
    json!({ "user": user, "session": session, "address": address, "user_agent": user_agent })
}

/// Somebody showed an owner's password and the kit where another owner could help.
pub struct RefuseKit {
    pub tenant: TenantId,
    pub user: UserId,
    pub address: String,
    pub user_agent: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RefuseKit {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let payload = told(self.user, None, &self.address, &self.user_agent);
        tx.append(self.tenant, Entry::new("authority_kit.refused", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}
