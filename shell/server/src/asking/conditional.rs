//! `ETag` on everything that is read as JSON, and what callers do with it (RFC 9110, sections 8.8.3 and 13.1): with `If-None-Match`, whoever
//! asks again for what they have gets `304` and no body; with `If-Match`, nobody overwrites what somebody else changed meanwhile.
//!
//! The tag of what can be changed has two halves: the first stands for what a change would replace, the second for the whole answer.
//! `If-Match` looks at the first alone, so that a tool that was used since, or a delivery that arrived, is no obstacle.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_api::Code;
use sallyport_grant::sha256;
use serde::Serialize;
use serde_json::Value;

use super::{is_json, whole};
use crate::Refusal;

/// What a change replaces, as JSON pointers into what is read at the same address; none where nothing is changed there under a condition.
pub(crate) type Replaced = &'static [&'static str];

/// Names the answer by its bytes; leaves it out where the caller has it.
pub(crate) async fn answer(State(replaced): State<Replaced>, request: Request, next: Next) -> Result<Response, Refusal> {
    let known: Vec<String> = tags(request.headers(), &header::IF_NONE_MATCH).map(|tag| tag.trim_start_matches("W/").to_owned()).collect();
    let response = next.run(request).await;
    if !is_json(&response) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = whole(body).await?;
    let tag = tag(&bytes, replaced)?;
    let has_it = known.iter().any(|one| *one == tag || one == "*");
    if let Ok(tag) = HeaderValue::try_from(tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if !has_it {
        return Ok(Response::from_parts(parts, Body::from(bytes)));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    Ok(Response::from_parts(parts, Body::empty()))
}

fn tag(bytes: &[u8], replaced: Replaced) -> Result<String, Refusal> {
    let whole = short_hash(bytes);
    if replaced.is_empty() {
        return Ok(format!("\"{whole}\""));
    }
    let value = serde_json::from_slice(bytes).map_err(|_| Refusal::from(Code::Internal))?;
    Ok(format!("\"{}.{whole}\"", first_half(&value, replaced)))
}

fn first_half(value: &Value, replaced: Replaced) -> String {
    let parts: Vec<&Value> = replaced.iter().map(|pointer| value.pointer(pointer).unwrap_or(&Value::Null)).collect();
    short_hash(serde_json::to_string(&parts).unwrap_or_default().as_bytes())
}

fn short_hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(&[bytes]).as_bytes()[..16])
}

fn tags<'a>(headers: &'a HeaderMap, name: &'static HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// What the caller says that it is, by `If-Match`; anything will do where there is no such header. Handlers that change something compare
/// it with what they decide on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected(Option<(Vec<String>, Replaced)>);

/// Hands the condition on to the handler. Where a change takes none, one that has one is refused: it must not be thought of as kept.
pub(crate) async fn expect(State(replaced): State<Replaced>, mut request: Request, next: Next) -> Result<Response, Refusal> {
    if !request.headers().contains_key(header::IF_MATCH) {
        return Ok(next.run(request).await);
    }
    if replaced.is_empty() {
        return Err(
            Refusal::from(Code::PreconditionFailed).because("Nothing is done under a condition at this address: leave If-Match out.")
        );
    }
    let wanted = tags(request.headers(), &header::IF_MATCH).map(str::to_owned).collect();
    request.extensions_mut().insert(Expected(Some((wanted, replaced))));
    Ok(next.run(request).await)
}

impl<S: Sync> FromRequestParts<S> for Expected {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl Expected {
    /// Whether there is a condition.
    pub(crate) fn is_stated(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses where this, as it is shown, is not what the caller expects. Weak tags never match, as the RFC says for this header.
    pub(crate) fn is(&self, shown: &impl Serialize) -> Result<(), Refusal> {
        let Some((wanted, replaced)) = &self.0 else { return Ok(()) };
        let value = serde_json::to_value(shown).map_err(|_| Refusal::from(Code::Internal))?;
        let present = first_half(&value, replaced);
        let fits = |tag: &String| tag == "*" || half_of(tag) == Some(present.as_str());
        if wanted.iter().any(fits) { Ok(()) } else { Err(Code::PreconditionFailed.into()) }
    }
}

fn half_of(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')?.split_once('.').map(|(first, _)| first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expects(tag: &str) -> Expected {
        Expected(Some((vec!["\"other.tag\"".to_owned(), tag.to_owned()], &["/name"])))
    }

    #[test]
    fn several_tags_weak_ones_and_a_star_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""));
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert_eq!(tags(&headers, &header::IF_NONE_MATCH).collect::<Vec<_>>(), ["\"a\"", "W/\"b\"", "*"]);
        assert_eq!(tags(&HeaderMap::new(), &header::IF_NONE_MATCH).count(), 0);
    }

    #[test]
    fn a_change_is_held_up_by_what_it_would_replace_and_by_nothing_else() {
        let (read, used, renamed) =
            (json!({ "name": "a", "used": 1 }), json!({ "name": "a", "used": 2 }), json!({ "name": "b", "used": 1 }));
        let tag = tag(read.to_string().as_bytes(), &["/name"]).unwrap();
        assert!(expects(&tag).is(&read).is_ok() && expects(&tag).is(&used).is_ok());
        assert!(expects(&tag).is(&renamed).is_err());
        assert!(expects(&format!("W/{tag}")).is(&read).is_err(), "weak ones are no strong ones");
        assert!(expects("*").is(&renamed).is_ok() && Expected::default().is(&renamed).is_ok());
    }
}
