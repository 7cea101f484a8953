//! What time does to schedules: begins what is due, lets runs go, and notices what is void.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sallyport_grant::schedule::Timetable;
use sallyport_model::{DeviceId, JobId, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::schedules::{
    Advance, Advanced, HeldRun, Release, ScheduleRow, VoidSchedule, active, candidates, due_before, schedule, void_reason,
};

use super::tell_cancelled;
use crate::events::Event;
use crate::{App, hub};

const EVERY: Duration = Duration::from_secs(1);
/// Ticks between two looks at whether what was published still is so.
const LOOK_EVERY: u64 = 5;

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0u64.. {
        ticks.tick().await;
        if let Err(error) = once(&app, round).await {
            tracing::warn!(%error, "schedules could not be looked at; it is tried again");
        }
    }
}

async fn once(app: &App, round: u64) -> Result<(), StoreError> {
    let now = app.clock.now();
    let due = due_before(&mut app.store.read().await?, now).await?;
    for row in due {
        unless_overtaken(advance(app, &row, now).await)?;
    }
    if round.is_multiple_of(LOOK_EVERY) {
        look(app, now).await?;
    }
    release(app, now).await
}

/// Another process of this installation, or a person, was faster: then there is nothing left to do.
fn unless_overtaken(done: Result<(), StoreError>) -> Result<(), StoreError> {
    match done {
        Err(StoreError::Conflict | StoreError::Exists) => Ok(()),
        other => other,
    }
}

async fn advance(app: &App, row: &ScheduleRow, now: Timestamp) -> Result<(), StoreError> {
    let (job, salt) = (JobId::new(now, app.random()), app.random());
    let change = Advance { tenant: row.tenant, schedule: row.id, version: row.version, job, at: now, salt };
    match app.store.commit(change).await? {
        Advanced::Began { job, late } => {
            tell_cancelled(app, row.tenant, &late);
            app.events.tell(row.tenant, Event::Job { job: job.to_string() });
        }
        Advanced::Voided(why, told) => {
            tracing::info!(schedule = %row.id, why = why.as_str(), "a publication is void");
            tell_cancelled(app, row.tenant, &told);
        }
        Advanced::Nothing => {}
    }
    Ok(())
}

/// A group that grew or a publisher who left voids a publication at once, not only when it is due.
async fn look(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let mut reader = app.store.read().await?;
    let mut voids = Vec::new();
    for row in active(&mut reader).await? {
        if let Some(why) = void_reason(&mut reader, &row, now).await? {
            voids.push((row, why));
        }
    }
    drop(reader);
    for (row, why) in voids {
        let change = VoidSchedule { tenant: row.tenant, schedule: row.id, why, at: now, salt: app.random() };
        let told = match app.store.commit(change).await {
            Err(StoreError::Conflict) => continue,
            other => other?,
        };
        tell_cancelled(app, row.tenant, &told);
    }
    Ok(())
}

/// Offers what is held and due to the devices that are here, within window, gap and limit.
async fn release(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let mut reader = app.store.read().await?;
    let held = candidates(&mut reader, now).await?;
    let mut by_job: BTreeMap<JobId, Vec<HeldRun>> = BTreeMap::new();
    for run in held.into_iter().filter(|run| app.hub.is_online(run.device)) {
        by_job.entry(run.job).or_default().push(run);
    }
    let mut wanted = Vec::new();
    for (job, runs) in by_job {
        let Some(first) = runs.first() else { continue };
        let row = schedule(&mut reader, first.tenant, first.schedule).await?;
        wanted.extend(let_go(&row, (job, runs), now));
    }
    drop(reader);
    for (row, change) in wanted {
        let job = change.job;
        let runs = app.store.commit(change).await?;
        if !runs.is_empty() {
            let devices: BTreeSet<DeviceId> = runs.iter().map(|run| run.device).collect();
            hub::deliver_to(app, row.tenant, job, &devices).await?;
        }
    }
    Ok(())
}

fn let_go(row: &ScheduleRow, (job, runs): (JobId, Vec<HeldRun>), now: Timestamp) -> Option<(ScheduleRow, Release)> {
    let terms = &row.published_as.terms;
    let open = Timetable::of(terms).is_ok_and(|table| table.window_is_open(now));
    let not_since = match terms.gap_secs {
        0 => Timestamp::from_micros(i64::MAX),
        // Devices measure by their own clocks; one that refuses would lose the occurrence.
        secs => now.plus_secs(-i64::from(secs) - limits::GRANT_SKEW_SECS),
    };
    let change = Release { job, schedule: row.id, runs, at_once: terms.at_once, not_since };
    open.then(|| (row.clone(), change))
}
