//! Occurrences: whoever decides one does it in one commit, and nobody decides it again.

use sallyport_decide::schedules::{Due, Progress, Void, due, next};
use sallyport_grant::schedule::{Timetable, jitter, occurrence_id};
use sallyport_grant::sha256;
use sallyport_model::{DeviceId, Digest, GrantId, JobId, RunId, ScheduleId, TenantId, Timestamp};
use serde_json::json;

use super::super::runs::ToCancel;
use super::drop_waiting;
use super::read::{ScheduleRow, schedule};
use super::void::{void, void_reason};
use crate::{Actor, Change, Entry, StoreError, Tx, values};

/// Decides about everything that came of a schedule since it was last decided about. [`StoreError::Conflict`] where another process did.
pub struct Advance {
    pub tenant: TenantId,
    pub schedule: ScheduleId,
    /// The row that was seen.
    pub version: u64,
    /// The id of the occurrence's job, where there is one.
    pub job: JobId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advanced {
    /// An occurrence began: its runs wait to be let go.
    Began { job: JobId, late: Vec<ToCancel> },
    /// The publication is void.
    Voided(Void, Vec<ToCancel>),
    /// All that came was too old, or the publication is over.
    Nothing,
}

/// A target that is still there.
struct Target {
    device: DeviceId,
    thumbprint: Digest,
    index: i64,
    proof: Vec<u8>,
}

impl Change for Advance {
    type Out = Advanced;

    async fn apply(&self, tx: &mut Tx) -> Result<Advanced, StoreError> {
        let row = schedule(tx, self.tenant, self.schedule).await?;
        if row.version != self.version || row.state.as_str() != "active" {
            return Err(StoreError::Conflict);
        }
        if let Some(why) = void_reason(tx, &row, self.at).await? {
            return self.voided(tx, &row, why).await;
        }
        let progress = Progress { decided: row.decided, expires: row.expires };
        match due(&row.published_as.terms, progress, self.at).map_err(|_| StoreError::Corrupt("cron"))? {
            Due::Run { at, missed } => self.begin(tx, &row, at, missed).await,
            Due::Missed { missed, at } => self.missed(tx, &row, at, missed).await,
            Due::Over => self.over(tx, &row).await,
            Due::Nothing => Err(StoreError::Conflict),
        }
    }
}

impl Advance {
    async fn voided(&self, tx: &mut Tx, row: &ScheduleRow, why: Void) -> Result<Advanced, StoreError> {
        let told = void(tx, (row.tenant, row.id, &row.name), why, Actor::System, (self.at, self.salt)).await?;
        Ok(Advanced::Voided(why, told))
    }

    async fn begin(&self, tx: &mut Tx, row: &ScheduleRow, due: Timestamp, missed: u64) -> Result<Advanced, StoreError> {
        let targets = living(tx, row.id).await?;
        if targets.is_empty() {
            return self.voided(tx, row, Void::NoDevices).await;
        }
        self.decided(tx, row, due, missed).await?;
        // A device that was off gets the newest occurrence only: never one after the other.
        let late = drop_waiting(tx, (row.tenant, row.id), ("expired", "a later occurrence"), (self.at, self.salt)).await?;
        let grant = occurrence_id(row.digest, due);
        self.insert_job(tx, row, (grant, due), targets.len()).await?;
        self.insert_runs(tx, row, (grant, due), &targets).await?;
        let sql = "UPDATE scripts SET last_run = $2, last_run_version = $3 WHERE id = $1";
        tx.execute(sql, values![row.script, self.at, row.script_version]).await?;
        let payload = json!({ "schedule": row.id, "name": row.name, "job": self.job, "grant": grant, "due": due, "targets": targets.len(),
            "missed": missed });
        tx.append(row.tenant, Entry::new("schedule.ran", Actor::System, self.at, self.salt, payload)).await?;
        Ok(Advanced::Began { job: self.job, late })
    }

    /// Everything up to an occurrence is decided; the row's version makes sure that nobody else has.
    async fn decided(&self, tx: &mut Tx, row: &ScheduleRow, due: Timestamp, missed: u64) -> Result<(), StoreError> {
        let next_due = next(&row.published_as.terms, due, row.expires).map_err(|_| StoreError::Corrupt("cron"))?;
        let sql = "UPDATE schedules SET decided = $3, next_due = $4, missed = missed + $5, version = version + 1 \
                   WHERE id = $1 AND version = $2 AND state = 'active'";
        tx.execute_versioned(sql, values![row.id, row.version, due, next_due, missed]).await
    }

    async fn insert_job(&self, tx: &mut Tx, row: &ScheduleRow, (grant, due): (GrantId, Timestamp), runs: usize) -> Result<(), StoreError> {
        let table = Timetable::of(&row.published_as.terms).map_err(|_| StoreError::Corrupt("cron"))?;
        let sql = "INSERT INTO jobs (id, tenant, grant_id, script, script_version, name, content, envelope, requested_by, requested_by_id, created, \
                   expires, log_index, left_runs, schedule, due) VALUES ($1, $2, $3, $4, $5, $6, '', '', $7, $8, $9, $10, $11, $12, $13, $14)";
        let args = values![
            self.job,
            row.tenant,
            grant,
            row.script,
            row.script_version,
            row.published_as.run.name,
            row.published_by,
            row.published_by_id,
            self.at,
            table.lapses(due).min(row.expires),
            row.log_index,
            runs,
            row.id,
            due,
        ];
        tx.execute(sql, args).await.map(|_| ())
    }

    async fn insert_runs(
        &self,
        tx: &mut Tx,
        row: &ScheduleRow,
        (grant, due): (GrantId, Timestamp),
        targets: &[Target],
    ) -> Result<(), StoreError> {
        let columns = &[
            "id",
            "tenant",
            "job",
            "grant_id",
            "device",
            "state",
            "target_index",
            "target_proof",
            "next_chunk",
            "output_bytes",
            "held_until",
        ];
        let line = |target: &Target| {
            let held_until = due.plus_secs(i64::from(jitter(grant, target.thumbprint, row.published_as.terms.jitter_secs)));
            let (run, proof) = (self.run_id(target.device), &target.proof);
            values![run, row.tenant, self.job, grant, target.device, "waiting", target.index, proof, 0i64, 0i64, held_until].to_vec()
        };
        let rows: Vec<_> = targets.iter().map(line).collect();
        tx.insert_rows("runs", columns, &rows).await
    }

    /// The same when the transaction is made again.
    fn run_id(&self, device: DeviceId) -> RunId {
        let digest = sha256(&[b"sallyport.run/1\n", &self.salt, device.as_bytes()]);
        let mut random = [0; 10];
        random.copy_from_slice(&digest.as_bytes()[..10]);
        RunId::new(self.at, random)
    }

    async fn missed(&self, tx: &mut Tx, row: &ScheduleRow, last: Timestamp, missed: u64) -> Result<Advanced, StoreError> {
        self.decided(tx, row, last, missed).await?;
        let payload = json!({ "schedule": row.id, "name": row.name, "missed": missed, "last": last });
        tx.append(row.tenant, Entry::new("schedule.missed", Actor::System, self.at, self.salt, payload)).await?;
        Ok(Advanced::Nothing)
    }

    async fn over(&self, tx: &mut Tx, row: &ScheduleRow) -> Result<Advanced, StoreError> {
        let sql = "UPDATE schedules SET state = 'expired', changed = $3, changed_by = 'Sallyport', next_due = NULL, version = version + 1 \
                   WHERE id = $1 AND version = $2";
        tx.execute_versioned(sql, values![row.id, row.version, self.at]).await?;
        let payload = json!({ "schedule": row.id, "name": row.name });
        tx.append(row.tenant, Entry::new("schedule.expired", Actor::System, self.at, self.salt, payload)).await?;
        Ok(Advanced::Nothing)
    }
}

/// Published devices that still are approved, with the same key.
async fn living(tx: &mut Tx, schedule: ScheduleId) -> Result<Vec<Target>, StoreError> {
    let sql = "SELECT t.* FROM schedule_targets t JOIN devices d ON d.id = t.device \
               WHERE t.schedule = $1 AND d.state = 'approved' AND d.thumbprint = t.thumbprint ORDER BY t.device";
    let rows = tx.fetch_all(sql, values![schedule]).await?;
    let target = |row: &crate::Row| {
        Ok(Target {
            device: row.get("device")?,
            thumbprint: row.digest("thumbprint")?,
            index: row.int("target_index")?,
            proof: row.bytes("target_proof")?,
        })
    };
    rows.iter().map(target).collect()
}
