//! Runs as their devices report them. What a device says is kept once, in order, and never undone by a repetition.

use sallyport_decide::webhooks::{Event, EventKind};
use sallyport_model::{DeviceId, Digest, GrantId, JobId, RunId, TenantId, Timestamp, limits};
use serde_json::json;

use super::people::Within;
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, ToValue as _, Tx, values};

/// A run as the hub offers it.
#[derive(Debug, Clone)]
pub struct Offered {
    pub grant: GrantId,
    pub job: JobId,
    pub run: RunId,
    pub device: DeviceId,
    pub target_index: u32,
    pub target_proof: Vec<Digest>,
}

/// What all offers of a job share.
#[derive(Debug, Clone)]
pub struct JobParts {
    pub envelope: Vec<u8>,
    pub content: Vec<u8>,
    pub log_index: u64,
    pub has_secrets: bool,
    /// Of a published schedule: which occurrence.
    pub due: Option<Timestamp>,
}

fn offered(row: &Row) -> Result<Offered, StoreError> {
    let proof = row.bytes("target_proof")?;
    Ok(Offered {
        grant: row.get("grant_id")?,
        job: row.get("job")?,
        run: row.get("id")?,
        device: row.get("device")?,
        target_index: u32::try_from(row.int("target_index")?).map_err(|_| StoreError::Corrupt("target_index"))?,
        target_proof: proof
            .chunks(32)
            .map(|hash| hash.try_into().map(Digest::from_bytes).map_err(|_| StoreError::Corrupt("target_proof")))
            .collect::<Result<_, _>>()?,
    })
}

/// Runs of a device that wait and whose grant still lives; none for a device that receives nothing.
pub async fn waiting_of_device(reader: &mut Reader, device: DeviceId, now: Timestamp) -> Result<Vec<Offered>, StoreError> {
    let sql = "SELECT r.* FROM runs r JOIN jobs j ON j.id = r.job JOIN devices d ON d.id = r.device \
               WHERE r.device = $1 AND r.state = 'waiting' AND j.expires > $2 AND d.state = 'approved' \
               AND r.held_until IS NULL ORDER BY r.id LIMIT 100";
    reader.fetch_all(sql, values![device, now]).await?.iter().map(offered).collect()
}

/// All waiting runs of a job, but for those of devices that receive nothing.
pub async fn waiting_of_job(reader: &mut Reader, job: JobId) -> Result<Vec<Offered>, StoreError> {
    let sql = "SELECT r.* FROM runs r JOIN devices d ON d.id = r.device \
               WHERE r.job = $1 AND r.state = 'waiting' AND r.held_until IS NULL AND d.state = 'approved'";
    reader.fetch_all(sql, values![job]).await?.iter().map(offered).collect()
}

/// What all offers of a job share.
pub async fn job_parts(reader: &mut Reader, tenant: TenantId, job: JobId) -> Result<JobParts, StoreError> {
    let sql = "SELECT COALESCE(s.envelope, j.envelope) AS envelope, COALESCE(s.content, j.content) AS content, j.log_index, j.grant_id, j.due \
               FROM jobs j LEFT JOIN schedules s ON s.id = j.schedule WHERE j.tenant = $1 AND j.id = $2";
    let row = reader.fetch_one(sql, values![tenant, job]).await?;
    let grant: GrantId = row.get("grant_id")?;
    let secrets = reader.fetch_optional("SELECT 1 AS any FROM sealed_secrets WHERE grant_id = $1 LIMIT 1", values![grant]).await?;
    Ok(JobParts {
        envelope: row.text("envelope")?.into_bytes(),
        content: row.text("content")?.into_bytes(),
        log_index: row.uint("log_index")?,
        has_secrets: secrets.is_some(),
        due: row.time_opt("due")?,
    })
}

/// Sealed secrets of one run: name and sealed value.
pub async fn secrets(reader: &mut Reader, grant: GrantId, device: DeviceId) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let sql = "SELECT name, sealed FROM sealed_secrets WHERE grant_id = $1 AND device = $2 ORDER BY name";
    let rows = reader.fetch_all(sql, values![grant, device]).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.bytes("sealed")?))).collect()
}

/// Running runs of a device that somebody cancelled: told again after each reconnect.
pub async fn cancelled_of_device(reader: &mut Reader, device: DeviceId) -> Result<Vec<GrantId>, StoreError> {
    let sql = "SELECT grant_id FROM runs WHERE device = $1 AND state = 'running' AND cancelled_by IS NOT NULL";
    reader.fetch_all(sql, values![device]).await?.iter().map(|row| row.get("grant_id")).collect()
}

/// Which run a report was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub run: RunId,
    pub job: JobId,
    pub state: String,
    pub next_chunk: u64,
}

async fn reported(tx: &mut Tx, grant: GrantId, device: DeviceId) -> Result<(Reported, Row), StoreError> {
    // A device can name only its own runs: the grant of another device's run finds nothing.
    let row = tx.fetch_one("SELECT * FROM runs WHERE grant_id = $1 AND device = $2", values![grant, device]).await?;
    let report = Reported { run: row.get("id")?, job: row.get("job")?, state: row.text("state")?, next_chunk: row.uint("next_chunk")? };
    Ok((report, row))
}

/// A device began a run.
pub struct Started {
    pub grant: GrantId,
    pub device: DeviceId,
    pub at: Timestamp,
}

impl Change for Started {
    type Out = Reported;
    const AUDIT: Audit = Audit::Exempt("progress of a run whose grant is in the log");

    async fn apply(&self, tx: &mut Tx) -> Result<Reported, StoreError> {
        let (mut report, row) = reported(tx, self.grant, self.device).await?;
        if row.text_opt("receipt")?.is_none() && report.state != "running" {
            tx.execute("UPDATE runs SET state = 'running', started = $2 WHERE id = $1", values![report.run, self.at]).await?;
            if is_over(&report.state) {
                tx.execute("UPDATE jobs SET left_runs = left_runs + 1, ended = NULL WHERE id = $1", values![report.job]).await?;
            }
            "running".clone_into(&mut report.state);
        }
        Ok(report)
    }
}

/// A device sent a chunk of output.
pub struct KeepOutput {
    pub grant: GrantId,
    pub device: DeviceId,
    pub seq: u64,
    pub stream: u8,
    pub content: Vec<u8>,
}

impl Change for KeepOutput {
    type Out = Reported;
    const AUDIT: Audit = Audit::Exempt("output of a run whose grant is in the log; its digest is in the device's receipt");

    async fn apply(&self, tx: &mut Tx) -> Result<Reported, StoreError> {
        let (mut report, row) = reported(tx, self.grant, self.device).await?;
        let bytes = row.uint("output_bytes")? + self.content.len() as u64;
        // A repetition is acknowledged again; a gap, nothing at all, or more than any run may keep, is not stored.
        if self.seq != report.next_chunk
            || self.content.is_empty()
            || row.text_opt("receipt")?.is_some()
            || bytes > limits::RUN_OUTPUT_BYTES
        {
            return Ok(report);
        }
        let sql = "INSERT INTO output_chunks (run, seq, stream, content) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, values![report.run, self.seq, self.stream, self.content]).await?;
        report.next_chunk += 1;
        let sql = "UPDATE runs SET next_chunk = $2, output_bytes = $3 WHERE id = $1";
        tx.execute(sql, values![report.run, report.next_chunk, bytes]).await?;
        Ok(report)
    }
}

/// A device's signed receipt, as the server verified it.
pub struct Ended {
    pub tenant: TenantId,
    pub grant: GrantId,
    pub device: DeviceId,
    /// The run's final state.
    pub state: &'static str,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    pub output_sha256: Digest,
    pub started: Option<Timestamp>,
    pub ended: Timestamp,
    pub receipt: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Ended {
    type Out = Reported;
    const AUDIT: Audit = Audit::Exempt("the device's signed receipt is kept whole; refusals and the end of the job are logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Reported, StoreError> {
        let (mut report, row) = reported(tx, self.grant, self.device).await?;
        if row.text_opt("receipt")?.is_some() {
            return Ok(report);
        }
        let sql = "UPDATE runs SET state = $2, exit_code = $3, ended_by_signal = $4, reason = $5, output_sha256 = $6, started = COALESCE($7, started), \
                   ended = $8, receipt = $9 WHERE id = $1";
        let args = values![
            report.run,
            self.state,
            self.exit_code,
            self.signal,
            self.reason,
            self.output_sha256,
            self.started,
            self.ended,
            self.receipt,
        ];
        tx.execute(sql, args).await?;
        tx.execute("DELETE FROM sealed_secrets WHERE grant_id = $1 AND device = $2", values![self.grant, self.device]).await?;
        if self.state == "refused" {
            let payload = json!({ "job": report.job, "run": report.run, "reason": self.reason });
            tx.append(self.tenant, Entry::new("run.refused", Actor::Device(self.device), self.at, self.salt, payload)).await?;
        }
        if report.state != self.state {
            let over = Over { run: report.run, job: report.job, device: self.device, state: self.state, exit_code: self.exit_code };
            over.announce(tx, self.tenant, self.at);
        }
        if !is_over(&report.state) {
            one_less(tx, self.tenant, report.job, self.at, self.salt).await?;
        }
        self.state.clone_into(&mut report.state);
        Ok(report)
    }
}

/// Cancelled and expired runs count as over until their device says otherwise with a receipt.
fn is_over(state: &str) -> bool {
    !matches!(state, "waiting" | "running")
}

/// A run that is over, as webhooks are told: never with what it wrote.
pub(super) struct Over<'a> {
    pub(super) run: RunId,
    pub(super) job: JobId,
    pub(super) device: DeviceId,
    pub(super) state: &'a str,
    pub(super) exit_code: Option<i32>,
}

impl Over<'_> {
    /// A device may have another last word than what was taken for its end: each is told.
    pub(super) fn announce(&self, tx: &mut Tx, tenant: TenantId, at: Timestamp) {
        let data = json!({ "run": self.run, "job": self.job, "device": self.device, "state": self.state, "exit_code": self.exit_code });
        let key = [self.run.as_bytes().as_slice(), self.state.as_bytes(), &at.micros().to_be_bytes()].concat();
        tx.announce(tenant, at, &key, Event { kind: EventKind::RunFinished, data });
    }
}

pub(super) async fn one_less(tx: &mut Tx, tenant: TenantId, job: JobId, at: Timestamp, salt: [u8; 32]) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET left_runs = left_runs - 1 WHERE id = $1 RETURNING left_runs";
    if tx.fetch_one(sql, values![job]).await?.int("left_runs")? > 0 {
        return Ok(());
    }
    tx.execute("UPDATE jobs SET ended = $2 WHERE id = $1", values![job, at]).await?;
    let rows = tx.fetch_all("SELECT state, COUNT(*) AS runs FROM runs WHERE job = $1 GROUP BY state ORDER BY state", values![job]).await?;
    let mut counts = serde_json::Map::new();
    for row in &rows {
        counts.insert(row.text("state")?, json!(row.int("runs")?));
    }
    tx.append(tenant, Entry::new("job.ended", Actor::System, at, salt, json!({ "job": job, "runs": counts }))).await?;
    Ok(())
}

/// Runs that are to be cancelled: of a job, or one.
#[derive(Debug, Clone, Copy)]
pub enum CancelWhat {
    Job(JobId),
    Run(RunId),
}

/// Somebody cancels. Waiting runs are over at once; running ones once their device says so. [`StoreError::NotFound`] where there are none
/// of these devices, [`StoreError::Conflict`] where all of them are over.
pub struct Cancel {
    pub tenant: TenantId,
    /// Only runs of these devices.
    pub devices: Within<DeviceId>,
    pub what: CancelWhat,
    pub by: Actor,
    pub by_name: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Cancel {
    fn within(&self, mut rows: Vec<Row>) -> Vec<Row> {
        rows.retain(|row| row.get("device").is_ok_and(|device| self.devices.has(&device)));
        rows
    }
}

/// A device to be told that a run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToCancel {
    pub device: DeviceId,
    pub grant: GrantId,
    pub job: JobId,
}

impl Change for Cancel {
    type Out = Vec<ToCancel>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<ToCancel>, StoreError> {
        let (live, any, id) = match self.what {
            CancelWhat::Job(job) => (
                "SELECT * FROM runs WHERE tenant = $1 AND job = $2 AND state IN ('waiting', 'running')",
                "SELECT device FROM runs WHERE tenant = $1 AND job = $2",
                job.to_value(),
            ),
            CancelWhat::Run(run) => (
                "SELECT * FROM runs WHERE tenant = $1 AND id = $2 AND state IN ('waiting', 'running')",
                "SELECT device FROM runs WHERE tenant = $1 AND id = $2",
                run.to_value(),
            ),
        };
        let rows = self.within(tx.fetch_all(live, values![self.tenant, id]).await?);
        if rows.is_empty() {
            let over = self.within(tx.fetch_all(any, values![self.tenant, id]).await?);
            return Err(if over.is_empty() { StoreError::NotFound } else { StoreError::Conflict });
        }
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            let (run, job): (RunId, JobId) = (row.get("id")?, row.get("job")?);
            let waiting = row.text("state")? == "waiting";
            let state = if waiting { "cancelled" } else { "running" };
            tx.execute("UPDATE runs SET state = $2, cancelled_by = $3 WHERE id = $1", values![run, state, self.by_name]).await?;
            if waiting {
                Over { run, job, device: row.get("device")?, state, exit_code: None }.announce(tx, self.tenant, self.at);
                one_less(tx, self.tenant, job, self.at, self.salt).await?;
            }
            told.push(ToCancel { device: row.get("device")?, grant: row.get("grant_id")?, job });
        }
        let (job, run) = match self.what {
            CancelWhat::Job(job) => (Some(job), None),
            CancelWhat::Run(run) => (told.first().map(|first| first.job), Some(run)),
        };
        let payload = json!({ "job": job, "run": run, "runs": told.len() });
        tx.append(self.tenant, Entry::new("run.cancelled", self.by, self.at, self.salt, payload)).await?;
        Ok(told)
    }
}

/// Ends runs whose device did not come back: waiting ones once the grant lapsed, running ones once no script of that grant
/// can still run. A device that comes back later has the last word, by its receipt.
pub struct ExpireRuns {
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ExpireRuns {
    type Out = Vec<(TenantId, JobId)>;
    const AUDIT: Audit = Audit::Exempt("the grant's own end is in the log; the end of the job is logged with its counts");

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<(TenantId, JobId)>, StoreError> {
        let sql = "SELECT r.id, r.job, r.tenant, r.device, r.state FROM runs r JOIN jobs j ON j.id = r.job \
                   WHERE (r.state = 'waiting' AND j.expires <= $1) OR (r.state = 'running' AND j.expires <= $2) LIMIT 1000";
        let rows = tx.fetch_all(sql, values![self.at, silent_since(self.at)]).await?;
        let mut jobs = Vec::new();
        for row in &rows {
            let (tenant, job) = (row.get("tenant")?, row.get("job")?);
            let (state, reason) = if row.text("state")? == "waiting" { ("expired", None) } else { ("interrupted", Some("device_silent")) };
            let run: RunId = row.get("id")?;
            tx.execute("UPDATE runs SET state = $2, reason = $3 WHERE id = $1", values![run, state, reason]).await?;
            Over { run, job, device: row.get("device")?, state, exit_code: None }.announce(tx, tenant, self.at);
            one_less(tx, tenant, job, self.at, self.salt).await?;
            jobs.push((tenant, job));
        }
        jobs.dedup();
        Ok(jobs)
    }
}

/// Grants that lapsed before this moment have no script running any more: none may run for longer.
pub(super) fn silent_since(now: Timestamp) -> Timestamp {
    now.plus_secs(-i64::from(limits::RUN_TIME_LIMIT_SECS) - limits::GRANT_LIFETIME_SECS)
}
