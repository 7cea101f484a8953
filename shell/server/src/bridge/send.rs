//! The one place where a credential is opened and put into a request.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use sallyport_api::Code;
use sallyport_decide::bridge::{Placement, Secret, Verb};
use sallyport_decide::outbound::Target;
use sallyport_model::{ConnectionId, TenantId, limits};
use sallyport_store::ops::bridge::SealedSecret;

use super::{LABEL, place};
use crate::outbound::{Answer, Limits, OutboundError, Payer, Request, Wrote};
use crate::{App, Refusal};

/// A request without its credential.
pub(super) struct Bare<'a> {
    pub(super) tenant: TenantId,
    pub(super) verb: Verb,
    pub(super) target: Target,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Vec<u8>,
}

/// Opens a connection's credential.
pub(super) fn opened(app: &App, connection: ConnectionId, sealed: &SealedSecret) -> Result<Secret, Refusal> {
    let opened = app.keys.open_sealed(LABEL, &place(connection, sealed.id), &sealed.sealed).map_err(|error| {
        tracing::error!(%error, %connection, "a connection's credential cannot be opened");
        Refusal::from(Code::Internal)
    })?;
    std::str::from_utf8(&opened).ok().and_then(|text| Secret::parse(text).ok()).ok_or_else(|| Code::Internal.into())
}

/// Sends a request with its credential.
///
/// # Errors
/// Says why there is no answer.
pub(super) async fn send(app: &App, bare: Bare<'_>, credential: (&Placement, &Secret)) -> Result<Answer, OutboundError> {
    let request = Request {
        payer: Payer::Tenant(bare.tenant),
        wrote: Wrote::Account,
        method: method(bare.verb),
        headers: headers(bare.headers, credential)?,
        target: bare.target,
        body: bare.body,
    };
    let limits =
        Limits { request_bytes: limits::CONNECTION_BODY_BYTES, answer_bytes: limits::CONNECTION_ANSWER_BYTES, ..Limits::default() };
    app.outbound.send(request, limits).await
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}

fn headers(plain: &[(String, String)], (placement, secret): (&Placement, &Secret)) -> Result<HeaderMap, OutboundError> {
    let name = |text: &str| HeaderName::try_from(text).map_err(|_| OutboundError::Request);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| OutboundError::Request);
    let mut headers = HeaderMap::new();
    for (key, text) in plain {
        headers.insert(name(key)?, value(text)?);
    }
    let mut credential = value(&placement.value(secret))?;
    credential.set_sensitive(true);
    headers.insert(name(&placement.header())?, credential);
    Ok(headers)
}

/// All headers of an answer, as they are judged.
pub(super) fn listed(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
