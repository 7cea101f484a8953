//! `GET /v1/nonce`: for whoever has no answer yet whose `DPoP-Nonce` they could use.

use axum::http::StatusCode;

/// Every answer carries a nonce; this one carries nothing else.
pub async fn show() -> StatusCode {
    StatusCode::NO_CONTENT
}
