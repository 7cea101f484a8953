//! Stopping all that an account does: its sessions, its open requests, its work that no device has begun.

use sallyport_model::{DeviceId, GrantId, JobId, RunId, SessionId, TenantId, Timestamp, UserId};

use super::super::runs::{Over, one_less};
use crate::{StoreError, Tx, values};

/// What was stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    pub sessions: Vec<SessionId>,
    pub requests: u64,
    /// Runs that no device had begun, for telling the agents that they were offered to.
    pub runs: Vec<(DeviceId, GrantId, JobId)>,
}

/// Ends all sessions of a person.
pub(super) async fn end_sessions(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let sql = "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id";
    tx.fetch_all(sql, values![user, at]).await?.iter().map(|row| row.id("id")).collect()
}

/// Closes what a person asked for and nobody released yet, and what they proved of others' requests.
pub(super) async fn close_requests(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<u64, StoreError> {
    let sql = "DELETE FROM request_proofs WHERE prover = $2 AND request IN (SELECT id FROM requests WHERE tenant = $1 AND state = 'open')";
    tx.execute(sql, values![tenant, user]).await?;
    let sql =
        "DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE tenant = $1 AND asker = $2 AND state = 'open')";
    tx.execute(sql, values![tenant, user]).await?;
    tx.execute("UPDATE requests SET state = 'denied' WHERE tenant = $1 AND asker = $2 AND state = 'open'", values![tenant, user]).await
}

/// Stops everything.
pub(super) async fn stop_all(tx: &mut Tx, tenant: TenantId, user: UserId, at: Timestamp, salt: [u8; 32]) -> Result<Stopped, StoreError> {
    let sessions = end_sessions(tx, user, at).await?;
    let requests = close_requests(tx, tenant, user).await?;
    let sql = "SELECT r.id, r.device, r.grant_id, r.job FROM runs r JOIN jobs j ON j.id = r.job \
               WHERE r.tenant = $1 AND j.requested_by_id = $2 AND r.state = 'waiting'";
    let mut runs = Vec::new();
    for row in &tx.fetch_all(sql, values![tenant, user]).await? {
        let (run, job): (RunId, JobId) = (row.get("id")?, row.get("job")?);
        let sql = "UPDATE runs SET state = 'cancelled', cancelled_by = 'not delivered' WHERE id = $1";
        tx.execute(sql, values![run]).await?;
        let device = row.get("device")?;
        Over { run, job, device, state: "cancelled", exit_code: None }.announce(tx, tenant, at);
        one_less(tx, tenant, job, at, salt).await?;
        runs.push((device, row.get("grant_id")?, job));
    }
    Ok(Stopped { sessions, requests, runs })
}
