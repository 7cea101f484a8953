//! What time does to API clients by itself: keys that were not replaced, tokens that nobody needs any more.

use sallyport_store::StoreError;
use sallyport_store::ops::accounts::ForgetDeviceCodes;
use sallyport_store::ops::automation::{ForgetTokens, StopStale, WarnOfKey, stale_keys};

use crate::App;

/// Warns about keys that are overdue, and stops clients that did not replace theirs. Reading first: an idle server writes nothing.
pub(crate) async fn pass(app: &App) -> Result<(), StoreError> {
    let at = app.clock.now();
    let (due, missed) = stale_keys(&mut app.store.read().await?, at).await?;
    for client in due {
        app.store.commit(WarnOfKey { client, at, salt: app.random() }).await?;
    }
    for client in missed {
        app.store.commit(StopStale { client, at, salt: app.random() }).await?;
    }
    Ok(())
}

/// Forgets what is refused for its time alone.
pub(crate) async fn clean(app: &App) -> Result<(), StoreError> {
    app.store.reserve(ForgetTokens { at: app.clock.now() }).await?;
    app.store.reserve(ForgetDeviceCodes { at: app.clock.now() }).await
}
