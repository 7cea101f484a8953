//! Jobs, runs and output as people read them. They are written in `execute` and `runs`.

use std::collections::BTreeMap;

use sallyport_model::{DeviceId, Digest, GrantId, JobId, RunId, ScriptId, TenantId, Timestamp, UserId};

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
    /// How many runs are in which stored state.
    pub runs: BTreeMap<String, u64>,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub script: Option<ScriptId>,
    pub device: Option<DeviceId>,
    pub requested_by: Option<UserId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.grant_id, j.script, j.script_version, j.envelope, j.requested_by, j.created, j.expires, j.ended, j.log_index \
             FROM jobs j WHERE j.tenant = $1 AND ",
            $rest
        )
    };
}

/// The newest first, from the one after `after` on.
pub async fn list(
    reader: &mut Reader,
    tenant: TenantId,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<JobRow>, StoreError> {
    let after = after.unwrap_or(JobId::from_bytes([0xff; 16]));
    let sql = select!(
        "j.id < $2 AND ($3 IS NULL OR j.script = $3) AND ($4 IS NULL OR j.requested_by_id = $4) \
         AND ($5 IS NULL OR EXISTS (SELECT 1 FROM runs r WHERE r.grant_id = j.grant_id AND r.device = $5)) \
         ORDER BY j.id DESC LIMIT $6"
    );
    let args = values![tenant, after, filter.script, filter.requested_by, filter.device, limit];
    let rows = reader.fetch_all(sql, args).await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        jobs.push(with_runs(reader, row).await?);
    }
    Ok(jobs)
}

/// One job of the tenant.
pub async fn job(reader: &mut Reader, tenant: TenantId, id: JobId) -> Result<JobRow, StoreError> {
    let row = reader.fetch_one(select!("j.id = $2"), values![tenant, id]).await?;
    with_runs(reader, &row).await
}

async fn with_runs(reader: &mut Reader, row: &Row) -> Result<JobRow, StoreError> {
    let id: JobId = row.get("id")?;
    let sql = "SELECT state, COUNT(*) AS runs FROM runs WHERE job = $1 GROUP BY state";
    let counts = reader.fetch_all(sql, values![id]).await?;
    Ok(JobRow {
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
        runs: counts.iter().map(|row| Ok((row.text("state")?, row.uint("runs")?))).collect::<Result<_, StoreError>>()?,
    })
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
    tenant: TenantId,
    job: JobId,
    state: Option<&str>,
    after: Option<RunId>,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let after = after.unwrap_or(RunId::from_bytes([0; 16]));
    let sql = select_runs!("r.job = $2 AND r.id > $3 AND ($4 IS NULL OR r.state = $4) ORDER BY r.id LIMIT $5");
    reader.fetch_all(sql, values![tenant, job, after, state, limit]).await?.iter().map(run_row).collect()
}

/// One run of the tenant.
pub async fn run(reader: &mut Reader, tenant: TenantId, id: RunId) -> Result<RunRow, StoreError> {
    run_row(&reader.fetch_one(select_runs!("r.id = $2"), values![tenant, id]).await?)
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
