//! `/v1/trust`: which keys command the devices of this tenant.

use axum::extract::State;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::ReadDevices;
use sallyport_grant::body::{Body, RootBody};
use sallyport_grant::{AuthorityPin, Envelope, PayloadType};
use sallyport_store::ops::accounts::trust_root;

use crate::{Allowed, App, Json, Refusal};

/// The newest root, as the authority signed it, and the pin of its keys.
pub(crate) async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadDevices>) -> Result<Json<api::Trust>, Refusal> {
    let stored = trust_root(&mut app.store.read().await?, permit.actor().tenant).await?;
    shown(stored).map(Json).ok_or_else(|| {
        tracing::error!(tenant = %permit.actor().tenant, "the stored root cannot be read");
        Code::Internal.into()
    })
}

fn shown(stored: Vec<u8>) -> Option<api::Trust> {
    let envelope = Envelope::parse(&stored, PayloadType::Root).ok()?;
    let body = RootBody::parse(envelope.payload()).ok()?;
    Some(api::Trust {
        profile: "starter".to_owned(),
        authority_pin: AuthorityPin::of(body.threshold, &body.authority).0,
        root_envelope: String::from_utf8(stored).ok()?,
        version: body.version.into(),
        expires: body.expires,
    })
}
