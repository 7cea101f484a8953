//! The one place from which the server sends HTTP to addresses that people configured.
//!
//! It connects to what it judged itself (`resolve`), trusts the system's certificates and those of one file, follows no redirect, uses no
//! proxy of the environment, keeps no connection and no cookie, and bounds sizes, time and how much goes on at once. What comes back is
//! hostile input.

mod error;
mod places;
mod resolve;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method, header};
use sallyport_decide::outbound::{Networks, Reach, Target};
use sallyport_model::limits;
use tokio::time::Instant;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

pub(crate) use error::OutboundError;
pub(crate) use places::Payer;
use places::Places;
use resolve::Judging;

/// Sends requests.
pub struct Outbound {
    operators: Agent,
    accounts: Agent,
    reach: Reach,
    places: Places,
}

/// Who wrote the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// The operator, in the server's configuration.
    Operator,
    /// Somebody with an account.
    Account,
}

/// What is sent.
pub(crate) struct Request {
    /// Whose places it takes.
    pub(crate) payer: Payer,
    /// Who wrote the address.
    pub(crate) wrote: Wrote,
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Without `Host`, `Content-Length` and whatever else belongs to the connection.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// How much a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From now to the end of the answer, the wait for a place included.
    pub(crate) time: Duration,
    pub(crate) request_bytes: usize,
    pub(crate) answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(limits::OUTBOUND_SECS),
            request_bytes: limits::OUTBOUND_REQUEST_BYTES,
            answer_bytes: limits::OUTBOUND_ANSWER_BYTES,
        }
    }
}

/// What came back, whatever its status: redirects too.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Outbound {
    /// Reads the certificates that are trusted, once.
    ///
    /// # Errors
    /// When the file of certificates cannot be read or has none.
    pub fn open(networks: Networks, certificates: Option<&Path>) -> std::io::Result<Self> {
        let roots = RootCerts::from(roots(certificates)?);
        let reach = Reach::Account(networks);
        Ok(Self { operators: agent(Reach::Operator, roots.clone()), accounts: agent(reach.clone(), roots), reach, places: Places::new() })
    }

    /// Whether an address that somebody with an account writes can be reached at all, as far as the text tells.
    ///
    /// # Errors
    /// Says what stands against it. A name is judged when it is used.
    pub(crate) fn accepts(&self, target: &Target) -> Result<(), OutboundError> {
        self.reach.speaks(target.scheme())?;
        Ok(target.address().map_or(Ok(()), |address| self.reach.judge(target.scheme(), address))?)
    }

    /// Sends a request and waits for the whole answer. Who stops waiting stops nothing: the place is taken until the answer came.
    ///
    /// # Errors
    /// Says why there is no answer; never with anything of the request.
    pub(crate) async fn send(&self, request: Request, most: Limits) -> Result<Answer, OutboundError> {
        let until = Instant::now() + most.time;
        fits(&request, most)?;
        if request.wrote == Wrote::Account {
            self.accepts(&request.target)?;
        }
        let place = tokio::time::timeout_at(until, self.places.take(request.payer, request.target.origin()));
        let place = place.await.ok().flatten().ok_or(OutboundError::Busy)?;
        let agent = if request.wrote == Wrote::Operator { &self.operators } else { &self.accounts }.clone();
        let most = Limits { time: until.saturating_duration_since(Instant::now()), ..most };
        let work = move || {
            let _place = place;
            run(&agent, request, most)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(OutboundError::Broken))
    }
}

fn agent(reach: Reach, roots: RootCerts) -> Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots)
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_idle_connections(0)
        .max_response_header_size(limits::OUTBOUND_ANSWER_HEAD_BYTES)
        .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Judging { reach })
}

fn roots(file: Option<&Path>) -> std::io::Result<Vec<Certificate<'static>>> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<Certificate<'static>> = system.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    let Some(file) = file else { return Ok(roots) };
    let none = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the file holds no certificates");
    let text = std::fs::read(file)?;
    let before = roots.len();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(one) = item.map_err(|_| none())? {
            roots.push(one);
        }
    }
    if roots.len() == before { Err(none()) } else { Ok(roots) }
}

/// What the connection sets by itself: a second one of these would make two readers see two requests.
const OWN: [header::HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::EXPECT,
    header::TE,
    header::TRAILER,
];

fn fits(request: &Request, most: Limits) -> Result<(), OutboundError> {
    let headers = &request.headers;
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let fits = request.body.len() <= most.request_bytes
        && headers.len() <= limits::OUTBOUND_HEADERS
        && bytes <= limits::OUTBOUND_HEADER_BYTES
        && !OWN.iter().any(|own| headers.contains_key(own));
    if fits { Ok(()) } else { Err(OutboundError::Request) }
}

fn run(agent: &Agent, request: Request, most: Limits) -> Result<Answer, OutboundError> {
    let mut head = ureq::http::Request::builder().method(request.method.clone()).uri(request.target.to_string());
    if let Some(headers) = head.headers_mut() {
        *headers = request.headers;
    }
    let bare = request.body.is_empty() && matches!(request.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
    let answer = match bare {
        true => agent.run(timed(agent, head.body(()).map_err(|_| OutboundError::Request)?, most.time)),
        false => agent.run(timed(agent, head.body(request.body).map_err(|_| OutboundError::Request)?, most.time)),
    };
    let (parts, body) = answer?.into_parts();
    // The client takes its limit for reached when it was read up to.
    let body = body.into_with_config().limit(most.answer_bytes as u64 + 1).read_to_vec()?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

fn timed<B: ureq::AsSendBody>(agent: &Agent, request: ureq::http::Request<B>, time: Duration) -> ureq::http::Request<B> {
    agent.configure_request(request).timeout_global(Some(time)).build()
}

#[cfg(test)]
mod tests;
