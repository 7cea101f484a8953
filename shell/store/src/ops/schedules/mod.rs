//! Published schedules: what was published, what ends it, and its occurrences, each claimed in one commit.

mod control;
mod occur;
mod publish;
mod read;
mod release;
mod void;

pub(crate) use control::pause_all_of;
pub use control::{Control, Order, Resume, Resumed};
pub use occur::{Advance, Advanced};
pub use publish::living;
pub(crate) use publish::publish;
pub use read::{ScheduleFilter, ScheduleRow, active, due_before, list, schedule, targets_of};
pub use release::{HeldRun, Release, candidates};
pub(crate) use void::void_of_script;
pub use void::{VoidSchedule, meant_by, void_reason};

use sallyport_model::{ScheduleId, TenantId, Timestamp};

use super::runs::{Over, ToCancel, one_less};
use crate::{StoreError, Tx, values};

/// Cancels runs that no device has begun, of one schedule; says which, so that devices that were offered one are told.
async fn drop_waiting(
    tx: &mut Tx,
    (tenant, schedule): (TenantId, ScheduleId),
    (state, by): (&'static str, &str),
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<Vec<ToCancel>, StoreError> {
    let sql = "SELECT r.id, r.device, r.grant_id, r.job FROM runs r JOIN jobs j ON j.id = r.job \
               WHERE j.tenant = $1 AND j.schedule = $2 AND r.state = 'waiting' ORDER BY r.id";
    let mut told = Vec::new();
    for row in &tx.fetch_all(sql, values![tenant, schedule]).await? {
        let run: sallyport_model::RunId = row.get("id")?;
        tx.execute("UPDATE runs SET state = $2, cancelled_by = $3 WHERE id = $1", values![run, state, by]).await?;
        let cancelled = ToCancel { device: row.get("device")?, grant: row.get("grant_id")?, job: row.get("job")? };
        Over { run, job: cancelled.job, device: cancelled.device, state, exit_code: None }.announce(tx, tenant, at);
        one_less(tx, tenant, cancelled.job, at, salt).await?;
        told.push(cancelled);
    }
    Ok(told)
}
