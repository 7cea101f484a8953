//! Schedules over HTTP, and the task that begins their occurrences. Publishing is a guarded operation: see `work`.

mod read;
mod shown;
pub(crate) mod time;
pub(crate) mod timing;
mod zones;

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api::Code;
use sallyport_decide::accounts::assurance::{Acr, Wanted};
use sallyport_decide::policy::{PublishSchedules, StopSchedules};
use sallyport_model::{ScheduleId, SessionId, TenantId, limits};
use sallyport_store::ops::accounts::live_session_by_id;
use sallyport_store::ops::runs::ToCancel;
use sallyport_store::ops::schedules::{Control, Order, Resume, Resumed};

use crate::events::Event;
use crate::{Allowed, App, Id, Refusal};

pub(crate) use read::{list, preview, show};
pub(crate) use shown::details;

/// Pauses a schedule: nothing begins until it is resumed.
pub(crate) async fn pause(
    State(app): State<App>,
    Allowed(permit): Allowed<StopSchedules>,
    Id(schedule): Id<ScheduleId>,
) -> Result<StatusCode, Refusal> {
    let (tenant, order) = (permit.actor().tenant, Order::Pause);
    let told = app.store.commit(Control { permit, schedule, order, at: app.clock.now(), salt: app.random() }).await?;
    tell_cancelled(&app, tenant, &told);
    Ok(StatusCode::NO_CONTENT)
}

/// Stops a schedule for good.
pub(crate) async fn stop(
    State(app): State<App>,
    Allowed(permit): Allowed<StopSchedules>,
    Id(schedule): Id<ScheduleId>,
) -> Result<StatusCode, Refusal> {
    let (tenant, order) = (permit.actor().tenant, Order::Stop);
    let told = app.store.commit(Control { permit, schedule, order, at: app.clock.now(), salt: app.random() }).await?;
    tell_cancelled(&app, tenant, &told);
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a paused schedule go on, where it still is what was published; otherwise it is void.
pub(crate) async fn resume(
    State(app): State<App>,
    Allowed(permit): Allowed<PublishSchedules>,
    Id(schedule): Id<ScheduleId>,
) -> Result<StatusCode, Refusal> {
    proved_lately(&app, permit.actor().session).await?;
    match app.store.commit(Resume { permit, schedule, at: app.clock.now(), salt: app.random() }).await? {
        Resumed::Active => Ok(StatusCode::NO_CONTENT),
        Resumed::Void(why) => Err(Refusal::from(Code::ScheduleVoid).because(shown::void_words(why))),
    }
}

/// What runs unattended goes on by somebody who proved a factor within the step-up window, and by no session that was left open. A factor
/// that does not count yet opens no window, and so lets nothing go on.
async fn proved_lately(app: &App, session: SessionId) -> Result<(), Refusal> {
    let live = live_session_by_id(&mut app.store.read().await?, session).await?.ok_or(Code::NotSignedIn)?;
    // Where the tenant has no window at all, there must be time to prove a factor and to come back.
    let window = live.step_up_secs.max(limits::RESUME_PROOF_SECS);
    match live.session.step_up_until(window, app.clock.now()) {
        Some(_) => Ok(()),
        None => Err(Refusal::insufficient(Wanted { least: Acr::MultiFactor, max_age_secs: window })),
    }
}

/// Devices that were offered a run which is off now are told.
fn tell_cancelled(app: &App, tenant: TenantId, told: &[ToCancel]) {
    for cancelled in told {
        app.hub.cancel(cancelled.device, cancelled.grant);
    }
    if let Some(first) = told.first() {
        app.events.tell(tenant, Event::Job { job: first.job.to_string() });
    }
}
