//! Requests that end without being executed: denied, guessed at, too late. Their sealed secrets go with them.

use sallyport_decide::actions::Requirement;
use sallyport_model::{RequestId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::word;
use crate::{Actor, Audit, Change, Entry, StoreError, Tx, values};

/// Somebody guessed at the number too often: the request is over.
pub struct EndGuessed {
    pub tenant: TenantId,
    pub request: RequestId,
    pub by: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndGuessed {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET state = 'denied' WHERE tenant = $1 AND id = $2 AND state = 'open'";
        tx.execute_versioned(sql, values![self.tenant, self.request]).await?;
        forget_secrets(tx, self.request).await?;
        let payload = json!({ "request": self.request });
        tx.append(self.tenant, Entry::new("request.guessed", Actor::User(self.by), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// Somebody said no: the request is over. Where another person was asked, its asker asks nobody for a while.
pub struct Deny {
    pub tenant: TenantId,
    pub request: RequestId,
    pub by: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Deny {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET state = 'denied' WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires > $3";
        tx.execute_versioned(sql, values![self.tenant, self.request, self.at]).await?;
        forget_secrets(tx, self.request).await?;
        let sql = "INSERT INTO approval_mutes (asker, until) SELECT asker, $3 FROM requests WHERE id = $1 AND asker <> $2 AND requirement = $4 \
                   ON CONFLICT (asker) DO UPDATE SET until = excluded.until";
        let until = self.at.plus_secs(limits::APPROVAL_MUTE_SECS);
        tx.execute(sql, values![self.request, self.by, until, word(Requirement::TwoPeople)]).await?;
        let payload = json!({ "request": self.request });
        tx.append(self.tenant, Entry::new("request.denied", Actor::User(self.by), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

async fn forget_secrets(tx: &mut Tx, request: RequestId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE id = $1)", values![request]).await?;
    Ok(())
}

/// Requests that waited too long are over, and their sealed secrets gone.
pub struct LapseRequests {
    pub at: Timestamp,
}

impl Change for LapseRequests {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("lapsing is what the request's own entry announced");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let sql = "DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE state = 'open' AND expires <= $1)";
        tx.execute(sql, values![self.at]).await?;
        tx.execute("UPDATE requests SET state = 'expired' WHERE state = 'open' AND expires <= $1", values![self.at]).await
    }
}
