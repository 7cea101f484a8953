//! The API's description.

use axum::extract::State;

use crate::{App, Json, routes};

/// The OpenAPI document.
pub async fn openapi(State(_): State<App>) -> Json<utoipa::openapi::OpenApi> {
    Json(routes::document(&routes::table()))
}
