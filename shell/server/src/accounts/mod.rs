//! Signing in over HTTP: set-up, sign-in, sessions, factors.

use axum::body::Bytes;
use axum::http::request::Parts;
use sallyport_api::Code;
use sallyport_decide::policy::Actor;

use crate::{App, Refusal};

/// What signing in needs in memory: nonces, proofs that were seen, the hashing pool.
#[derive(Default)]
pub struct Live {}

/// Finds the live session of a request, whose key signed method, address, body and nonce.
pub(crate) async fn authenticate(_app: &App, _parts: &Parts, _body: &Bytes) -> Result<Actor, Refusal> {
    Err(Code::NotSignedIn.into())
}
