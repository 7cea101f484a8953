//! The gate in front of every route: nothing reaches a handler that its row of the table does not allow.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use sallyport_api::Code;
use sallyport_decide::networks::Guarding;
use sallyport_decide::policy::{Actor, Capability, Permit, PolicyError, Row, Stage, decide, permit};
use sallyport_model::limits;

use crate::error::Asker;
use crate::routes::Access;
use crate::{App, Refusal, accounts, automation};

/// Why a program that was let in by a device code is refused.
const BY_CODE: &str = "This program was let in by a device code: it reads and asks, and proves nothing. Prove it in a browser.";

/// Checks origin, session, its key's signature, stage and role. A stranger's body is kept only as far as public routes need it.
pub(crate) async fn guard(
    State((app, access, class)): State<(App, Access, &'static str)>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let admitted = match body.is_end_stream() {
        true => same_origin(&app, &parts),
        false => may_send(&app, access, &parts).await,
    };
    let body = body.into_data_stream();
    if let Err(refusal) = admitted {
        drain(body).await;
        return Err(refusal);
    }
    let body = read(body, access.body_limit()).await?;
    let by_token = automation::shows_token(&parts);
    let mut asker = None;
    if let Access::Session(row) = access {
        let actor = match by_token {
            true => automation::authenticate(&app, &parts, &body, &row).await?,
            false => accounts::authenticate(&app, &parts, &body, &row).await?,
        };
        asker = Some(Asker(actor.user));
        let guarding = if class == "-" { Guarding::Free } else { Guarding::Guarded };
        if let Err(refusal) = rules(&app, &parts, &actor, (&row, guarding), by_token).await {
            return Ok(of(asker, refusal.into_response()));
        }
        parts.extensions.insert(actor);
    }
    parts.extensions.insert(ReadBody(body.clone()));
    let mut response = of(asker, next.run(Request::from_parts(parts, Body::from(body))).await);
    if by_token {
        accounts::renew_token(response.headers_mut());
    }
    Ok(response)
}

/// What the caller's role, their stage, their address and the rules for tools say.
async fn rules(app: &App, parts: &Parts, actor: &Actor, (row, guarding): (&Row, Guarding), by_token: bool) -> Result<(), Refusal> {
    decide(row, actor).map_err(|error| refused(error, actor))?;
    match actor.client() {
        Some(_) => automation::check_rules(app, parts, actor, (row.name, guarding)).await?,
        None => accounts::check_address(app, parts, actor, row.name, guarding).await?,
    }
    if by_token && actor.client().is_none() && guarding == Guarding::Guarded {
        automation::programs::may_ask(app, actor).await?;
    }
    Ok(())
}

/// The answer, with who asked.
fn of(asker: Option<Asker>, mut response: Response) -> Response {
    if let Some(asker) = asker {
        response.extensions_mut().insert(asker);
    }
    response
}

/// What can be known before the body is.
async fn may_send(app: &App, access: Access, parts: &Parts) -> Result<(), Refusal> {
    same_origin(app, parts)?;
    match access {
        Access::Session(_) if automation::shows_token(parts) => automation::known(app, parts).await,
        Access::Session(_) => accounts::known(app, parts).await,
        Access::Public(_) => Ok(()),
    }
}

/// A body that trickles in holds memory and a connection, so it has its time as well as its limit.
async fn read(mut body: BodyDataStream, limit: usize) -> Result<Bytes, Refusal> {
    let whole = tokio::time::timeout(Duration::from_secs(limits::HTTP_BODY_SECS), async {
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| Refusal::from(Code::Malformed).because(error))?;
            if whole.len() + piece.len() > limit {
                return Err(Code::BodyTooLarge.into());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Bytes::from(whole))
    });
    let whole = whole.await.unwrap_or_else(|_| Err(Refusal::from(Code::Malformed).because("the body took too long to arrive")));
    if whole.is_err() {
        drain(body).await;
    }
    whole
}

/// Lets the rest come in and keeps nothing of it: who is cut off while sending does not see the answer.
async fn drain(mut body: BodyDataStream) {
    let rest = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = tokio::time::timeout(Duration::from_secs(limits::HTTP_DRAIN_SECS), rest).await;
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

/// A session without a factor is told what it lacks; a tool, whether it is the scope or the kind of caller.
fn refused(error: PolicyError, actor: &Actor) -> Refusal {
    match (error, actor.stage) {
        (PolicyError::Stage, Stage::Factorless) => Code::FactorRequired.into(),
        (PolicyError::Stage, Stage::NewPassword) => Code::PasswordBreached.into(),
        (PolicyError::Stage, Stage::DeviceCode) => Refusal::from(Code::SessionRestricted).because(BY_CODE),
        (PolicyError::Stage, Stage::Client) => Code::ClientRefused.into(),
        (PolicyError::Role, Stage::Client) => Code::ScopeRefused.into(),
        (error, _) => error.into(),
    }
}

/// Takes policy's permit for this request; handlers pass it on to whoever needs one.
pub struct Allowed<C: Capability>(pub Permit<C>);

impl<C: Capability, S: Sync> FromRequestParts<S> for Allowed<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let actor = parts.extensions.get::<Actor>().ok_or(Code::NotSignedIn)?;
        permit(actor).map(Self).map_err(|error| refused(error, actor))
    }
}
