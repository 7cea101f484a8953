//! Reading schedules, and what a timing would mean.

use std::collections::BTreeSet;

use axum::extract::State;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::{Permit, ReadJobs};
use sallyport_model::{DeviceId, ScheduleId, limits};
use sallyport_store::ops::people::{Within, devices_within};
use sallyport_store::ops::schedules::{self as store, ScheduleFilter, ScheduleRow, targets_of};
use sallyport_store::{Reader, StoreError};
use serde::Deserialize;

use super::{shown, timing};
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Which schedules, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSchedules {
    cursor: Option<String>,
    limit: Option<u32>,
    state: Option<String>,
    script: Option<String>,
}

/// Schedules with a device within one's reach, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Query(query): Query<ListSchedules>,
) -> Result<Json<api::Page<api::Schedule>>, Refusal> {
    let limit = paging::limit(query.limit)?;
    let filter = ScheduleFilter {
        state: paging::parsed("state", query.state.as_deref())?,
        script: paging::parsed("script", query.script.as_deref())?,
    };
    let after = paging::parsed("cursor", query.cursor.as_deref())?;
    let mut reader = app.store.read().await?;
    let within = devices_within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let found = page(&mut reader, &permit, &within, (&filter, after, limit + 1)).await?;
    let now = app.clock.now();
    let cursor = |(row, _): &Found| row.id.to_string();
    Ok(Json(paging::page(found, limit, cursor, |(row, devices)| shown::schedule(row, devices, now))))
}

type Found = (ScheduleRow, BTreeSet<DeviceId>);

async fn page(
    reader: &mut Reader,
    permit: &Permit<ReadJobs>,
    within: &Within<DeviceId>,
    (filter, mut after, limit): (&ScheduleFilter, Option<ScheduleId>, u32),
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    loop {
        let rows = store::list(reader, permit.actor().tenant, filter, after, limit).await?;
        let is_last = rows.len() < limit as usize;
        for row in rows {
            after = Some(row.id);
            let devices = reached(reader, within, row.id).await?;
            if !devices.is_empty() {
                found.push((row, devices));
            }
            if found.len() >= limit as usize {
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

async fn reached(reader: &mut Reader, within: &Within<DeviceId>, id: ScheduleId) -> Result<BTreeSet<DeviceId>, StoreError> {
    Ok(targets_of(reader, id).await?.into_iter().filter(|device| within.has(device)).collect())
}

/// One schedule.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Id(id): Id<ScheduleId>,
) -> Result<Json<api::Schedule>, Refusal> {
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let row = store::schedule(&mut reader, tenant, id).await?;
    let within = devices_within(&mut reader, tenant, permit.reach()).await?;
    let devices = reached(&mut reader, &within, id).await?;
    if devices.is_empty() {
        return Err(Code::NotFound.into());
    }
    Ok(Json(shown::schedule(row, devices, app.clock.now())))
}

/// What a timing means: its words and its next occurrences.
pub(crate) async fn preview(
    State(app): State<App>,
    Allowed(_): Allowed<ReadJobs>,
    Json(body): Json<api::ScheduleQuestion>,
) -> Result<Json<api::ScheduleAnswer>, Refusal> {
    let now = app.clock.now();
    let terms = timing::terms(&body.timing, now)?;
    let next = timing::next(&terms, now, body.timing.expires, limits::SCHEDULE_PREVIEW);
    Ok(Json(api::ScheduleAnswer { words: timing::words(&terms), next }))
}
