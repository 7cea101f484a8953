//! The gate in front of every route: nothing reaches a handler that its row of the table does not allow.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use sallyport_api::Code;
use sallyport_decide::policy::{Actor, Capability, Permit, PolicyError, Row, permit};
use sallyport_model::limits;

use crate::routes::Access;
use crate::{App, Refusal, accounts};

/// Reads the body within its limit, then checks origin, session, its key's signature, stage and role.
pub(crate) async fn guard(State((app, access)): State<(App, Access)>, request: Request, next: Next) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, limits::HTTP_BODY_BYTES).await.map_err(|_| Refusal::from(Code::BodyTooLarge))?;
    same_origin(&app, &parts)?;
    if let Access::Session(row) = access {
        let actor = accounts::authenticate(&app, &parts, &body).await?;
        allowed(row, &actor)?;
        parts.extensions.insert(actor);
    }
    parts.extensions.insert(ReadBody(body.clone()));
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// The bytes of the body, for handlers that check a signature over them.
#[derive(Clone)]
pub(crate) struct ReadBody(pub(crate) Bytes);

/// A browser says where a request comes from; another site's page never gets in (SES-08).
fn same_origin(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let site = parts.headers.get("sec-fetch-site").map(header::HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return Err(Code::OriginRefused.into());
    }
    match parts.headers.get(header::ORIGIN) {
        Some(origin) if origin.as_bytes() != app.config.origin().as_bytes() => Err(Code::OriginRefused.into()),
        _ => Ok(()),
    }
}

fn allowed(row: Row, actor: &Actor) -> Result<(), PolicyError> {
    if !row.stages.contains(&actor.stage) {
        return Err(PolicyError::Stage);
    }
    if row.roles.contains(&actor.role) { Ok(()) } else { Err(PolicyError::Role) }
}

/// Takes policy's permit for this request; handlers pass it on to whoever needs one.
pub struct Allowed<C: Capability>(pub Permit<C>);

impl<C: Capability, S: Sync> FromRequestParts<S> for Allowed<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let actor = parts.extensions.get::<Actor>().ok_or(Code::NotSignedIn)?;
        Ok(Self(permit(actor)?))
    }
}
