//! What a request shows of its sender: the key that signed it, and where it comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use sallyport_api::Code;
use sallyport_decide::accounts::proof::{self, Dialect, ProofError, ProvenKey, Thumbprint};
use sallyport_decide::accounts::session::Token;
use sallyport_model::{AgentText, limits};

use super::cookie;
use super::live::refused;
use crate::guard::ReadBody;
use crate::{App, Refusal};

/// The key of a request that needs no session yet: it will be the session's.
pub struct Proven(pub Thumbprint);

impl FromRequestParts<App> for Proven {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let body = parts.extensions.get::<ReadBody>().ok_or(Code::Internal)?.0.clone();
        let proof = prove(app, parts, &body)?;
        app.accounts.use_up_strange(&proof, app.clock.now())?;
        Ok(Self(*proof.key()))
    }
}

/// Verifies the proof of a session's request; whoever asked must use it up.
pub(super) fn prove(app: &App, parts: &Parts, body: &[u8]) -> Result<ProvenKey, Refusal> {
    verify(app, parts, body, (Dialect::Session, None)).map_err(refused)
}

/// Verifies the proof of a request that has an access token, or wants one; whoever asked must use it up.
pub(crate) fn prove_for_token(app: &App, parts: &Parts, body: &[u8], token: Option<&str>) -> Result<ProvenKey, ProofError> {
    verify(app, parts, body, (Dialect::Token, token))
}

fn verify(app: &App, parts: &Parts, body: &[u8], what: (Dialect, Option<&str>)) -> Result<ProvenKey, ProofError> {
    let headers: Vec<&[u8]> = parts.headers.get_all("dpop").iter().map(header::HeaderValue::as_bytes).collect();
    let url = format!("{}{}", app.config.origin(), parts.uri.path());
    let (dialect, access_token) = what;
    let request = proof::Request { dialect, method: parts.method.as_str(), url: &url, query: parts.uri.query(), body, access_token };
    proof::verify(&headers, &request, &app.accounts.nonces, app.clock.now())
}

/// Where a request comes from, as far as the server can see.
pub struct Source {
    /// The token of a session that this browser has already, or had.
    pub token: Option<Token>,
    /// The address of the client.
    pub ip: IpAddr,
    /// The same, as text.
    pub address: String,
    /// What it calls itself; made harmless.
    pub user_agent: String,
    /// What sends it.
    pub sender: Sender,
}

/// What sends a request, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A browser: pages cannot leave out or forge `Sec-Fetch-Site`.
    Browser,
    /// Something else.
    Program,
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of(parts)
    }
}

impl Source {
    /// Of a request.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Refusal> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Code::Internal)?;
        let user_agent = parts.headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        Ok(Self {
            token: cookie::read(&parts.headers),
            ip: peer.ip().to_canonical(),
            address: peer.ip().to_canonical().to_string(),
            user_agent: AgentText::tame(&user_agent, limits::AGENT_NAME_CHARS).into_string(),
            sender: if parts.headers.contains_key("sec-fetch-site") { Sender::Browser } else { Sender::Program },
        })
    }
}
