//! Schedules as they are stored.

use std::collections::BTreeSet;

use sallyport_decide::schedules::{MembershipRule, ScheduleState};
use sallyport_grant::body::{Body, GrantBody, RunSchedule};
use sallyport_grant::{Envelope, PayloadType};
use sallyport_model::{DeviceId, Digest, GrantId, ScheduleId, ScriptId, TenantId, Timestamp, UserId};

use crate::{Reader, Row, StoreError, values};

/// A published schedule.
#[derive(Debug, Clone)]
pub struct ScheduleRow {
    pub id: ScheduleId,
    pub tenant: TenantId,
    pub name: String,
    pub script: ScriptId,
    pub script_version: u32,
    pub state: ScheduleState,
    pub why: Option<String>,
    pub changed: Timestamp,
    pub changed_by: String,
    pub grant: GrantId,
    pub digest: Digest,
    /// What was signed: what it does is read from nothing else.
    pub published_as: RunSchedule,
    pub rule: Option<MembershipRule>,
    pub rule_words: Option<String>,
    pub published: Timestamp,
    pub published_by: String,
    pub published_by_id: UserId,
    pub expires: Timestamp,
    pub log_index: u64,
    pub decided: Timestamp,
    pub next_due: Option<Timestamp>,
    pub missed: u64,
    pub version: u64,
    /// How many devices were published.
    pub targets: u64,
}

/// Which schedules a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleFilter {
    pub state: Option<ScheduleState>,
    pub script: Option<ScriptId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT s.*, (SELECT COUNT(*) FROM schedule_targets t WHERE t.schedule = s.id) AS targets FROM schedules s WHERE ", $rest)
    };
}

/// Those of a tenant, the newest first, from the one after `after` on.
pub async fn list(
    reader: &mut Reader,
    tenant: TenantId,
    filter: &ScheduleFilter,
    after: Option<ScheduleId>,
    limit: u32,
) -> Result<Vec<ScheduleRow>, StoreError> {
    let sql = select!(
        "s.tenant = $1 AND s.id < $2 AND ($3 IS NULL OR s.state = $3) AND ($4 IS NULL OR s.script = $4) ORDER BY s.id DESC LIMIT $5"
    );
    let after = after.unwrap_or(ScheduleId::from_bytes([0xff; 16]));
    let state = filter.state.map(ScheduleState::as_str);
    reader.fetch_all(sql, values![tenant, after, state, filter.script, limit]).await?.iter().map(read).collect()
}

/// One of a tenant.
pub async fn schedule(reader: &mut Reader, tenant: TenantId, id: ScheduleId) -> Result<ScheduleRow, StoreError> {
    read(&reader.fetch_one(select!("s.tenant = $1 AND s.id = $2"), values![tenant, id]).await?)
}

/// Active ones of all tenants with something to decide by now.
pub async fn due_before(reader: &mut Reader, now: Timestamp) -> Result<Vec<ScheduleRow>, StoreError> {
    let sql = select!("s.state = 'active' AND (s.next_due <= $1 OR s.expires <= $1) ORDER BY s.next_due, s.id LIMIT 100");
    reader.fetch_all(sql, values![now]).await?.iter().map(read).collect()
}

/// Active ones of all tenants.
pub async fn active(reader: &mut Reader) -> Result<Vec<ScheduleRow>, StoreError> {
    reader.fetch_all(select!("s.state = 'active' ORDER BY s.id"), &[]).await?.iter().map(read).collect()
}

/// The devices that were published.
pub async fn targets_of(reader: &mut Reader, schedule: ScheduleId) -> Result<BTreeSet<DeviceId>, StoreError> {
    let sql = "SELECT device FROM schedule_targets WHERE schedule = $1";
    reader.fetch_all(sql, values![schedule]).await?.iter().map(|row| row.get("device")).collect()
}

pub(super) fn read(row: &Row) -> Result<ScheduleRow, StoreError> {
    let rule = row.text_opt("rule")?.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| StoreError::Corrupt("rule"))?;
    Ok(ScheduleRow {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        name: row.text("name")?,
        script: row.get("script")?,
        script_version: row.get("script_version")?,
        state: row.parse("state")?,
        why: row.text_opt("why")?,
        changed: row.time("changed")?,
        changed_by: row.text("changed_by")?,
        grant: row.get("grant_id")?,
        digest: row.digest("digest")?,
        published_as: published_as(&row.text("envelope")?).ok_or(StoreError::Corrupt("envelope"))?,
        rule,
        rule_words: row.text_opt("rule_words")?,
        published: row.time("published")?,
        published_by: row.text("published_by")?,
        published_by_id: row.get("published_by_id")?,
        expires: row.time("expires")?,
        log_index: row.uint("log_index")?,
        decided: row.time("decided")?,
        next_due: row.time_opt("next_due")?,
        missed: row.uint("missed")?,
        version: row.uint("version")?,
        targets: row.uint("targets")?,
    })
}

fn published_as(envelope: &str) -> Option<RunSchedule> {
    let envelope = Envelope::parse(envelope.as_bytes(), PayloadType::Grant).ok()?;
    GrantBody::parse(envelope.payload()).ok()?.action.schedule().cloned()
}
