//! What the OAuth endpoints share: forms, refusals in OAuth's words, and who it is that asks.

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::proof::ProofError;
use sallyport_decide::automation::assertion::{self, Asserted, AssertionError};
use sallyport_decide::automation::{ClientKey, KeyStanding, Standing, Stopped, age_of};
use sallyport_model::Digest;
use sallyport_model::Timestamp;
use sallyport_store::StoreError;
use sallyport_store::ops::automation::{ClientRow, StopClient, StoppedBy, client, keys_of};
use serde::de::DeserializeOwned;

use super::authenticate::address;
use crate::guard::ReadBody;
use crate::{App, Json, Refusal};

/// Why an OAuth request was refused (RFC 6749, section 5.2; RFC 9449, section 5).
#[derive(Debug)]
pub(crate) enum OauthRefusal {
    /// The form is not what it must be.
    Request(&'static str),
    /// `grant_type` is another one.
    GrantType,
    /// The client could not be told, or may not work. One answer for strangers, whatever exists here.
    Client(String),
    /// A scope that the client does not have.
    Scope,
    /// A code that gives nothing.
    Grant(String),
    /// What this client may not ask for here.
    Unauthorized(&'static str),
    /// What a program is told that polls (RFC 8628, section 3.5).
    Poll(&'static str, &'static str),
    /// The proof proves nothing.
    Proof(ProofError),
    /// As for everybody else.
    Other(Refusal),
}

impl From<Refusal> for OauthRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl From<StoreError> for OauthRefusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists => Self::Client("the assertion was used before".to_owned()),
            error => Self::Other(error.into()),
        }
    }
}

impl From<AssertionError> for OauthRefusal {
    fn from(error: AssertionError) -> Self {
        Self::Client(error.to_string())
    }
}

impl From<ProofError> for OauthRefusal {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl IntoResponse for OauthRefusal {
    fn into_response(self) -> Response {
        let (status, error, why) = match self {
            Self::Request(why) => (StatusCode::BAD_REQUEST, "invalid_request", why.to_owned()),
            Self::GrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "see grant_types_supported in the server's description".to_owned())
            }
            Self::Client(why) => (StatusCode::UNAUTHORIZED, "invalid_client", why),
            Self::Scope => (StatusCode::BAD_REQUEST, "invalid_scope", "the client does not have this scope".to_owned()),
            Self::Grant(why) => (StatusCode::BAD_REQUEST, "invalid_grant", why),
            Self::Unauthorized(why) => (StatusCode::BAD_REQUEST, "unauthorized_client", why.to_owned()),
            Self::Poll(error, why) => (StatusCode::BAD_REQUEST, error, why.to_owned()),
            Self::Proof(ProofError::Nonce) => {
                (StatusCode::BAD_REQUEST, "use_dpop_nonce", "repeat the request with the nonce of the DPoP-Nonce header".to_owned())
            }
            Self::Proof(ProofError::Crowded) => return Refusal::from(Code::Busy).retry_after(1).into_response(),
            Self::Proof(error) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof", error.to_string()),
            Self::Other(refusal) => return refusal.into_response(),
        };
        (status, Json(api::OauthError { error: error.to_owned(), error_description: why })).into_response()
    }
}

/// The form of a request, with its bytes.
pub(super) fn form<T: DeserializeOwned>(parts: &Parts) -> Result<(T, Bytes), OauthRefusal> {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(OauthRefusal::Request("the body must be application/x-www-form-urlencoded"));
    }
    let body = parts.extensions.get::<ReadBody>().ok_or(Refusal::from(Code::Internal))?.0.clone();
    let unreadable = || OauthRefusal::Request("the form cannot be read, or a parameter is missing or there twice");
    // A form has the syntax of a query.
    let text = std::str::from_utf8(&body).map_err(|_| unreadable())?;
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build().map_err(|_| unreadable())?;
    let Query(form) = Query::try_from_uri(&uri).map_err(|_| unreadable())?;
    Ok((form, body))
}

/// How a client says who it is.
pub(super) struct Credentials<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) assertion: Option<&'a str>,
    pub(super) id: Option<&'a str>,
}

/// A client whose assertion was verified and not used up yet.
pub(super) struct Authenticated {
    pub(super) row: ClientRow,
    pub(super) asserted: Asserted,
    pub(super) key: ClientKey,
    pub(super) standing: KeyStanding,
}

impl Authenticated {
    /// What must be remembered of the assertion.
    pub(super) fn used(&self) -> (Digest, Timestamp) {
        (self.asserted.id(), self.asserted.expires())
    }
}

/// Verifies a client's assertion, and that the client may work from here now. A key that shows that something is wrong stops its client.
pub(super) async fn authenticated(app: &App, parts: &Parts, credentials: Credentials<'_>) -> Result<Authenticated, OauthRefusal> {
    if credentials.kind != Some(assertion::FORM_TYPE) {
        return Err(OauthRefusal::Client(format!("client_assertion_type must be {}", assertion::FORM_TYPE)));
    }
    let text = credentials.assertion.ok_or_else(|| OauthRefusal::Client("client_assertion is missing".to_owned()))?;
    let (shown, now) = (assertion::read(text)?, app.clock.now());
    if credentials.id.is_some_and(|id| id != shown.client().to_string()) {
        return Err(OauthRefusal::Client("client_id is not the assertion's".to_owned()));
    }
    let mut reader = app.store.read().await?;
    // Whoever cannot sign for a client is not told whether it exists.
    let row = client(&mut reader, shown.client()).await?.ok_or(AssertionError::Signature)?;
    let registered = keys_of(&mut reader, row.id).await?;
    drop(reader);
    let keys: Vec<ClientKey> = registered.iter().map(|one| one.key.clone()).collect();
    let (asserted, signer) = shown.verify(&keys, app.config.origin(), now).map_err(hidden)?;
    let standing = age_of(registered[signer].age, row.state.shape.rotation, now);
    match standing {
        KeyStanding::Good | KeyStanding::Due => {}
        KeyStanding::Reused => return Err(stopped(app, &row, Stopped::KeyReused).await?),
        KeyStanding::Missed => return Err(stopped(app, &row, Stopped::RotationMissed).await?),
    }
    match row.state.judge(address(parts)?, now) {
        Standing::Works => Ok(Authenticated { row, asserted, key: keys[signer].clone(), standing }),
        Standing::Over => Err(OauthRefusal::Client("the client was stopped, has expired, or its owner's account does not work".to_owned())),
        Standing::Elsewhere => Err(OauthRefusal::Client("the client does not work from this address".to_owned())),
    }
}

/// Which algorithms a client's keys have would say that there is such a client.
fn hidden(error: AssertionError) -> AssertionError {
    if error == AssertionError::Algorithm { AssertionError::Signature } else { error }
}

async fn stopped(app: &App, row: &ClientRow, why: Stopped) -> Result<OauthRefusal, OauthRefusal> {
    let by = StoppedBy::Itself { tenant: row.tenant, why };
    match app.store.commit(StopClient { by, client: row.id, at: app.clock.now(), salt: app.random() }).await {
        // Stopped before is stopped.
        Ok(()) | Err(StoreError::NotFound) => Ok(OauthRefusal::Client(format!("the client is stopped: {}", why.as_str()))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_know_the_words_for_a_key_that_is_not_registered() {
        assert_eq!(AssertionError::Signature.to_string(), sallyport_api::UNREGISTERED_KEY);
        assert_eq!(hidden(AssertionError::Algorithm), AssertionError::Signature);
    }
}
