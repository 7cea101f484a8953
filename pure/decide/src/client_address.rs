//! The address that a request comes from: the peer's, or what a listed proxy says of it.
//!
//! Whatever is written in front of what our own proxies wrote is the client's own text, so chains are walked from the right and the walk ends
//! at the first address that is no listed proxy. What cannot be read ends it too: then the last proxy that could be read is the client.

mod forwarded;
mod proxy_v2;

use std::net::IpAddr;

use sallyport_model::limits;

use crate::networks::{Range, within};

pub use proxy_v2::{NotProxyV2, Passed, proxy_v2};

/// How listed proxies say whom a request is for. One way at a time: a proxy passes on what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// The PROXY protocol, version 2, before the first byte of the connection.
    ProxyV2,
}

/// The proxies in front of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<Range>,
    /// How they say it.
    pub method: Method,
}

impl Proxies {
    /// Whether a peer is one of them.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        within(&self.trusted, peer)
    }

    /// The address of the client. `headers` are the values of the header that the method names, in the order in which they came.
    pub fn client(&self, peer: IpAddr, headers: &[&[u8]]) -> IpAddr {
        let peer = peer.to_canonical();
        let mut hops = match self.method {
            Method::XForwardedFor => forwarded::x_forwarded_for(headers),
            Method::Forwarded => forwarded::forwarded(headers),
            Method::ProxyV2 => return peer,
        };
        let mut client = peer;
        for _ in 0..limits::FORWARDED_HOPS {
            if !self.trusts(client) {
                return client;
            }
            match hops.pop() {
                Some(Some(address)) => client = address,
                Some(None) | None => return client,
            }
        }
        client
    }

    /// The header that is to be read, where one is.
    pub fn header(&self) -> Option<&'static str> {
        match self.method {
            Method::XForwardedFor => Some("x-forwarded-for"),
            Method::Forwarded => Some("forwarded"),
            Method::ProxyV2 => None,
        }
    }
}

#[cfg(test)]
mod tests;
