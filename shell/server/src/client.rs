//! Whose request it is, before anything else is decided: the client's address behind listed proxies, and how much it asks.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use sallyport_api::Code;
use sallyport_decide::client_address::{Method, Passed, Proxies, proxy_v2};
use sallyport_decide::rate::{Buckets, Left};
use sallyport_model::{Timestamp, limits};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::Refusal;

/// The client of a request that came over a connection.
pub(crate) fn of(proxies: &Proxies, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    let values: Vec<&[u8]> = match proxies.header() {
        Some(name) => headers.get_all(name).iter().map(HeaderValue::as_bytes).collect(),
        None => Vec::new(),
    };
    let client = proxies.client(peer.ip(), &values);
    if client == peer.ip().to_canonical() { peer } else { SocketAddr::new(client, 0) }
}

/// The peer of a connection, as a listed proxy introduces it where they speak the PROXY protocol; `None` where they should and do not.
pub(crate) async fn introduced(proxies: &Proxies, stream: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
    if proxies.method != Method::ProxyV2 || !proxies.trusts(peer.ip()) {
        return Some(peer);
    }
    tokio::time::timeout(Duration::from_secs(limits::PROXY_HEADER_SECS), read(stream, peer)).await.ok()?
}

async fn read(stream: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
    let mut header = Vec::new();
    loop {
        match proxy_v2(&header).ok()? {
            Passed::Needs(length) => {
                let known = header.len();
                header.resize(length, 0);
                stream.read_exact(&mut header[known..]).await.ok()?;
            }
            Passed::Itself { .. } => return Some(peer),
            Passed::For { client, .. } => return Some(SocketAddr::new(client, 0)),
        }
    }
}

/// Counts the requests of each address.
#[derive(Default)]
pub struct Rate(Mutex<Buckets>);

impl Rate {
    /// Takes one request of an address.
    pub(crate) fn take(&self, address: IpAddr, now: Timestamp) -> Result<Left, Refusal> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(address, now).map_err(|exceeded| Refusal::from(Code::RateLimited).retry_after(exceeded.retry_after_secs))
    }
}

/// Tells what is left, in the words of the IETF's draft "RateLimit header fields for HTTP".
pub(crate) fn tell(response: &mut Response, left: Left) {
    let whole = limits::REQUESTS_AT_ONCE / limits::REQUESTS_PER_SECOND;
    let policy = format!("\"address\";q={};w={whole}", limits::REQUESTS_AT_ONCE);
    let now = format!("\"address\";r={};t={}", left.requests, left.full_in_secs);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
        // A route with a limit of its own has told that already.
        let own = response.headers().get(name).and_then(|own| own.to_str().ok());
        let value = own.map_or(value.clone(), |own| format!("{value}, {own}"));
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}
