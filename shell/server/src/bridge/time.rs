//! What time does to connections: credentials that are due are replaced, calls are told to the audit log, what has ended is forgotten.

use std::time::Duration;

use sallyport_store::StoreError;
use sallyport_store::ops::bridge::{ClaimRotation, ForgetConnectionSecrets, SumCalls, due_rotations, forgettable, unsummed};

use super::turn;
use crate::App;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "connections could not be looked at; it is tried again");
        }
    }
}

/// Reading first: an idle server writes nothing.
async fn once(app: &App) -> Result<(), StoreError> {
    let at = app.clock.now();
    let due = due_rotations(&mut app.store.read().await?, at).await?;
    for row in due {
        let claim = ClaimRotation { connection: row.id, turn: row.rotation.turn, at };
        match app.store.reserve(claim).await {
            // Vendors are slow: nobody waits for one here.
            Ok(turn) => drop(tokio::spawn(turn::take(app.clone(), row, turn))),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    let minutes = unsummed(&mut app.store.read().await?, at).await?;
    for wanted in minutes {
        match app.store.commit(SumCalls { wanted, at, salt: app.random() }).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    if forgettable(&mut app.store.read().await?, at).await? {
        app.store.reserve(ForgetConnectionSecrets { at }).await?;
    }
    Ok(())
}
