//! Requests of a session: signed, once more where the server wants its nonce, refusals as values.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sallyport_api as api;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::clock;
use crate::dpop::{Key, Signed};
use crate::failure::{Failure, Problem};
use crate::origin::{Origin, Reach};
use crate::session::{self, Session};
use crate::stream::Connection;

const COOKIE: &str = "__Host-sallyport";
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE_CALL: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const ANSWER_BYTES: u64 = 128 * 1024 * 1024;

/// A server, as one session talks to it.
pub(crate) struct Client {
    agent: Agent,
    origin: Origin,
    key: Key,
    nonce: String,
    session: Session,
    path: PathBuf,
}

/// What a guarded operation is answered with.
pub(crate) enum Asked {
    /// It waits for proofs.
    Waits(Box<api::AuthorizationRequest>),
    /// An open step-up window was enough; it is done.
    Done(Box<api::ActionResult>),
}

struct Call {
    method: Method,
    target: String,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    /// Takes the kept session up again.
    pub(crate) fn resume(path: PathBuf) -> Result<Self, Failure> {
        let session = session::load(&path)?.filter(|session| session.cookie.is_some()).ok_or_else(|| Failure::NoSession(path.clone()))?;
        let key = Key::from_text(&session.key)
            .ok_or_else(|| Failure::Content { path: path.clone(), why: "its key cannot be read; sign in again" })?;
        Self::with(session, key, path)
    }

    /// Begins a session with a new key; it is kept once the server sets its cookie.
    pub(crate) fn begin(server: &str, email: &str, ca: Option<String>, path: PathBuf) -> Result<Self, Failure> {
        let (origin, key) = (Origin::parse(server)?, Key::generate()?);
        let session = Session { server: origin.to_string(), email: email.to_owned(), key: key.to_text(), cookie: None, ca };
        Self::with(session, key, path)
    }

    fn with(session: Session, key: Key, path: PathBuf) -> Result<Self, Failure> {
        let origin = Origin::parse(&session.server)?;
        let agent = agent(&origin, session.ca.as_deref())?;
        Ok(Self { agent, origin, key, nonce: String::new(), session, path })
    }

    /// The server's origin.
    pub(crate) fn server(&self) -> String {
        self.origin.to_string()
    }

    /// Certificates that are trusted besides the system's.
    pub(crate) fn ca(&self) -> Option<String> {
        self.session.ca.clone()
    }

    /// Dials a stream of this session's server.
    pub(crate) fn dial(&self, ticket: &str) -> Result<Connection, Failure> {
        Connection::dial(&self.origin, self.session.ca.as_deref(), ticket)
    }

    /// Where the session is kept.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Reads one thing.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, target: &str) -> Result<T, Failure> {
        let answer = self.send(Method::GET, target, Vec::new())?;
        read(&answer)
    }

    /// Reads all pages of a list.
    pub(crate) fn read_all<T: DeserializeOwned>(&mut self, path: &str, query: &Query) -> Result<Vec<T>, Failure> {
        self.read_up_to(path, query, usize::MAX)
    }

    /// Reads pages of a list until there are enough items.
    pub(crate) fn read_up_to<T: DeserializeOwned>(&mut self, path: &str, query: &Query, most: usize) -> Result<Vec<T>, Failure> {
        let mut items: Vec<T> = Vec::new();
        let mut query = query.clone();
        loop {
            let page: api::Page<T> = self.read(&query.after(path))?;
            items.extend(page.items);
            match page.next {
                Some(next) if items.len() < most => query.set("cursor", &next),
                _ => break,
            }
        }
        items.truncate(most);
        Ok(items)
    }

    /// Sends a body and reads the answer.
    pub(crate) fn change<T: DeserializeOwned>(&mut self, method: Method, target: &str, body: &impl Serialize) -> Result<T, Failure> {
        let answer = self.send(method, target, written(body)?)?;
        read(&answer)
    }

    /// Sends a body that is answered by nothing.
    pub(crate) fn tell(&mut self, method: Method, target: &str, body: &impl Serialize) -> Result<(), Failure> {
        self.send(method, target, written(body)?).map(drop)
    }

    /// Does what has neither body nor answer.
    pub(crate) fn act(&mut self, method: Method, target: &str) -> Result<(), Failure> {
        self.send(method, target, Vec::new()).map(drop)
    }

    /// Asks for a guarded operation.
    pub(crate) fn ask(&mut self, method: Method, target: &str, body: &impl Serialize) -> Result<Asked, Failure> {
        let answer = self.send(method, target, written(body)?)?;
        match answer.status {
            201 => read(&answer).map(|result| Asked::Done(Box::new(result))),
            _ => read(&answer).map(|request| Asked::Waits(Box::new(request))),
        }
    }

    fn send(&mut self, method: Method, target: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let call = Call { method, target: target.to_owned(), body };
        match self.send_once(&call) {
            Err(failure) if failure.is_refusal(api::Code::UseDpopNonce) => self.send_once(&call),
            other => other,
        }
    }

    fn send_once(&mut self, call: &Call) -> Result<Answer, Failure> {
        let request = self.request(call)?;
        let response = self.agent.run(request).map_err(|error| unreachable(&self.origin, &error))?;
        self.keep(&response)?;
        let status = response.status().as_u16();
        let request_id = header(&response, "x-request-id").unwrap_or_default().to_owned();
        let body =
            response.into_body().into_with_config().limit(ANSWER_BYTES).read_to_vec().map_err(|error| unreachable(&self.origin, &error))?;
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        Err(refused(status, request_id, &body))
    }

    fn request(&self, call: &Call) -> Result<Request<Vec<u8>>, Failure> {
        let (path, query) = call.target.split_once('?').map_or((call.target.as_str(), None), |(path, query)| (path, Some(query)));
        let signed = Signed {
            method: call.method.as_str(),
            url: format!("{}{path}", self.origin),
            query,
            body: &call.body,
            nonce: &self.nonce,
            secs: clock::now().secs(),
            token: None,
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.origin, call.target))
            .header("accept", "application/json")
            .header("dpop", self.key.prove(&signed)?);
        if !call.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(cookie) = &self.session.cookie {
            request = request.header("cookie", format!("{COOKIE}={cookie}"));
        }
        request.body(call.body.clone()).map_err(|error| Failure::Input(error.to_string()))
    }

    /// Takes the nonce and the cookie that an answer brings. Cookies change at each elevation, so they are kept at once.
    fn keep(&mut self, response: &Response<Body>) -> Result<(), Failure> {
        if let Some(nonce) = header(response, "dpop-nonce") {
            nonce.clone_into(&mut self.nonce);
        }
        let Some(pair) = header(response, "set-cookie").and_then(|line| line.split(';').next()) else { return Ok(()) };
        let Some(value) = pair.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('=')) else { return Ok(()) };
        if value.is_empty() {
            return Ok(());
        }
        self.session.cookie = Some(value.to_owned());
        session::save(&self.path, &self.session)
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|error| Failure::Input(error.to_string()))
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| Failure::Answer(error.to_string()))
}

fn refused(status: u16, request_id: String, body: &[u8]) -> Failure {
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

fn unreachable(origin: &Origin, error: &ureq::Error) -> Failure {
    Failure::Unreachable { url: origin.to_string(), why: error.to_string() }
}

/// How servers are talked to: no proxies for this computer, no plain HTTP for any other.
pub(crate) fn agent(origin: &Origin, ca: Option<&str>) -> Result<Agent, Failure> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("sallyport-cli/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE_CALL));
    let config = match origin.reach() {
        Reach::ThisComputer => config.proxy(None),
        Reach::Network => config.https_only(true),
    };
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots(ca)?)
        .build();
    Ok(config.tls_config(tls).build().new_agent())
}

/// The system's certificates, and those that the person added.
fn roots(ca: Option<&str>) -> Result<RootCerts, Failure> {
    let mut certificates: Vec<Certificate<'static>> =
        rustls_native_certs::load_native_certs().certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    if let Some(pem) = ca {
        certificates.extend(certificates_of(pem).ok_or_else(|| Failure::Input("the CA file has no certificate in PEM form".to_owned()))?);
    }
    Ok(RootCerts::from(certificates))
}

/// The certificates of a PEM text; none where it has none or anything broken.
pub(crate) fn certificates_of(pem: &str) -> Option<Vec<Certificate<'static>>> {
    let items: Vec<PemItem<'static>> = parse_pem(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    (!certificates.is_empty()).then_some(certificates)
}

/// A query string in the making.
#[derive(Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn with_all(self, name: &str, values: &[String]) -> Self {
        values.iter().fold(self, |query, value| query.with(name, value))
    }

    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        value.into_iter().fold(self, |query, value| query.with(name, value))
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The path with this query.
    pub(crate) fn after(&self, path: &str) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

/// RFC 3986: everything but unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let query = Query::default().with("q", "Müller & co").with_all("tag", &["a".into(), "b".into()]).with_some("site", None);
        assert_eq!(query.after("/v1/devices"), "/v1/devices?q=M%C3%BCller%20%26%20co&tag=a&tag=b");
        assert_eq!(Query::default().after("/v1/jobs"), "/v1/jobs");
    }

    #[test]
    fn refusals_of_newer_servers_and_of_strangers_are_refusals() {
        let newer = refused(
            409,
            String::new(),
            br#"{"type":"x","title":"No","status":409,"detail":"d","code":"from_the_future","request_id":"r"}"#,
        );
        assert_eq!((newer.code(), newer.exit_code()), ("from_the_future", 2));
        let proxy = refused(502, "7".into(), b"<html>");
        assert_eq!((proxy.code(), proxy.exit_code()), ("http_502", 3));
    }
}
