//! What surrounds every answer: request ids, security headers, health, and the console's files.

use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sallyport_api::Code;
use sallyport_decide::rate::Left;

use crate::error::{Asker, Unfinished};
use crate::{App, Refusal, accounts, client, console};

/// Names the request, runs it, finishes refusals, sets the headers that every answer has.
pub(crate) async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = data_encoding::HEXLOWER.encode(&app.random::<8>());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
    let begun = Instant::now();
    let mut response = match allowance(&app, &request) {
        Ok(left) => {
            let mut response = next.run(request).await;
            if let Some(left) = left {
                client::tell(&mut response, left);
            }
            response
        }
        Err(refusal) => {
            let mut response = refusal.into_response();
            client::tell(&mut response, Left::NOTHING);
            response
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Unfinished>() {
        if let Some(code) = problem.not_allowed() {
            let user = response.extensions().get::<Asker>().map(|asker| tracing::field::display(asker.0));
            tracing::info!(request = id, %method, path, code, from = from.map(tracing::field::display), user, "refused");
        }
        *response.body_mut() = Body::from(problem.finish(&id));
    }
    let status = response.status().as_u16();
    metrics::counter!("sallyport_http_requests_total", "status" => status.to_string()).increment(1);
    metrics::histogram!("sallyport_http_seconds").record(begun.elapsed().as_secs_f64());
    tracing::info!(target: "sallyport::http", request = id, %method, path, status, micros = begun.elapsed().as_micros() as u64);
    headers(&app, &mut response, &id);
    response
}

/// Counts the request against its address; the two that watch over the process are never refused.
fn allowance(app: &App, request: &Request) -> Result<Option<Left>, Refusal> {
    match (request.uri().path(), request.extensions().get::<ConnectInfo<SocketAddr>>()) {
        ("/healthz" | "/readyz", _) | (_, None) => Ok(None),
        (_, Some(ConnectInfo(client))) => app.rate.take(client.ip(), app.clock.now()).map(Some),
    }
}

const HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"),
];

fn headers(app: &App, response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if app.config.tls.is_some() || app.config.origin().starts_with("https:") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    headers.insert(HeaderName::from_static("dpop-nonce"), accounts::dpop_nonce(app));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// The process lives.
pub(crate) async fn healthy() -> &'static str {
    "ok\n"
}

/// The store answers.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    match app.store.read().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// A file of the console; every other path is the console's page, which has routes of its own.
pub(crate) async fn file(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/v1/") || path == "/v1" || path.starts_with("/agent/") || path.starts_with("/.well-known/") {
        return Refusal::from(Code::NotFound).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Refusal::from(Code::MethodNotAllowed).into_response();
    }
    console::serve(&app, path, request.headers()).await
}

/// The path exists, the method does not.
pub(crate) async fn wrong_method() -> Refusal {
    Code::MethodNotAllowed.into()
}
