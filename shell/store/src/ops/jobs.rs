//! Jobs, runs and output as people read them. They are written in `execute` and `runs`.

use std::collections::BTreeMap;

use sallyport_decide::policy::Reach;
use sallyport_model::{DeviceId, Digest, GrantId, JobId, RunId, ScheduleId, ScriptId, TenantId, Timestamp, UserId};

use super::people::{Within, devices_within};
use crate::{Reader, Row, StoreError, values};

/// A job with the counts of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: JobId,
    pub grant: GrantId,
    pub script: ScriptId,
    pub version: u32,
    /// The signed envelope, verbatim: what ran is read from nothing else.
    pub envelope: String,
    pub requested_by: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub ended: Option<Timestamp>,
    pub log_index: u64,
    /// Where it is an occurrence of a schedule.
    pub occurrence: Option<OccurrenceRow>,
    /// How many runs are in which stored state.
    pub runs: BTreeMap<String, u64>,
}

/// An occurrence of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccurrenceRow {
    pub schedule: ScheduleId,
    pub name: String,
    pub due: Timestamp,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub script: Option<ScriptId>,
    pub device: Option<DeviceId>,
    pub requested_by: Option<UserId>,
    pub schedule: Option<ScheduleId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.grant_id, j.script, j.script_version, COALESCE(s.envelope, j.envelope) AS envelope, j.requested_by, j.created, \
             j.expires, j.ended, j.log_index, j.schedule, j.due, s.name AS schedule_name \
             FROM jobs j LEFT JOIN schedules s ON s.id = j.schedule WHERE j.tenant = $1 AND ",
            $rest
        )
    };
}

/// Whose jobs: of a tenant, as far as they run on devices within somebody's reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    pub tenant: TenantId,
    pub devices: Within<DeviceId>,
}

impl Whose {
    /// All jobs of a tenant.
    pub fn all(tenant: TenantId) -> Self {
        Self { tenant, devices: Within::All }
    }

    /// Those within a reach.
    pub async fn within(reader: &mut Reader, tenant: TenantId, reach: &Reach) -> Result<Self, StoreError> {
        Ok(Self { tenant, devices: devices_within(reader, tenant, reach).await? })
    }
}

/// The newest first, from the one after `after` on.
pub async fn list(
    reader: &mut Reader,
    whose: &Whose,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<JobRow>, StoreError> {
    let mut jobs = Vec::new();
    let mut after = after.unwrap_or(JobId::from_bytes([0xff; 16]));
    if filter.device.is_some_and(|device| !whose.devices.has(&device)) {
        return Ok(jobs);
    }
    loop {
        let rows = page(reader, whose.tenant, filter, after, limit).await?;
        for row in &rows {
            after = row.get("id")?;
            jobs.extend(with_runs(reader, whose, row).await?);
            if jobs.len() >= limit as usize {
                return Ok(jobs);
            }
        }
        if rows.len() < limit as usize {
            return Ok(jobs);
        }
    }
}

async fn page(reader: &mut Reader, tenant: TenantId, filter: &JobFilter, after: JobId, limit: u32) -> Result<Vec<Row>, StoreError> {
    let sql = select!(
        "j.id < $2 AND ($3 IS NULL OR j.script = $3) AND ($4 IS NULL OR j.requested_by_id = $4) \
         AND ($5 IS NULL OR EXISTS (SELECT 1 FROM runs r WHERE r.grant_id = j.grant_id AND r.device = $5)) \
         AND ($7 IS NULL OR j.schedule = $7) ORDER BY j.id DESC LIMIT $6"
    );
    reader.fetch_all(sql, values![tenant, after, filter.script, filter.requested_by, filter.device, limit, filter.schedule]).await
}

/// One job of the tenant; [`StoreError::NotFound`] too where none of its runs is within the reach.
pub async fn job(reader: &mut Reader, whose: &Whose, id: JobId) -> Result<JobRow, StoreError> {
    let row = reader.fetch_one(select!("j.id = $2"), values![whose.tenant, id]).await?;
    with_runs(reader, whose, &row).await?.ok_or(StoreError::NotFound)
}

/// The job with the counts of those of its runs that are within the reach; `None` where there are none.
async fn with_runs(reader: &mut Reader, whose: &Whose, row: &Row) -> Result<Option<JobRow>, StoreError> {
    let id: JobId = row.get("id")?;
    let runs = counts(reader, &whose.devices, id).await?;
    if runs.is_empty() && whose.devices != Within::All {
        return Ok(None);
    }
    Ok(Some(JobRow {
        id,
        grant: row.get("grant_id")?,
        script: row.get("script")?,
        version: row.get("script_version")?,
        envelope: row.text("envelope")?,
        requested_by: row.text("requested_by")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
        ended: row.time_opt("ended")?,
        log_index: row.uint("log_index")?,
        occurrence: occurrence(row)?,
        runs,
    }))
}

fn occurrence(row: &Row) -> Result<Option<OccurrenceRow>, StoreError> {
    let Some(schedule) = row.get_opt("schedule")? else { return Ok(None) };
    Ok(Some(OccurrenceRow { schedule, name: row.text("schedule_name")?, due: row.time("due")? }))
}

async fn counts(reader: &mut Reader, devices: &Within<DeviceId>, job: JobId) -> Result<BTreeMap<String, u64>, StoreError> {
    if *devices == Within::All {
        let sql = "SELECT state, COUNT(*) AS runs FROM runs WHERE job = $1 GROUP BY state";
        let rows = reader.fetch_all(sql, values![job]).await?;
        return rows.iter().map(|row| Ok((row.text("state")?, row.uint("runs")?))).collect();
    }
    let mut counts = BTreeMap::new();
    for row in &reader.fetch_all("SELECT device, state FROM runs WHERE job = $1", values![job]).await? {
        if devices.has(&row.get("device")?) {
            *counts.entry(row.text("state")?).or_default() += 1;
        }
    }
    Ok(counts)
}

/// A job on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    pub id: RunId,
    pub job: JobId,
    pub device: DeviceId,
    pub device_name: String,
    pub state: String,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    pub output_sha256: Option<Digest>,
    pub output_bytes: u64,
    pub next_chunk: u64,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// The device's signed receipt, verbatim.
    pub receipt: Option<String>,
}

macro_rules! select_runs {
    ($rest:literal) => {
        concat!("SELECT r.*, d.name AS device_name FROM runs r JOIN devices d ON d.id = r.device WHERE r.tenant = $1 AND ", $rest)
    };
}

/// Runs of a job in the order of their ids, from the one after `after` on; in one stored state where it is named.
pub async fn runs(
    reader: &mut Reader,
    whose: &Whose,
    job: JobId,
    state: Option<&str>,
    after: Option<RunId>,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.unwrap_or(RunId::from_bytes([0; 16]));
    let sql = select_runs!("r.job = $2 AND r.id > $3 AND ($4 IS NULL OR r.state = $4) ORDER BY r.id LIMIT $5");
    loop {
        let rows = reader.fetch_all(sql, values![whose.tenant, job, after, state, limit]).await?;
        for row in &rows {
            after = row.get("id")?;
            if whose.devices.has(&row.get("device")?) {
                found.push(run_row(row)?);
            }
            if found.len() >= limit as usize {
                return Ok(found);
            }
        }
        if rows.len() < limit as usize {
            return Ok(found);
        }
    }
}

/// One run of the tenant; [`StoreError::NotFound`] too where its device is out of reach.
pub async fn run(reader: &mut Reader, whose: &Whose, id: RunId) -> Result<RunRow, StoreError> {
    let run = run_row(&reader.fetch_one(select_runs!("r.id = $2"), values![whose.tenant, id]).await?)?;
    if whose.devices.has(&run.device) { Ok(run) } else { Err(StoreError::NotFound) }
}

fn run_row(row: &Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: row.get("id")?,
        job: row.get("job")?,
        device: row.get("device")?,
        device_name: row.text("device_name")?,
        state: row.text("state")?,
        exit_code: row.get_opt("exit_code")?,
        signal: row.get_opt("ended_by_signal")?,
        reason: row.text_opt("reason")?,
        output_sha256: row.digest_opt("output_sha256")?,
        output_bytes: row.uint("output_bytes")?,
        next_chunk: row.uint("next_chunk")?,
        started: row.time_opt("started")?,
        ended: row.time_opt("ended")?,
        receipt: row.text_opt("receipt")?,
    })
}

/// A stored chunk of output, bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub seq: u64,
    pub stream: u8,
    pub content: Vec<u8>,
}

/// Chunks from `from` on, in order. The caller has found the run in its tenant.
pub async fn chunks(reader: &mut Reader, run: RunId, from: u64, limit: u32) -> Result<Vec<Chunk>, StoreError> {
    let sql = "SELECT seq, stream, content FROM output_chunks WHERE run = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    reader.fetch_all(sql, values![run, from, limit]).await?.iter().map(chunk).collect()
}

/// The last chunks of one stream before `before`, in order.
pub async fn chunks_before(reader: &mut Reader, run: RunId, stream: u8, before: u64, limit: u32) -> Result<Vec<Chunk>, StoreError> {
    let sql = "SELECT seq, stream, content FROM output_chunks WHERE run = $1 AND seq < $2 AND stream = $3 ORDER BY seq DESC LIMIT $4";
    let rows = reader.fetch_all(sql, values![run, before, stream, limit]).await?;
    rows.iter().rev().map(chunk).collect()
}

fn chunk(row: &Row) -> Result<Chunk, StoreError> {
    Ok(Chunk { seq: row.uint("seq")?, stream: row.get("stream")?, content: row.bytes("content")? })
}
