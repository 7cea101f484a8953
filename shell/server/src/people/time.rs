//! What time does to people by itself: resets whose day is over, accounts that end, links that no longer work.

use sallyport_store::StoreError;
use sallyport_store::ops::people::{DisableExpired, FinishReset, ForgetOldLinks, LinkPurpose, due_resets, expired_users, policy};

use super::execute::{Made, tell_stopped};
use crate::{App, mail};

/// How long it is kept what became of a mail.
const MAILS_KEPT_SECS: i64 = 90 * 24 * 60 * 60;

/// Does what is due. Reading first: an idle server writes nothing.
pub(crate) async fn pass(app: &App) -> Result<(), StoreError> {
    let at = app.clock.now();
    let resets = due_resets(&mut app.store.read().await?, at).await?;
    for due in resets {
        let made = Made::new(app, LinkPurpose::Activation, &due.by, at);
        let tenant_name = policy(&mut app.store.read().await?, due.tenant).await?.name;
        let letter = mail::reset(&tenant_name, &due.name, &due.by, made.url.clone(), made.link.expires);
        let mails = mail::outgoing(app, due.tenant, &due.email, &letter, at);
        let change = FinishReset { tenant: due.tenant, user: due.user, link: made.link, mails, at, salt: app.random() };
        match app.store.commit(change).await {
            Ok(Some(stopped)) => tell_stopped(app, due.tenant, &stopped),
            // Stopped meanwhile, or void.
            Ok(None) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let expired = expired_users(&mut app.store.read().await?, at).await?;
    for (tenant, user) in expired {
        match app.store.commit(DisableExpired { tenant, user, at, salt: app.random() }).await {
            Ok(stopped) => tell_stopped(app, tenant, &stopped),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Forgets what no longer works.
pub(crate) async fn clean(app: &App) -> Result<(), StoreError> {
    let at = app.clock.now();
    app.store.reserve(ForgetOldLinks { at, mails_before: at.plus_secs(-MAILS_KEPT_SECS) }).await
}
