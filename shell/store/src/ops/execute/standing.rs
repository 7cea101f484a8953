//! What must still be true at the moment of execution: of who asked, of who else proved it, and of what was shown.

use sallyport_decide::actions::Target;
use sallyport_model::TenantId;

use super::Execute;
use crate::ops::automation;
use crate::ops::people::{may_be_second, may_still_ask};
use crate::ops::requests::still_suffices;
use crate::{StoreError, Tx, values};

impl Execute {
    /// A user who was disabled or lost the role or its scope after asking, or whose session was ended, no longer asks (A29).
    pub(super) async fn asker_still_stands(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let asker = &self.released.frozen().asker;
        if let Some(client) = asker.client() {
            let action = &self.released.frozen().action;
            return automation::still_stands(tx, client, action, self.at()).await;
        }
        let sql = "SELECT 1 AS stands FROM users u JOIN sessions s ON s.user_id = u.id JOIN tenants t ON t.id = u.tenant \
                   WHERE u.id = $1 AND u.state = 'active' AND (u.expires IS NULL OR u.expires > $3) AND s.id = $2 AND s.ended_at IS NULL \
                   AND s.stage IN ('full', 'device_code') AND s.created + t.session_lifetime_secs * 1000000 > $3";
        tx.fetch_optional(sql, values![asker.user, asker.session, self.at()]).await?.ok_or(StoreError::Conflict)?;
        match may_still_ask(tx, self.tenant(), asker.user, &self.released.frozen().action).await? {
            true => Ok(()),
            false => Err(StoreError::Conflict),
        }
    }

    /// Whoever else proved it was somebody who could, and still is (A29).
    pub(super) async fn others_still_stand(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let frozen = self.released.frozen();
        for other in self.released.proofs().iter().filter(|proof| proof.user != frozen.asker.user) {
            if !may_be_second(tx, self.tenant(), other.user, &frozen.action, self.at()).await? {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }

    /// What the asker did since they asked counts too: in this transaction, so that no two actions overlook each other (C5).
    pub(super) async fn class_still_suffices(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if still_suffices(tx, self.released.frozen(), self.at()).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

/// Every target still is what was shown when the action was frozen: same key, same state.
pub(super) async fn devices_still_are(tx: &mut Tx, tenant: TenantId, targets: &[Target], state: &'static str) -> Result<(), StoreError> {
    let sql = "SELECT 1 AS same FROM devices WHERE tenant = $1 AND id = $2 AND thumbprint = $3 AND state = $4";
    for target in targets {
        tx.fetch_optional(sql, values![tenant, target.device, target.thumbprint.0, state]).await?.ok_or(StoreError::Conflict)?;
    }
    Ok(())
}
