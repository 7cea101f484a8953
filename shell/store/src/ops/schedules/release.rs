//! Letting runs of an occurrence go: at their moment, so many at once, never two of one schedule on a device.

use sallyport_model::{DeviceId, JobId, RunId, ScheduleId, TenantId, Timestamp, limits};

use crate::{Audit, Change, Reader, StoreError, Tx, values};

/// A run whose moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRun {
    pub run: RunId,
    pub tenant: TenantId,
    pub job: JobId,
    pub schedule: ScheduleId,
    pub device: DeviceId,
}

/// Runs of approved devices that are held and due, of active schedules; for those that are let go, the last run of the device must be over
/// and its beginning far enough away.
pub async fn candidates(reader: &mut Reader, now: Timestamp) -> Result<Vec<HeldRun>, StoreError> {
    let sql = "SELECT r.id, r.tenant, r.job, r.device, j.schedule FROM runs r JOIN jobs j ON j.id = r.job JOIN schedules s ON s.id = j.schedule \
               JOIN devices d ON d.id = r.device \
               WHERE r.state = 'waiting' AND r.held_until <= $1 AND j.expires > $1 AND s.state = 'active' AND d.state = 'approved' \
               ORDER BY r.held_until, r.id LIMIT 10000";
    let rows = reader.fetch_all(sql, values![now]).await?;
    let held = |row: &crate::Row| {
        Ok(HeldRun {
            run: row.get("id")?,
            tenant: row.get("tenant")?,
            job: row.get("job")?,
            schedule: row.get("schedule")?,
            device: row.get("device")?,
        })
    };
    rows.iter().map(held).collect()
}

/// Lets runs of one job go, as far as its limit allows.
pub struct Release {
    pub job: JobId,
    pub schedule: ScheduleId,
    /// Runs of devices that are there now.
    pub runs: Vec<HeldRun>,
    /// So many of the job at once; 0 is all.
    pub at_once: u32,
    /// A device whose last run began after this waits.
    pub not_since: Timestamp,
}

impl Change for Release {
    type Out = Vec<HeldRun>;
    const AUDIT: Audit = Audit::Exempt("offers an occurrence that is in the log; the device decides by what was published");

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<HeldRun>, StoreError> {
        let mut places = self.places(tx).await?;
        let mut let_go = Vec::new();
        for held in &self.runs {
            if places == 0 {
                break;
            }
            if self.is_free(tx, held).await? && self.let_go(tx, held).await? {
                places -= 1;
                let_go.push(*held);
            }
        }
        Ok(let_go)
    }
}

impl Release {
    async fn places(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let most = limits::SCHEDULE_RELEASES as u64;
        if self.at_once == 0 {
            return Ok(most);
        }
        let sql = "SELECT COUNT(*) AS n FROM runs WHERE job = $1 AND (state = 'running' OR (state = 'waiting' AND held_until IS NULL))";
        let busy = tx.fetch_one(sql, values![self.job]).await?.uint("n")?;
        Ok(u64::from(self.at_once).saturating_sub(busy).min(most))
    }

    /// Nothing of the schedule runs there, or began there too short a time ago.
    async fn is_free(&self, tx: &mut Tx, held: &HeldRun) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS busy FROM runs r JOIN jobs j ON j.id = r.job \
                   WHERE r.device = $1 AND j.schedule = $2 AND r.id <> $3 AND (r.state = 'running' OR r.started > $4) LIMIT 1";
        let busy = tx.fetch_optional(sql, values![held.device, self.schedule, held.run, self.not_since]).await?;
        Ok(busy.is_none())
    }

    async fn let_go(&self, tx: &mut Tx, held: &HeldRun) -> Result<bool, StoreError> {
        let sql = "UPDATE runs SET held_until = NULL WHERE id = $1 AND state = 'waiting' AND held_until IS NOT NULL";
        Ok(tx.execute(sql, values![held.run]).await? > 0)
    }
}
