//! Publishing: the schedule stands from the commit on that logs its grant.

use sallyport_decide::actions::{PublishSchedule, Released};
use sallyport_decide::schedules::next;
use sallyport_grant::Envelope;
use sallyport_grant::body::{Body, GrantBody, RunSchedule};
use sallyport_grant::log::grant_leaf_data;
use sallyport_grant::targets::TargetTree;
use sallyport_model::{ScheduleId, TenantId, Timestamp, limits};
use serde_json::json;

use super::drop_waiting;
use super::void::{grown_by, script_void};
use crate::{Actor, Entry, Reader, StoreError, Tx, values};

/// Writes a released publication; [`StoreError::Conflict`] where what was frozen is no longer so.
pub(crate) async fn publish(
    tx: &mut Tx,
    (released, action): (&Released, &PublishSchedule),
    envelope: &Envelope,
    salt: [u8; 32],
) -> Result<u64, StoreError> {
    let (frozen, at) = (released.frozen(), released.at());
    let tenant = frozen.asker.tenant;
    let body = GrantBody::parse(envelope.payload()).map_err(|_| StoreError::Corrupt("envelope"))?;
    let published = body.action.schedule().ok_or(StoreError::Corrupt("envelope"))?;
    check_ground(tx, tenant, action, at).await?;
    if let Some(old) = action.replaces {
        replace(tx, tenant, old, (&frozen.asker.name, at, salt)).await?;
    }
    let payload = payload((released, action), &body, published, envelope);
    let entry = Entry::grant("schedule.published", Actor::of(&frozen.asker), at, grant_leaf_data(envelope, &body), payload);
    let log_index = tx.append(tenant, entry).await?;
    insert(tx, (released, action), envelope, &body, log_index).await?;
    insert_targets(tx, tenant, action, &body).await?;
    Ok(log_index)
}

fn payload(
    (released, action): (&Released, &PublishSchedule),
    body: &GrantBody,
    published: &RunSchedule,
    envelope: &Envelope,
) -> serde_json::Value {
    let frozen = released.frozen();
    json!({ "schedule": action.schedule, "name": action.name, "grant": body.id, "script": action.run.script,
        "script_name": published.run.name, "version": action.run.version, "sha256": published.run.script_sha256, "cron": published.terms.cron,
        "zone": published.terms.zone, "targets": action.run.targets.len(), "rule": action.rule, "expires": body.expires,
        "replaces": action.replaces, "class": u8::from(frozen.class), "request": frozen.id, "digest": envelope.digest(),
        "proofs": released.proofs() })
}

async fn insert(
    tx: &mut Tx,
    (released, action): (&Released, &PublishSchedule),
    envelope: &Envelope,
    body: &GrantBody,
    log_index: u64,
) -> Result<(), StoreError> {
    let (asker, at) = (&released.frozen().asker, released.at());
    let terms = body.action.schedule().map(|schedule| &schedule.terms).ok_or(StoreError::Corrupt("envelope"))?;
    let next_due = next(terms, at, body.expires).map_err(|_| StoreError::Corrupt("cron"))?;
    let rule = action.rule.as_ref().map(serde_json::to_string).transpose().map_err(|_| StoreError::Corrupt("rule"))?;
    let text = String::from_utf8(envelope.to_bytes()).map_err(|_| StoreError::Corrupt("envelope"))?;
    let sql = "INSERT INTO schedules (id, tenant, name, script, script_version, state, changed, changed_by, grant_id, envelope, digest, content, \
               rule, rule_words, published, published_by, published_by_id, expires, log_index, decided, next_due, missed, version) \
               VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8, $9, $10, $11, $12, $13, $6, $7, $14, $15, $16, $6, $17, 0, 1)";
    let args = values![
        action.schedule,
        asker.tenant,
        action.name,
        action.run.script,
        action.run.version,
        at,
        asker.name,
        body.id,
        text,
        envelope.digest(),
        action.run.text,
        rule,
        action.rule_words,
        asker.user,
        body.expires,
        log_index,
        next_due,
    ];
    tx.execute(sql, args).await.map(|_| ())
}

/// The script is as it was shown, and the group means nobody else.
async fn check_ground(tx: &mut Tx, tenant: TenantId, action: &PublishSchedule, at: Timestamp) -> Result<(), StoreError> {
    let devices = action.run.targets.iter().map(|target| target.device).collect();
    let grown = match &action.rule {
        Some(rule) => grown_by(tx, tenant, rule, &devices).await?,
        None => 0,
    };
    let count = living(tx, tenant, at).await?;
    let void = script_void(tx, tenant, action.run.script, action.run.version).await?;
    let fits = void.is_none() && grown == 0 && count < limits::SCHEDULES;
    if fits { Ok(()) } else { Err(StoreError::Conflict) }
}

/// How many schedules of a tenant are active or paused.
pub async fn living(reader: &mut Reader, tenant: TenantId, now: Timestamp) -> Result<usize, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM schedules WHERE tenant = $1 AND state IN ('active', 'paused') AND expires > $2";
    reader.fetch_one(sql, values![tenant, now]).await?.get("n")
}

async fn replace(tx: &mut Tx, tenant: TenantId, old: ScheduleId, (by, at, salt): (&str, Timestamp, [u8; 32])) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET state = 'stopped', why = 'replaced', changed = $3, changed_by = $4, next_due = NULL, version = version + 1 \
               WHERE tenant = $1 AND id = $2";
    tx.execute_versioned(sql, values![tenant, old, at, by]).await?;
    drop_waiting(tx, (tenant, old), ("cancelled", by), (at, salt)).await?;
    Ok(())
}

async fn insert_targets(tx: &mut Tx, tenant: TenantId, action: &PublishSchedule, body: &GrantBody) -> Result<(), StoreError> {
    let broken = || StoreError::Corrupt("targets");
    let targets = &action.run.targets;
    let tree = TargetTree::build(tenant, targets.iter().map(|target| target.thumbprint)).map_err(|_| broken())?;
    if tree.targets() != body.targets {
        return Err(broken());
    }
    let mut rows = Vec::with_capacity(targets.len());
    for target in targets {
        let proof = tree.proof(target.thumbprint).ok_or_else(broken)?;
        let hashes: Vec<u8> = proof.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        rows.push(values![action.schedule, target.device, target.thumbprint.0, proof.index, hashes].to_vec());
    }
    tx.insert_rows("schedule_targets", &["schedule", "device", "thumbprint", "target_index", "target_proof"], &rows).await
}
