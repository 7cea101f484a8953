//! `ETag` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2) on everything that is read as JSON: whoever asks again for what they
//! have gets `304` and no body.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::sha256;

use super::{is_json, whole};
use crate::Refusal;

/// Names the answer by its bytes; leaves it out where the caller has it.
pub(crate) async fn answer(request: Request, next: Next) -> Result<Response, Refusal> {
    let known = tags(request.headers());
    let response = next.run(request).await;
    if !is_json(&response) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = whole(body).await?;
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(&[&bytes]).as_bytes()[..16]));
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

/// The tags that the caller has. Compared weakly, as the RFC says for this header.
fn tags(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/").to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_tags_weak_ones_and_a_star_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""));
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert_eq!(tags(&headers), ["\"a\"", "\"b\"", "*"]);
        assert!(tags(&HeaderMap::new()).is_empty());
    }
}
