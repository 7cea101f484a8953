//! What makes a publication void: an edited script, a grown group, a publisher who may no longer publish, no device left.

use std::collections::BTreeSet;

use sallyport_decide::policy::{Capability, PublishSchedules};
use sallyport_decide::schedules::{MembershipRule, Void};
use sallyport_model::{DeviceId, ScheduleId, ScriptId, TenantId, Timestamp};
use serde_json::json;

use super::super::people::{devices_within, rights_of};
use super::super::runs::ToCancel;
use super::drop_waiting;
use super::read::{ScheduleRow, schedule, targets_of};
use crate::{Actor, Change, Entry, Reader, StoreError, Tx, values};

/// The approved devices that a rule means now.
pub async fn meant_by(reader: &mut Reader, tenant: TenantId, rule: &MembershipRule) -> Result<BTreeSet<DeviceId>, StoreError> {
    let sql = "SELECT d.id, d.tags FROM devices d JOIN sites s ON s.id = d.site WHERE d.tenant = $1 AND d.state = 'approved' \
               AND ($2 IS NULL OR s.customer = $2) AND ($3 IS NULL OR d.site = $3)";
    let mut meant = BTreeSet::new();
    for row in &reader.fetch_all(sql, values![tenant, rule.customer, rule.site]).await? {
        if rule.fits_tags(&row.text("tags")?) {
            meant.insert(row.get("id")?);
        }
    }
    Ok(meant)
}

pub(super) async fn grown_by(
    reader: &mut Reader,
    tenant: TenantId,
    rule: &MembershipRule,
    published: &BTreeSet<DeviceId>,
) -> Result<usize, StoreError> {
    Ok(MembershipRule::grown(&meant_by(reader, tenant, rule).await?, published))
}

pub(super) async fn script_void(reader: &mut Reader, tenant: TenantId, script: ScriptId, version: u32) -> Result<Option<Void>, StoreError> {
    let sql = "SELECT version FROM scripts WHERE tenant = $1 AND id = $2 AND deleted IS NULL";
    Ok(match reader.fetch_optional(sql, values![tenant, script]).await? {
        None => Some(Void::ScriptDeleted),
        Some(row) if row.get::<u32>("version")? != version => Some(Void::ScriptChanged),
        Some(_) => None,
    })
}

/// Why what was published is no longer so, where it is not.
pub async fn void_reason(reader: &mut Reader, row: &ScheduleRow, now: Timestamp) -> Result<Option<Void>, StoreError> {
    if let Some(void) = script_void(reader, row.tenant, row.script, row.script_version).await? {
        return Ok(Some(void));
    }
    // Which devices it grew by is read from a column of its own; that it is what people agreed to, from what was signed.
    if row.rule.as_ref().map(MembershipRule::digest) != row.published_as.rule {
        return Ok(Some(Void::RuleChanged));
    }
    let published = targets_of(reader, row.id).await?;
    if let Some(rule) = &row.rule
        && grown_by(reader, row.tenant, rule, &published).await? > 0
    {
        return Ok(Some(Void::GroupGrew));
    }
    let works = "SELECT 1 AS works FROM users WHERE id = $1 AND state = 'active' AND (expires IS NULL OR expires > $2)";
    let works = reader.fetch_optional(works, values![row.published_by_id, now]).await?.is_some();
    let reach = rights_of(reader, row.published_by_id).await?.reach(&PublishSchedules::ROW);
    let Some(reach) = reach.filter(|_| works) else { return Ok(Some(Void::PublisherGone)) };
    let within = devices_within(reader, row.tenant, &reach).await?;
    Ok((!published.iter().all(|device| within.has(device))).then_some(Void::PublisherGone))
}

/// Ends a publication that is void; nothing where it is not active any more.
pub struct VoidSchedule {
    pub tenant: TenantId,
    pub schedule: ScheduleId,
    pub why: Void,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for VoidSchedule {
    type Out = Vec<ToCancel>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<ToCancel>, StoreError> {
        let row = schedule(tx, self.tenant, self.schedule).await?;
        void(tx, (self.tenant, self.schedule, &row.name), self.why, Actor::System, (self.at, self.salt)).await
    }
}

pub(super) async fn void(
    tx: &mut Tx,
    (tenant, id, name): (TenantId, ScheduleId, &str),
    why: Void,
    actor: Actor,
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<Vec<ToCancel>, StoreError> {
    let sql = "UPDATE schedules SET state = 'voided', why = $3, changed = $4, changed_by = 'Sallyport', next_due = NULL, version = version + 1 \
               WHERE tenant = $1 AND id = $2 AND state IN ('active', 'paused')";
    tx.execute_versioned(sql, values![tenant, id, why.as_str(), at]).await?;
    let payload = json!({ "schedule": id, "name": name, "reason": why.as_str() });
    tx.append(tenant, Entry::new("schedule.voided", actor, at, salt, payload)).await?;
    drop_waiting(tx, (tenant, id), ("cancelled", "publication void"), (at, salt)).await
}

/// An edit or deletion voids every publication of the script, in the same commit.
pub(crate) async fn void_of_script(
    tx: &mut Tx,
    (tenant, script): (TenantId, ScriptId),
    why: Void,
    actor: Actor,
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<(), StoreError> {
    let sql = "SELECT id, name FROM schedules WHERE tenant = $1 AND script = $2 AND state IN ('active', 'paused') ORDER BY id";
    for row in &tx.fetch_all(sql, values![tenant, script]).await? {
        void(tx, (tenant, row.get("id")?, &row.text("name")?), why, actor, (at, salt)).await?;
    }
    Ok(())
}
