//! A receiver of webhooks on the loopback, good or bad as its paths say: it keeps what came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::simulated::Certificate;

/// How long what must come may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// One request that came.
#[derive(Debug, Clone)]
pub struct Got {
    /// Its path.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, byte by byte.
    pub body: String,
}

impl Got {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The event's word.
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// The event's id, from the header.
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }
}

#[derive(Clone, Default)]
struct Kept {
    got: Arc<Mutex<Vec<Got>>>,
    /// Whether `/later` takes what comes.
    open: Arc<AtomicBool>,
    elsewhere: Arc<Mutex<String>>,
}

/// The receiver. Paths: `/ok` takes everything, `/later` once it was opened, `/fails` nothing (500), `/gone` says so (410), `/hangs` never
/// answers, `/huge` and `/long` answer too much and much, `/moved` sends elsewhere (302).
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    scheme: &'static str,
    kept: Kept,
}

impl Receiver {
    /// Plain HTTP.
    ///
    /// # Panics
    /// Where the loopback has no port.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// TLS with this certificate.
    ///
    /// # Panics
    /// Where the loopback has no port.
    pub async fn over_tls(certificate: &Certificate) -> Self {
        Self::listen(Some(certificate.acceptor())).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let kept = Kept::default();
        tokio::spawn(accept(listener, tls, kept.clone()));
        Self { address, scheme, kept }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        match self.scheme {
            "https" => format!("https://localhost:{}{path}", self.address.port()),
            _ => format!("http://{}{path}", self.address),
        }
    }

    /// From now on `/later` takes what comes.
    pub fn open(&self) {
        self.kept.open.store(true, Ordering::SeqCst);
    }

    /// Where `/moved` sends.
    pub fn moved_to(&self, url: &str) {
        url.clone_into(&mut self.kept.elsewhere.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What came to a path so far.
    pub fn got(&self, path: &str) -> Vec<Got> {
        let got = self.kept.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Waits until so many requests came to a path.
    ///
    /// # Panics
    /// Where they do not come.
    pub async fn wait(&self, path: &str, count: usize) -> Vec<Got> {
        let begun = Instant::now();
        loop {
            let got = self.got(path);
            if got.len() >= count {
                return got;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {count} came to {path}: {got:#?}", got.len());
            sleep(LOOK).await;
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, kept: Kept) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, kept) = (tls.clone(), kept.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(stream, kept).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => answer(stream, kept).await,
                    Err(_) => None,
                },
            }
        });
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, kept: Kept) -> Option<()> {
    let got = read(&mut stream).await?;
    let path = got.path.clone();
    kept.got.lock().unwrap_or_else(PoisonError::into_inner).push(got);
    let said = match path.as_str() {
        "/hangs" => {
            // The other end gives up first.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return None;
        }
        "/fails" => written("500 Internal Server Error", "", "no \u{1b}[31mroom"),
        "/gone" => written("410 Gone", "", ""),
        "/huge" => written("200 OK", "", &"x".repeat(1024 * 1024)),
        "/long" => written("200 OK", "", &"y".repeat(5_000)),
        "/moved" => {
            let to = kept.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone();
            written("302 Found", &format!("Location: {to}\r\n"), "")
        }
        "/later" if !kept.open.load(Ordering::SeqCst) => written("503 Service Unavailable", "", "later"),
        _ => written("200 OK", "", "taken"),
    };
    stream.write_all(said.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn written(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Got> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: BTreeMap<String, String> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = bytes[head + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Got { path, headers, body: String::from_utf8(body).ok()? })
}
