//! What the server does by itself: ends what waited too long, and keeps the gauges.

use std::collections::BTreeMap;
use std::time::Duration;

use sallyport_model::limits;
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{ForgetChallenges, ForgetOldNetworks};
use sallyport_store::ops::housekeeping::{ForgetOldTouches, work_is_due};
use sallyport_store::ops::once::ForgetOldKeys;
use sallyport_store::ops::requests::LapseRequests;
use sallyport_store::ops::runs::ExpireRuns;

use crate::events::Event;
use crate::{App, automation, hub, people};

/// Followers of a log are told at most this often that it grew.
const PACE: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_secs(5);
/// Rounds between two cleanings.
const CLEAN_EVERY: u64 = 720;

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0u64.. {
        ticks.tick().await;
        if let Err(error) = once(&app, round).await {
            tracing::warn!(%error, "background work failed; it is tried again");
        }
    }
}

/// Tells followers that their log grew, until the store is gone.
pub(crate) async fn tell_growth(app: App) {
    let mut sizes = app.store.log_sizes();
    let mut told = BTreeMap::new();
    while sizes.changed().await.is_ok() {
        let now = sizes.borrow_and_update().clone();
        for (tenant, size) in now.iter().filter(|(tenant, size)| told.get(*tenant) != Some(*size)) {
            app.events.tell(*tenant, Event::Audit { size: *size });
        }
        told = now;
        tokio::time::sleep(PACE).await;
    }
}

async fn once(app: &App, round: u64) -> Result<(), StoreError> {
    let at = app.clock.now();
    metrics::gauge!("sallyport_devices_online").set(app.hub.count() as f64);
    // Reading first: an idle server writes nothing.
    if work_is_due(&mut app.store.read().await?, at).await? {
        app.store.commit(LapseRequests { at }).await?;
        for (tenant, job) in app.store.commit(ExpireRuns { at, salt: app.random() }).await? {
            app.events.tell(tenant, Event::Job { job: job.to_string() });
        }
    }
    // Where another process of this installation changed the rules, its links here end now.
    for tenant in app.hub.tenants() {
        hub::keep_inside(app, tenant).await?;
    }
    people::time::pass(app).await?;
    automation::time::pass(app).await?;
    if round % CLEAN_EVERY == CLEAN_EVERY - 1 {
        people::time::clean(app).await?;
        automation::time::clean(app).await?;
        let before = at.plus_secs(-limits::TOUCHES_KEPT_SECS);
        app.store.commit(ForgetOldTouches { before }).await?;
        app.store.commit(ForgetChallenges { at }).await?;
        app.store.commit(ForgetOldNetworks { before: at.plus_secs(-limits::TWO_NETWORKS_SECS) }).await?;
        app.store.reserve(ForgetOldKeys { at }).await?;
    }
    Ok(())
}
