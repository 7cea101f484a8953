//! `Idempotency-Key`: a creation that is sent again with its key, because its answer was lost, is not done again; its answer is.
//!
//! The key is claimed durably before anything is done. The answer is kept for a day, sealed, since some are shown once. A refusal is not
//! kept: what was refused may be sent again.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sallyport_api::Code;
use sallyport_decide::policy::Actor;
use sallyport_grant::sha256;
use sallyport_model::limits;
use sallyport_store::ops::once::{ClaimKey, Claimed, ForgetKey, KeepAnswer, KeyOf};
use serde::{Deserialize, Serialize};

use super::whole;
use crate::guard::ReadBody;
use crate::{App, Refusal};

/// The header.
pub(crate) const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const LABEL: &str = "once";

/// An answer, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    location: Option<String>,
    body: String,
}

/// Does a request once for each key of its caller.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Result<Response, Refusal> {
    let Some(key) = key(&request)? else { return Ok(next.run(request).await) };
    let actor = request.extensions().get::<Actor>().ok_or(Code::NotSignedIn)?;
    let caller = actor.client().map_or(*actor.user.as_bytes(), |client| *client.as_bytes());
    let of = KeyOf { caller, key: sha256(&[key.as_bytes()]) };
    let body = request.extensions().get::<ReadBody>().map(|body| body.0.clone()).unwrap_or_default();
    let target = request.uri().to_string();
    let digest = sha256(&[request.method().as_str().as_bytes(), b"\n", target.as_bytes(), b"\n", &body]);
    match app.store.reserve(ClaimKey { of, request: digest, at: app.clock.now() }).await? {
        Claimed::Now => {}
        Claimed::Before(answer) => return replayed(&app, of, &answer),
        Claimed::UnderWay => return Err(Code::IdempotencyRunning.into()),
        Claimed::ForAnother => return Err(Refusal::from(Code::IdempotencyKeyReused).at(KEY)),
    }
    let response = next.run(request).await;
    if !response.status().is_success() {
        app.store.reserve(ForgetKey { of }).await?;
        return Ok(response);
    }
    keep(&app, of, response).await
}

fn key(request: &Request) -> Result<Option<String>, Refusal> {
    let Some(value) = request.headers().get(KEY) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= limits::IDEMPOTENCY_KEY_BYTES);
    let wrong = || Refusal::field(KEY, format!("must be 1 to {} printable characters of ASCII", limits::IDEMPOTENCY_KEY_BYTES));
    text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
}

async fn keep(app: &App, of: KeyOf, response: Response) -> Result<Response, Refusal> {
    let (parts, body) = response.into_parts();
    let bytes: Bytes = whole(body).await?;
    let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kept = Kept { status: parts.status.as_u16(), location, body: String::from_utf8_lossy(&bytes).into_owned() };
    let text = serde_json::to_vec(&kept).map_err(|_| Refusal::from(Code::Internal))?;
    let sealed = app.keys.seal(LABEL, &of.place(), &text);
    app.store.reserve(KeepAnswer { of, answer: sealed }).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replayed(app: &App, of: KeyOf, sealed: &[u8]) -> Result<Response, Refusal> {
    let broken = || Refusal::from(Code::Internal);
    let opened = app.keys.open_sealed(LABEL, &of.place(), sealed).map_err(|_| broken())?;
    let kept: Kept = serde_json::from_slice(&opened).map_err(|_| broken())?;
    let is_empty = kept.body.is_empty();
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).map_err(|_| broken())?;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(REPLAYED), HeaderValue::from_static("true"));
    if !is_empty {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(location) = kept.location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}
