//! Looks after everything that is open: whatever stands on a right that is gone ends within a second (A20).

use std::time::Duration;

use sallyport_model::{RemoteSessionId, TenantId};
use sallyport_store::StoreError;
use sallyport_store::ops::remote::{EndReason, EndRemoteSession, any_open, end_overdue, revoked};
use sallyport_wire::stream::CloseCode;
use tokio::sync::broadcast::error::RecvError;

use super::end::{end_attachment, tell_ended};
use crate::App;

/// Rights are looked at so often, and at once when a session ends here.
const EVERY: Duration = Duration::from_millis(400);

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    // What was open before a restart is looked after too.
    app.remote.watch();
    let mut ended = app.accounts.endings();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            told = ended.recv() => if matches!(told, Err(RecvError::Closed)) { return },
        }
        if app.remote.is_watched()
            && let Err(error) = once(&app).await
        {
            tracing::warn!(%error, "the rights behind open remote sessions could not be looked at");
        }
    }
}

async fn once(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut reader = app.store.read().await?;
    let (gone, overdue) = (revoked(&mut reader, now, &app.remote.used_from()).await?, end_overdue(&mut reader, now).await?);
    let idle = app.remote.idle();
    if gone.is_empty() && overdue.is_empty() && idle.is_empty() {
        if !any_open(&mut reader).await? {
            app.remote.unwatch();
            // One that was opened meanwhile is not to be missed.
            if any_open(&mut app.store.read().await?).await? {
                app.remote.watch();
            }
        }
        return Ok(());
    }
    drop(reader);
    for (tenant, grant) in gone {
        end_attachment(app, tenant, grant, EndReason::Revoked).await?;
    }
    for (tenant, session) in overdue {
        end_at_limit(app, tenant, session).await?;
    }
    for session in idle {
        app.remote.forget_input(session);
        let tenant = sallyport_store::ops::remote::tenant_of(&mut app.store.read().await?, session).await?;
        if let Some(tenant) = tenant {
            end_at_limit(app, tenant, session).await?;
        }
    }
    Ok(())
}

async fn end_at_limit(app: &App, tenant: TenantId, session: RemoteSessionId) -> Result<(), StoreError> {
    let change = EndRemoteSession { tenant, session, by: None, reason: EndReason::Limit, at: app.clock.now(), salt: app.random() };
    match app.store.commit(change).await {
        Ok(ended) => tell_ended(app, tenant, &ended, CloseCode::Limit),
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
