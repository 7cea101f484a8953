//! What servers answer, and what stands between them and us: values, or refusals as values.

use sallyport_api as api;
use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::Response;

use crate::failure::{Failure, Problem};
use crate::origin::Origin;

/// An answer that was read whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| Failure::Answer(error.to_string()))
}

/// Takes an answer that says nothing, or nothing that matters here. A page in the server's place is no answer: nothing was done.
pub(super) fn nothing_else(answer: &Answer) -> Result<(), Failure> {
    if answer.body.is_empty() { Ok(()) } else { read::<serde::de::IgnoredAny>(answer).map(drop) }
}

pub(super) fn refused(status: u16, request_id: String, body: &[u8]) -> Failure {
    if let Ok(said) = serde_json::from_slice::<api::OauthError>(body) {
        let detail = "Begin the sign-in again.".to_owned();
        let problem = Problem { title: said.error_description, detail, status, code: said.error, request_id, field: None };
        return Failure::Refused(Box::new(problem));
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if !problem.code.is_empty() => Failure::Refused(Box::new(problem)),
        _ => Failure::Refused(Box::new(Problem {
            title: format!("the server answered with status {status}"),
            detail: "Something between here and the server may have answered in its place.".to_owned(),
            status,
            code: format!("http_{status}"),
            request_id,
            field: None,
        })),
    }
}

pub(super) fn unreachable(origin: &Origin, error: &ureq::Error) -> Failure {
    Failure::Unreachable { url: origin.to_string(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_newer_servers_and_of_strangers_are_refusals() {
        let newer = refused(
            409,
            String::new(),
            br#"{"type":"x","title":"No","status":409,"detail":"d","code":"from_the_future","request_id":"r"}"#,
        );
        assert_eq!((newer.code(), newer.exit_code()), ("from_the_future", 2));
        let told = |body: &[u8]| nothing_else(&Answer { status: 200, body: body.to_vec() });
        assert!(told(b"").is_ok() && told(b"{\"done\":true}").is_ok());
        assert!(matches!(told(b"<html>"), Err(Failure::Answer(_))), "a page in the server's place did nothing");
        let proxy = refused(502, "7".into(), b"<html>");
        assert_eq!((proxy.code(), proxy.exit_code()), ("http_502", 3));
    }
}
