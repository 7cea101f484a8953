//! People prove a request: a proof that still needs others, and tries at the number on the asker's screen.

use sallyport_decide::actions::Proof;
use sallyport_model::{RequestId, TenantId, Timestamp};
use serde_json::json;

use crate::ops::accounts::UsedFactor;
use crate::{Actor, Audit, Change, Entry, StoreError, Tx, values};

/// A person proved a request that still needs others.
pub struct AddProof {
    pub tenant: TenantId,
    pub request: RequestId,
    pub proof: Proof,
    pub used: UsedFactor,
    pub salt: [u8; 32],
}

impl Change for AddProof {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.used.use_up(tx, self.proof.at).await?;
        still_open(tx, self.tenant, self.request, self.proof.at).await?;
        insert_proof(tx, self.request, &self.proof).await?;
        let payload = json!({ "request": self.request, "method": self.proof.method.as_str() });
        tx.append(self.tenant, Entry::new("request.proved", Actor::User(self.proof.user), self.proof.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Conflict unless the request waits. The caller's next statement decides on the same snapshot.
async fn still_open(tx: &mut Tx, tenant: TenantId, request: RequestId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE requests SET state = state WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires > $3";
    tx.execute_versioned(sql, values![tenant, request, now]).await
}

pub(in crate::ops) async fn insert_proof(tx: &mut Tx, request: RequestId, proof: &Proof) -> Result<(), StoreError> {
    let sql = "INSERT INTO request_proofs (request, prover, prover_email, method, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request, prover) DO NOTHING";
    tx.execute(sql, values![request, proof.user, proof.email, proof.method.as_str(), proof.at]).await?;
    Ok(())
}

/// Charges a try at the number on the asker's screen, before it is compared; gives how many there were with this one.
pub struct ChargeNumber {
    pub tenant: TenantId,
    pub request: RequestId,
}

impl Change for ChargeNumber {
    type Out = u32;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; the last one is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<u32, StoreError> {
        let sql = "UPDATE requests SET number_failures = number_failures + 1 WHERE tenant = $1 AND id = $2 AND state = 'open' \
                   RETURNING number_failures";
        tx.fetch_optional(sql, values![self.tenant, self.request]).await?.ok_or(StoreError::Conflict)?.get("number_failures")
    }
}

/// Gives the charge back: the number was right.
pub struct RefundNumber {
    pub tenant: TenantId,
    pub request: RequestId,
}

impl Change for RefundNumber {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; what follows on a right number is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET number_failures = number_failures - 1 WHERE tenant = $1 AND id = $2 AND number_failures > 0";
        tx.execute(sql, values![self.tenant, self.request]).await.map(|_| ())
    }
}
