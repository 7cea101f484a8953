//! Requests of a session: signed, once more where the server wants its nonce, refusals as values.

mod answers;
mod tls;

use std::path::PathBuf;

use sallyport_api as api;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use crate::commands::step_up;
use crate::dpop::{Key, Signed};
use crate::failure::Failure;
use crate::loopback::{self, Loopback};
use crate::origin::Origin;
use crate::screen::remark;
use crate::session::{self, Session};
use crate::stream::Connection;
use crate::{ask, by_browser, clock};

use crate::query::Set;
pub(crate) use crate::query::{Query, form};
pub(crate) use tls::{agent, certificates_of};

use answers::{Answer, header, nothing_else, read, refused, unreachable};

const COOKIE: &str = "__Host-sallyport";
/// Marks what a vendor answered over a connection.
const VENDORS: &str = "sallyport-connection";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
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
    /// The body's media type.
    kind: &'static str,
}

impl Client {
    /// Takes the kept session up again.
    pub(crate) fn resume(path: PathBuf) -> Result<Self, Failure> {
        let session = session::load(&path)?.filter(Session::is_open).ok_or_else(|| Failure::NoSession(path.clone()))?;
        let key = session.key().ok_or_else(|| Failure::Content { path: path.clone(), why: "its key cannot be read; sign in again" })?;
        Self::with(session, key, path)
    }

    /// Begins a session with a new key; it is kept once the server sets its cookie.
    pub(crate) fn begin(server: &str, email: &str, ca: Option<String>, path: PathBuf) -> Result<Self, Failure> {
        session::is_keepable(&path)?;
        let (origin, key) = (Origin::parse(server)?, Key::generate()?);
        let (server, email) = (origin.to_string(), email.to_owned());
        let session = Session { server, email, key: key.to_text(), key_name: None, cookie: None, token: None, ca };
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

    /// Signs in with a browser: shows it the page by `show`, waits for its answer, and keeps the session that it gives.
    pub(crate) fn enter(&mut self, show: &dyn Fn(&str)) -> Result<api::Me, Failure> {
        // A wrong address is told at once, and not by a browser.
        self.act(Method::GET, "/v1/nonce")?;
        let loopback = Loopback::open(&self.server())?;
        show(&loopback.page(&self.key.thumbprint(), &loopback::name()));
        let answer = loopback.wait()?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "sallyport-cli"),
            ("code", answer.code.as_str()),
            ("code_verifier", answer.verifier.as_str()),
            ("redirect_uri", answer.redirect.as_str()),
        ];
        // The code is shown once: a nonce that is still good is asked for before.
        self.act(Method::GET, "/v1/nonce")?;
        let issued = self.post_form("/v1/oauth/token", &fields)?;
        self.entered(issued)
    }

    /// Posts a form of OAuth, signed by this session's key.
    pub(crate) fn post_form<T: DeserializeOwned>(&mut self, target: &str, fields: &[(&str, &str)]) -> Result<T, Failure> {
        let call = Call { method: Method::POST, target: target.to_owned(), body: form(fields).into_bytes(), kind: FORM };
        read(&self.send_signed(&call)?)
    }

    /// Takes the token of a session that was just opened, and keeps it.
    pub(crate) fn entered(&mut self, issued: api::IssuedToken) -> Result<api::Me, Failure> {
        self.session.token = Some(issued.access_token);
        let me: api::Me = self.read("/v1/me")?;
        self.session.email.clone_from(&me.email);
        self.session.keep_key()?;
        session::save(&self.path, &self.session)?;
        Ok(me)
    }

    /// Proves a factor in this session. What it is refused with is told as it is: nothing is proved in its place.
    pub(crate) fn elevate(&mut self, proof: &api::Elevate) -> Result<api::Me, Failure> {
        self.is_keepable()?;
        self.change(Method::POST, "/v1/me/elevate", proof)
    }

    /// A proof brings another cookie or token: where that cannot be kept, the session would be over with it.
    pub(crate) fn is_keepable(&self) -> Result<(), Failure> {
        session::is_keepable(&self.path)
    }

    /// Where the session's key is kept, for people.
    pub(crate) fn key_place(&self) -> &'static str {
        self.session.key_place()
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

    /// Reads a list to its end whose first page says more than its items.
    pub(crate) fn read_whole<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        let mut whole: serde_json::Map<String, Value> = self.read(&format!("{path}?limit=1"))?;
        whole.remove("next");
        whole.insert("items".to_owned(), self.read_all::<Value>(path, &Query::default())?.into());
        serde_json::from_value(whole.into()).map_err(|error| Failure::Answer(error.to_string()))
    }

    /// Reads pages of a list until there are enough items.
    pub(crate) fn read_up_to<T: DeserializeOwned>(&mut self, path: &str, query: &Query, most: usize) -> Result<Vec<T>, Failure> {
        let mut items: Vec<T> = Vec::new();
        let mut query = query.clone();
        loop {
            let page: api::Page<T> = self.read(&query.after(path))?;
            items.extend(page.items);
            let Some(next) = page.next.filter(|_| items.len() < most) else { break };
            if query.set("cursor", &next) == Set::Already {
                return Err(Failure::Answer("a list that goes round in a circle".to_owned()));
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

    /// Sends a body, and reads the answer where there is one.
    pub(crate) fn change_and_read_any<T: DeserializeOwned>(
        &mut self,
        method: Method,
        target: &str,
        body: &impl Serialize,
    ) -> Result<Option<T>, Failure> {
        let answer = self.send(method, target, written(body)?)?;
        if answer.body.is_empty() { Ok(None) } else { read(&answer).map(Some) }
    }

    /// Sends a body that is answered by nothing.
    pub(crate) fn tell(&mut self, method: Method, target: &str, body: &impl Serialize) -> Result<(), Failure> {
        nothing_else(&self.send(method, target, written(body)?)?)
    }

    /// Does what has neither body nor answer.
    pub(crate) fn act(&mut self, method: Method, target: &str) -> Result<(), Failure> {
        nothing_else(&self.send(method, target, Vec::new())?)
    }

    /// Does what has no body, and reads the answer.
    pub(crate) fn act_and_read<T: DeserializeOwned>(&mut self, method: Method, target: &str) -> Result<T, Failure> {
        let answer = self.send(method, target, Vec::new())?;
        read(&answer)
    }

    /// Sends a request over a connection: the vendor's status and answer, whatever they are.
    pub(crate) fn pass(&mut self, method: Method, target: &str, body: Vec<u8>) -> Result<(u16, Vec<u8>), Failure> {
        self.send(method, target, body).map(|answer| (answer.status, answer.body))
    }

    /// Asks for a guarded operation.
    pub(crate) fn ask(&mut self, method: Method, target: &str, body: &impl Serialize) -> Result<Asked, Failure> {
        self.asked(method, target, written(body)?)
    }

    /// Asks for one that its address says entirely.
    pub(crate) fn ask_plainly(&mut self, method: Method, target: &str) -> Result<Asked, Failure> {
        self.asked(method, target, Vec::new())
    }

    fn asked(&mut self, method: Method, target: &str, body: Vec<u8>) -> Result<Asked, Failure> {
        let answer = self.send(method, target, body)?;
        match answer.status {
            201 => read(&answer).map(|result| Asked::Done(Box::new(result))),
            _ => read(&answer).map(|request| Asked::Waits(Box::new(request))),
        }
    }

    fn send(&mut self, method: Method, target: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let call = Call { method, target: target.to_owned(), body, kind: JSON };
        match self.send_signed(&call) {
            // A fresh proof, once: who is refused again is told so (RFC 9470).
            Err(failure) if failure.is_refusal(api::Code::AuthenticationTooWeak) && ask::is_person() => {
                if by_browser::why(self)?.is_some() {
                    return Err(failure);
                }
                remark(format!("{failure}: you proved a factor too long ago for this."));
                step_up::prove(self, step_up::code()?)?;
                self.send_signed(&call)
            }
            other => other,
        }
    }

    fn send_signed(&mut self, call: &Call) -> Result<Answer, Failure> {
        match self.send_once(call) {
            Err(failure) if failure.is_refusal(api::Code::UseDpopNonce) => self.send_once(call),
            other => other,
        }
    }

    fn send_once(&mut self, call: &Call) -> Result<Answer, Failure> {
        let request = self.request(call)?;
        let response = self.agent.run(request).map_err(|error| unreachable(&self.origin, &error))?;
        self.keep(&response)?;
        let status = response.status().as_u16();
        let request_id = header(&response, "x-request-id").unwrap_or_default().to_owned();
        let is_vendors = header(&response, VENDORS).is_some();
        let body =
            response.into_body().into_with_config().limit(ANSWER_BYTES).read_to_vec().map_err(|error| unreachable(&self.origin, &error))?;
        if is_vendors || (200..300).contains(&status) {
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
            token: self.session.token.as_deref(),
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.origin, call.target))
            .header("accept", "application/json")
            .header("dpop", self.key.prove(&signed)?);
        if !call.body.is_empty() {
            request = request.header("content-type", call.kind);
        }
        if let Some(token) = &self.session.token {
            request = request.header("authorization", format!("DPoP {token}"));
        }
        if let Some(cookie) = &self.session.cookie {
            request = request.header("cookie", format!("{COOKIE}={cookie}"));
        }
        request.body(call.body.clone()).map_err(|error| Failure::Input(error.to_string()))
    }

    /// Takes the nonce and the cookie or token that an answer brings. These change at each elevation, so they are kept at once.
    fn keep(&mut self, response: &Response<Body>) -> Result<(), Failure> {
        if let Some(nonce) = header(response, "dpop-nonce") {
            nonce.clone_into(&mut self.nonce);
        }
        if let Some(token) = header(response, "sallyport-token") {
            self.session.token = Some(token.to_owned());
            return session::save(&self.path, &self.session);
        }
        let Some(pair) = header(response, "set-cookie").and_then(|line| line.split(';').next()) else { return Ok(()) };
        let Some(value) = pair.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('=')) else { return Ok(()) };
        if value.is_empty() {
            return Ok(());
        }
        if self.session.cookie.is_none() {
            self.session.keep_key()?;
        }
        self.session.cookie = Some(value.to_owned());
        session::save(&self.path, &self.session)
    }
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|error| Failure::Input(error.to_string()))
}
