//! Bodies, paths and queries as typed values, or a refusal that says what is wrong.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use sallyport_api::Code;
use sallyport_model::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Refusal;

/// A JSON body: strict on the way in, compact on the way out.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Code::UnsupportedMediaType.into());
        }
        let body =
            axum::body::to_bytes(request.into_body(), limits::HTTP_BODY_BYTES).await.map_err(|_| Refusal::from(Code::BodyTooLarge))?;
        sallyport_api::read_body(&body).map(Json).map_err(|error| Refusal::from(Code::Malformed).because(error))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written");
                Refusal::from(Code::Internal).into_response()
            }
        }
    }
}

/// An id from the path. What is not an id names nothing.
pub struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Refusal::from(Code::NotFound))?;
        text.parse().map(Id).map_err(|_| Code::NotFound.into())
    }
}

/// Two ids from the path, the outer one first. What are not ids name nothing.
pub struct Ids<A, B>(pub A, pub B);

impl<A: FromStr, B: FromStr, S: Send + Sync> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let none = || Refusal::from(Code::NotFound);
        let Path((outer, inner)) = Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| none())?;
        Ok(Self(outer.parse().map_err(|_| none())?, inner.parse().map_err(|_| none())?))
    }
}

/// A query string as a typed value; unknown parameters are refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| Refusal::from(Code::Malformed).because(error))
    }
}
