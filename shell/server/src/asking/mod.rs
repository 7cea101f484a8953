//! What callers can ask for beside a request itself, on many routes alike: only some members of a list, nothing where nothing changed, a
//! creation once however often it is sent.

pub(crate) mod conditional;
pub(crate) mod once;
pub(crate) mod sparse;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use sallyport_api::Code;
use sallyport_model::limits;

use crate::Refusal;

/// Whether an answer is JSON that was asked for, and not a refusal.
fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    response.status() == StatusCode::OK && kind == Some(b"application/json")
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, limits::LOOKED_INTO_BYTES).await.map_err(|_| Code::Internal.into())
}
