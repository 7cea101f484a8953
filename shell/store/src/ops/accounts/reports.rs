//! What strangers fail at, for the audit log: summed up, so that they cannot fill it.

use sallyport_decide::accounts::throttle::Unreported;
use sallyport_model::{TenantId, Timestamp, UserId};
use serde_json::json;

use crate::{Actor, Entry, StoreError, Tx, values};

/// The row of all names that are no account's.
const UNKNOWN: [u8; 16] = [0; 16];

/// Counts a failed sign-in; tells the log when it is time.
pub(super) async fn count(tx: &mut Tx, account: Option<(TenantId, UserId)>, at: Timestamp, salt: [u8; 32]) -> Result<(), StoreError> {
    let report = due(tx, account.map_or(UNKNOWN, |(_, user)| *user.as_bytes()), at).await?;
    match (report, tenant_of(tx, account).await?) {
        (Some(count), Some(tenant)) => {
            let payload = json!({ "user": account.map(|(_, user)| user), "attempts": count });
            tx.append(tenant, Entry::new("sign_in.failed", Actor::System, at, salt, payload)).await.map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Counts one more for a subject; gives the number to report when it is time.
pub(crate) async fn due(tx: &mut Tx, subject: [u8; 16], at: Timestamp) -> Result<Option<u32>, StoreError> {
    let row = tx.fetch_optional("SELECT waiting, last_report FROM failure_reports WHERE subject = $1", values![subject]).await?;
    let waiting = match row {
        Some(row) => Unreported { count: row.get("waiting")?, last_report: row.time_opt("last_report")? },
        None => Unreported::default(),
    };
    let (waiting, report) = waiting.and_one(at);
    let sql = "INSERT INTO failure_reports (subject, waiting, last_report) VALUES ($1, $2, $3) \
               ON CONFLICT (subject) DO UPDATE SET waiting = excluded.waiting, last_report = excluded.last_report";
    tx.execute(sql, values![subject, waiting.count, waiting.last_report]).await?;
    Ok(report)
}

/// Names that are no account's belong to nobody; the oldest tenant, the installation's owner, is told of them.
async fn tenant_of(tx: &mut Tx, account: Option<(TenantId, UserId)>) -> Result<Option<TenantId>, StoreError> {
    if let Some((tenant, _)) = account {
        return Ok(Some(tenant));
    }
    let row = tx.fetch_optional("SELECT id FROM tenants ORDER BY created, id LIMIT 1", &[]).await?;
    row.map(|row| row.id("id")).transpose()
}
