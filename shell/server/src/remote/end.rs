//! What follows in the world when a remote session or an attachment has ended in the store.

use sallyport_model::{GrantId, TenantId};
use sallyport_store::StoreError;
use sallyport_store::ops::remote::{EndAttachment, EndReason, Ended, Lapsed};
use sallyport_wire::UnsignedToAgent;
use sallyport_wire::stream::CloseCode;

use super::tell;
use crate::App;

/// Cuts every stream of a session that is over, and tells the device and those who look.
pub(crate) fn tell_ended(app: &App, tenant: TenantId, ended: &Ended, code: CloseCode) {
    for grant in &ended.grants {
        app.remote.stop(*grant, code);
    }
    app.remote.forget_input(ended.session);
    app.hub.send(ended.device, UnsignedToAgent::EndRemoteSession { session: ended.session, grant: None }.into());
    tell(app, tenant, ended.session, "ended");
}

/// Ends an attachment; its stream is cut before the store is asked, for the right is gone already.
pub(crate) async fn end_attachment(app: &App, tenant: TenantId, grant: GrantId, reason: EndReason) -> Result<(), StoreError> {
    app.remote.stop(grant, code(reason));
    let change = EndAttachment { tenant, grant, reason, at: app.clock.now(), salt: app.random() };
    match app.store.commit(change).await {
        Ok(lapsed) => {
            tell_lapsed(app, tenant, grant, &lapsed, code(reason));
            Ok(())
        }
        // Somebody else ended it at the same moment.
        Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// An attachment is over, perhaps with its session.
pub(super) fn tell_lapsed(app: &App, tenant: TenantId, grant: GrantId, lapsed: &Lapsed, code: CloseCode) {
    match &lapsed.over {
        Some(ended) => tell_ended(app, tenant, ended, code),
        None => {
            app.hub.send(lapsed.device, UnsignedToAgent::EndRemoteSession { session: lapsed.session, grant: Some(grant) }.into());
            tell(app, tenant, lapsed.session, "open");
        }
    }
}

fn code(reason: EndReason) -> CloseCode {
    match reason {
        EndReason::Revoked => CloseCode::Revoked,
        EndReason::Limit => CloseCode::Limit,
        EndReason::Ended | EndReason::Device | EndReason::Undelivered => CloseCode::Ended,
    }
}
