//! A browser as far as the server can tell: a key that signs every request, a cookie, the newest nonce.
//!
//! It writes HTTP/1.1 by itself, so that tests can send what no library would.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sallyport_server::clock::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::host::Host;
use crate::server::TestClock;
use crate::wire::{Connection, Kept, Wire, over};

static PROOFS: AtomicU64 = AtomicU64::new(0);

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status; 0 where the server hung up without an answer.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The server hung up.
const NO_REPLY: Reply = Reply { status: 0, headers: Vec::new(), body: Vec::new() };

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of a refusal; empty where it is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and body, without what differs in every answer.
    pub fn essence(&self) -> (u16, Value) {
        let mut body = self.json();
        if let Some(problem) = body.as_object_mut() {
            problem.remove("request_id");
        }
        (self.status, body)
    }
}

/// One request, before it is signed.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// JSON, or nothing.
    pub body: Option<Value>,
    /// Bytes that are sent instead of JSON.
    pub raw: Option<Vec<u8>>,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

impl Call {
    /// A call without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With a body that need not be JSON.
    #[must_use]
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.raw = Some(body.into());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let json = || self.body.as_ref().map(|body| body.to_string().into_bytes());
        self.raw.clone().or_else(json).unwrap_or_default()
    }
}

/// A browser. A clone is the same browser: same key, same cookie.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    origin: String,
    clock: TestClock,
    key: SigningKey,
    /// The cookie's value, once there is one.
    pub cookie: Option<String>,
    nonce: String,
    tls: Option<TlsConnector>,
    /// Where its connections come from, and what a proxy there says before anything else.
    introduced: Option<(SocketAddr, Vec<u8>)>,
    /// The connection of all requests, where they share one.
    kept: Option<Kept>,
}

impl Client {
    /// A browser with a key of its own for each seed from 1 on.
    pub fn new(server: &impl Host, seed: u8) -> Self {
        let key = SigningKey::from_slice(&[seed; 32]).expect("a scalar");
        Self {
            address: server.address(),
            origin: server.origin().to_owned(),
            clock: server.clock().clone(),
            key,
            cookie: None,
            nonce: String::new(),
            tls: None,
            introduced: None,
            kept: None,
        }
    }

    /// The same browser behind a proxy at this address of loopback, which introduces each connection with these bytes.
    #[must_use]
    pub fn introduced(mut self, proxy: std::net::Ipv4Addr, header: &[u8]) -> Self {
        self.introduced = Some((SocketAddr::from((proxy, 0)), header.to_vec()));
        self
    }

    /// The same browser, over TLS with a server for `localhost`.
    #[must_use]
    pub fn over(mut self, tls: TlsConnector) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same browser, which leaves its connection open for the next request.
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.kept = Some(Kept::default());
        self
    }

    /// The same browser at another server, as after a restart.
    #[must_use]
    pub fn at(&self, server: &impl Host) -> Self {
        let kept = self.kept.as_ref().map(|_| Kept::default());
        Self { address: server.address(), clock: server.clock().clone(), kept, ..self.clone() }
    }

    /// Asks without a body.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Call::new("GET", path)).await
    }

    /// Posts JSON.
    pub async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.send(Call::new("POST", path).body(body)).await
    }

    /// Signs and sends; once more where the server wants its nonce; keeps the cookie that it sets.
    pub async fn send(&mut self, call: Call) -> Reply {
        let mut reply = self.send_once(&call).await;
        if reply.code() == "use_dpop_nonce" {
            reply = self.send_once(&call).await;
        }
        if let Some(cookie) = reply.header("set-cookie") {
            let value = cookie.split(';').next().and_then(|pair| pair.strip_prefix("__Host-sallyport=")).unwrap_or_default();
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
        reply
    }

    async fn send_once(&mut self, call: &Call) -> Reply {
        let proof = self.proof(call);
        let reply = self.send_with(call, Some(&proof)).await;
        if let Some(nonce) = reply.header("dpop-nonce") {
            nonce.clone_into(&mut self.nonce);
        }
        reply
    }

    /// Signs and sends once, with the newest nonce that it has, to a server that may end meanwhile.
    pub async fn attempt(&mut self, call: &Call) -> Option<Reply> {
        let request = self.request(call, Some(&self.proof(call)));
        let stream = TcpStream::connect(self.address).await.ok()?;
        try_talk(stream, &request).await
    }

    /// Sends with this proof, or none.
    pub async fn send_with(&self, call: &Call, proof: Option<&str>) -> Reply {
        let request = self.request(call, proof);
        if let Some((proxy, header)) = &self.introduced {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(*proxy).expect("an address of loopback");
            let stream = socket.connect(self.address).await.expect("the server listens");
            return talk(stream, &[header, request.as_slice()].concat()).await;
        }
        match &self.kept {
            None => talk(self.dial().await.expect("the server listens"), &request).await,
            Some(kept) => self.ask_over(kept, &request).await.and_then(|answer| parse(&request, &answer)).unwrap_or(NO_REPLY),
        }
    }

    async fn ask_over(&self, kept: &Kept, request: &[u8]) -> Option<Vec<u8>> {
        match kept.ask(request).await {
            Some(answer) => Some(answer),
            None => kept.ask_over(self.dial().await.ok()?, request).await.ok(),
        }
    }

    async fn dial(&self) -> std::io::Result<Wire> {
        let stream = TcpStream::connect(self.address).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => over(tls, stream).await,
        }
    }

    fn request(&self, call: &Call, proof: Option<&str>) -> Vec<u8> {
        let body = call.bytes();
        let connection = if self.kept.is_some() { "keep-alive" } else { "close" };
        let mut text = format!("{} {} HTTP/1.1\r\nhost: localhost:8800\r\nconnection: {connection}\r\n", call.method, call.path);
        let mut header = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
        let is_named = call.headers.iter().any(|(name, _)| name == "content-type");
        if (call.body.is_some() || call.raw.is_some()) && !is_named {
            header("content-type", "application/json");
        }
        header("content-length", &body.len().to_string());
        if let Some(cookie) = &self.cookie {
            header("cookie", &format!("__Host-sallyport={cookie}"));
        }
        if let Some(proof) = proof {
            header("dpop", proof);
        }
        call.headers.iter().for_each(|(name, value)| header(name, value));
        text.push_str("\r\n");
        [text.as_bytes(), &body].concat()
    }

    /// Sends a call and leaves the connection open: what comes is read from it.
    pub async fn open(&self, call: &Call, proof: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.write_all(&self.request(call, Some(proof))).await.expect("the server reads");
        stream
    }

    /// Sends the beginning of a call; yields the connection and what is missing.
    pub async fn begin(&self, call: &Call, proof: &str) -> (TcpStream, Vec<u8>) {
        let mut request = self.request(call, Some(proof));
        let rest = request.split_off(request.len() - call.bytes().len() / 2);
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.write_all(&request).await.expect("the server reads");
        (stream, rest)
    }

    /// Opens a stream of events and leaves it open: what comes is read from the connection.
    pub async fn follow(&mut self, path: &str) -> Wire {
        self.get("/v1/nonce").await;
        let call = Call::new("GET", path);
        let proof = self.proof(&call);
        let cookie = self.cookie.as_deref().unwrap_or_default();
        let text = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost:8800\r\nconnection: close\r\naccept: text/event-stream\r\n\
             cookie: __Host-sallyport={cookie}\r\ndpop: {proof}\r\n\r\n"
        );
        let mut stream = self.dial().await.expect("the server listens");
        stream.write_all(text.as_bytes()).await.expect("the server reads");
        stream
    }

    /// The proof for a call, with the newest nonce.
    pub fn proof(&self, call: &Call) -> String {
        let (path, query) = call.path.split_once('?').map_or((call.path.as_str(), None), |(path, query)| (path, Some(query)));
        let mut jti = [0u8; 16];
        jti[..8].copy_from_slice(&PROOFS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut claims = json!({
            "jti": URL_SAFE_NO_PAD.encode(jti), "htm": call.method, "htu": format!("{}{path}", self.origin), "iat": self.clock.now().secs(),
            "nonce": self.nonce,
        });
        if let Some(query) = query {
            claims["htq"] = json!(query);
        }
        let body = call.bytes();
        if !body.is_empty() {
            claims["bh"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(&body)));
        }
        self.sign(&claims)
    }

    fn sign(&self, claims: &Value) -> String {
        self.signed(&json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() }), claims)
    }

    /// The public key that signs its requests.
    pub fn jwk(&self) -> Value {
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    /// A JWT with this header, whatever it says, signed by that key.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature: Signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// Sends bytes as they are and reads until the server closes.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    talk(TcpStream::connect(address).await.expect("the server listens"), request).await
}

async fn talk(stream: impl Connection, request: &[u8]) -> Reply {
    try_talk(stream, request).await.unwrap_or(NO_REPLY)
}

async fn try_talk(mut stream: impl Connection, request: &[u8]) -> Option<Reply> {
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    // A server that refuses a body may close before it has read it all: what it said counts.
    let _ = stream.read_to_end(&mut answer).await;
    parse(request, &answer)
}

/// Nothing where the server ended in the middle of its answer; one to HEAD tells the length of a body that does not come.
fn parse(request: &[u8], answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok())?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &answer[end + 4..];
    let body = if chunked { joined(body) } else { body.to_vec() };
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let whole = length.is_none_or(|length: usize| length == body.len() || request.starts_with(b"HEAD "));
    whole.then_some(Reply { status, headers, body })
}

/// Puts the chunks of a chunked body together.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).unwrap_or(0);
        if size == 0 || rest.len() < end + 2 + size {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
