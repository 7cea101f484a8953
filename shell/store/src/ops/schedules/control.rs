//! Pausing and stopping, which only make less happen; and letting a paused schedule go on, if it still is what was published.

use sallyport_decide::policy::{Actor as Person, Permit, PublishSchedules, Reach, StopSchedules};
use sallyport_decide::schedules::{ScheduleState, Void, next};
use sallyport_model::{ScheduleId, TenantId, Timestamp, UserId};
use serde_json::json;

use super::super::people::devices_within;
use super::super::runs::ToCancel;
use super::drop_waiting;
use super::read::{ScheduleRow, schedule, targets_of};
use super::void::{void, void_reason};
use crate::{Actor, Change, Entry, StoreError, Tx, values};

/// What somebody orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing begins until it is resumed.
    Pause,
    /// Nothing begins any more.
    Stop,
}

/// Pauses or stops a schedule; what no device has begun is cancelled. [`StoreError::Conflict`] where there is nothing to pause or stop.
pub struct Control {
    pub permit: Permit<StopSchedules>,
    pub schedule: ScheduleId,
    pub order: Order,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Control {
    type Out = Vec<ToCancel>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<ToCancel>, StoreError> {
        let actor = self.permit.actor();
        let row = reached(tx, actor, self.permit.reach(), self.schedule).await?;
        let (state, kind) = match (self.order, row.state) {
            (Order::Pause, ScheduleState::Active) => (ScheduleState::Paused, "schedule.paused"),
            (Order::Stop, ScheduleState::Active | ScheduleState::Paused | ScheduleState::Voided) => {
                (ScheduleState::Stopped, "schedule.stopped")
            }
            _ => return Err(StoreError::Conflict),
        };
        set(tx, &row, (state, None), (&actor.name, self.at)).await?;
        let payload = json!({ "schedule": row.id, "name": row.name });
        tx.append(actor.tenant, Entry::new(kind, Actor::of(actor), self.at, self.salt, payload)).await?;
        drop_waiting(tx, (actor.tenant, row.id), ("cancelled", &actor.name), (self.at, self.salt)).await
    }
}

/// Lets a paused schedule go on. What came while it was paused is not caught up with.
pub struct Resume {
    pub permit: Permit<PublishSchedules>,
    pub schedule: ScheduleId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It runs again.
    Active,
    /// What was published is no longer so: it must be published anew.
    Void(Void),
}

impl Change for Resume {
    type Out = Resumed;

    async fn apply(&self, tx: &mut Tx) -> Result<Resumed, StoreError> {
        let actor = self.permit.actor();
        let row = reached(tx, actor, self.permit.reach(), self.schedule).await?;
        if row.state != ScheduleState::Paused || self.at >= row.expires {
            return Err(StoreError::Conflict);
        }
        if let Some(why) = void_reason(tx, &row, self.at).await? {
            void(tx, (row.tenant, row.id, &row.name), why, Actor::of(actor), (self.at, self.salt)).await?;
            return Ok(Resumed::Void(why));
        }
        // A clock that was set back must not bring back what was decided.
        let decided = self.at.max(row.decided);
        let next_due = next(&row.published_as.terms, decided, row.expires).map_err(|_| StoreError::Corrupt("cron"))?;
        set(tx, &row, (ScheduleState::Active, next_due), (&actor.name, self.at)).await?;
        tx.execute("UPDATE schedules SET decided = $2 WHERE id = $1", values![row.id, decided]).await?;
        let payload = json!({ "schedule": row.id, "name": row.name });
        tx.append(actor.tenant, Entry::new("schedule.resumed", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(Resumed::Active)
    }
}

/// Pauses everything that somebody published, and says what it was called: they look at it before it goes on.
pub(crate) async fn pause_all_of(
    tx: &mut Tx,
    (tenant, publisher): (TenantId, UserId),
    (at, salt): (Timestamp, [u8; 32]),
) -> Result<Vec<String>, StoreError> {
    let sql = "UPDATE schedules SET state = 'paused', why = 'not_me', changed = $3, changed_by = 'Sallyport', next_due = NULL, version = version + 1 \
               WHERE tenant = $1 AND published_by_id = $2 AND state = 'active' RETURNING id, name";
    let mut names = Vec::new();
    for row in &tx.fetch_all(sql, values![tenant, publisher, at]).await? {
        let (id, name): (ScheduleId, String) = (row.get("id")?, row.text("name")?);
        let payload = json!({ "schedule": id, "name": name, "reason": "not_me" });
        tx.append(tenant, Entry::new("schedule.paused", Actor::User(publisher), at, salt, payload)).await?;
        drop_waiting(tx, (tenant, id), ("cancelled", "not me"), (at, salt)).await?;
        names.push(name);
    }
    Ok(names)
}

/// A schedule all of whose devices lie within somebody's reach; any other looks like none.
async fn reached(tx: &mut Tx, actor: &Person, reach: &Reach, id: ScheduleId) -> Result<ScheduleRow, StoreError> {
    let row = schedule(tx, actor.tenant, id).await?;
    let within = devices_within(tx, actor.tenant, reach).await?;
    let all = targets_of(tx, id).await?.iter().all(|device| within.has(device));
    if all { Ok(row) } else { Err(StoreError::NotFound) }
}

async fn set(
    tx: &mut Tx,
    row: &ScheduleRow,
    (state, next_due): (ScheduleState, Option<Timestamp>),
    (by, at): (&str, Timestamp),
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET state = $3, why = NULL, changed = $4, changed_by = $5, next_due = $6, version = version + 1 \
               WHERE id = $1 AND version = $2";
    tx.execute_versioned(sql, values![row.id, row.version, state.as_str(), at, by, next_due]).await
}
