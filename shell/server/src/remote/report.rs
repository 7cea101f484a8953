//! What devices say of remote sessions: signed receipts, and pieces of recordings. A device can speak of its own alone.

use sallyport_grant::body::{Outcome, ReceiptBody};
use sallyport_model::{DeviceId, GrantId, RemoteSessionId, TenantId};
use sallyport_store::StoreError;
use sallyport_store::ops::remote::{KeepPiece, KeepReceipt, ended_of_device};
use sallyport_wire::stream::CloseCode;
use sallyport_wire::{Place, UnsignedToAgent};

use super::{end, tell};
use crate::App;

/// Keeps a receipt that the device signed about an attachment; a grant that is no attachment of this device is passed over.
pub(crate) async fn keep_receipt(
    app: &App,
    tenant: TenantId,
    device: DeviceId,
    body: &ReceiptBody,
    receipt: String,
) -> Result<(), StoreError> {
    let grant: GrantId = body.grant;
    let change = KeepReceipt {
        tenant,
        device,
        grant,
        outcome: outcome(body.outcome),
        reason: body.reason.as_ref().map(ToString::to_string),
        recording_sha256: body.output_sha256,
        receipt,
        at: app.clock.now(),
        salt: app.random(),
    };
    match app.store.commit(change).await {
        Ok(lapsed) => {
            app.remote.stop(grant, CloseCode::Ended);
            match &lapsed.over {
                Some(ended) => end::tell_ended(app, tenant, ended, CloseCode::Ended),
                None => tell(app, tenant, lapsed.session, "open"),
            }
            Ok(())
        }
        Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Refused => "refused",
        Outcome::Interrupted => "interrupted",
        Outcome::Cancelled => "cancelled",
        Outcome::TimedOut => "timed_out",
        Outcome::OutputLimit => "output_limit",
    }
}

/// Keeps a piece of a recording, and says which one is wanted next.
pub(crate) async fn keep_piece(
    app: &App,
    tenant: TenantId,
    device: DeviceId,
    session: RemoteSessionId,
    piece: (u64, Vec<u8>, Place),
) -> Result<UnsignedToAgent, StoreError> {
    let (seq, content, place) = piece;
    let change =
        KeepPiece { tenant, device, session, seq, content, is_last: place == Place::Last, at: app.clock.now(), salt: app.random() };
    match app.store.commit(change).await {
        Ok(kept) => Ok(UnsignedToAgent::RecordingAck { session, next_seq: kept.next_piece }),
        // For a session that is not this device's: everything is acknowledged and nothing kept.
        Err(StoreError::NotFound) => Ok(UnsignedToAgent::RecordingAck { session, next_seq: u64::MAX }),
        Err(error) => Err(error),
    }
}

/// The ends that a device may have missed while it was away.
pub(crate) async fn tell_again(app: &App, device: DeviceId) -> Result<Vec<UnsignedToAgent>, StoreError> {
    let ended = ended_of_device(&mut app.store.read().await?, device, app.clock.now()).await?;
    Ok(ended.into_iter().map(|session| UnsignedToAgent::EndRemoteSession { session, grant: None }).collect())
}
