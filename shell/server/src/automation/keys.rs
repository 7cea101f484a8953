//! `/v1/oauth/keys`: the next key of a client, registered with the present one. No key is ever distributed.

use axum::extract::{Request, State};
use sallyport_api as api;
use sallyport_decide::automation::assertion;
use sallyport_decide::automation::{ClientKey, PublicJwk};
use sallyport_model::limits;
use sallyport_store::StoreError;
use sallyport_store::ops::automation::RotateKey;

use super::oauth::{OauthRefusal, authenticated, form};
use super::token::credentials;
use crate::{App, Json};

/// Puts the next key in place of the present one, which works on for a few minutes.
pub(crate) async fn rotate(State(app): State<App>, request: Request) -> Result<Json<api::RotatedKey>, OauthRefusal> {
    let (parts, _) = request.into_parts();
    let (form, _) = form::<api::RotateForm>(&parts)?;
    let credentials = credentials(&form.client_assertion_type, &form.client_assertion, &form.client_id);
    let client = authenticated(&app, &parts, credentials).await?;
    let jwk: PublicJwk = serde_json::from_str(&form.next_key).map_err(|_| OauthRefusal::Request("next_key is no public JSON Web Key"))?;
    let next = ClientKey::parse(jwk).map_err(|_| OauthRefusal::Request("next_key must be a P-256 or Ed25519 key"))?;
    let at = app.clock.now();
    let (shown, _) = assertion::read(&form.next_assertion)?.verify(std::slice::from_ref(&next), app.config.origin(), at)?;
    if shown.client() != client.row.id {
        return Err(OauthRefusal::Client("next_assertion is of another client".to_owned()));
    }
    let change = RotateKey {
        tenant: client.row.tenant,
        client: client.row.id,
        present: client.key.clone(),
        next,
        assertions: [client.used(), (shown.id(), shown.expires())],
        at,
        salt: app.random(),
    };
    app.store.commit(change).await.map_err(|error| match error {
        StoreError::Conflict => OauthRefusal::Client("the assertion is not signed by the present key".to_owned()),
        error => error.into(),
    })?;
    let former_until = at.plus_secs(limits::CLIENT_KEY_OVERLAP_SECS);
    Ok(Json(api::RotatedKey { former_until, due: at.plus_secs(limits::CLIENT_KEY_SECS) }))
}
