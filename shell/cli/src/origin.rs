//! The server's origin: scheme, host and port, written as the server writes it into what it compares.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use crate::failure::Failure;

/// Where the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A loopback address.
    ThisComputer,
    /// Anywhere else.
    Network,
}

/// `https://host`, `https://host:port`, or `http://` for this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    text: String,
    reach: Reach,
}

impl Origin {
    /// Reads an address; a path behind it is ignored, a missing scheme is https.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = whole.parse().map_err(|_| Failure::Url("that is not an address"))?;
        let authority = uri.authority().ok_or(Failure::Url("the address names no host"))?;
        if authority.as_str().contains('@') {
            return Err(Failure::Url("the address must not have a user name"));
        }
        let (scheme, host) = (uri.scheme_str().unwrap_or_default(), authority.host().to_lowercase());
        let reach = reach(&host);
        let default_port = match (scheme, reach) {
            ("https", _) => 443,
            ("http", Reach::ThisComputer) => 80,
            ("http", Reach::Network) => return Err(Failure::Url("plain http would show everything on the way")),
            _ => return Err(Failure::Url("the address is neither https nor http")),
        };
        let port = authority.port_u16().filter(|port| *port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { text: format!("{scheme}://{host}{port}"), reach })
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn reach(host: &str) -> Reach {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_loopback { Reach::ThisComputer } else { Reach::Network }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        Origin::parse(text).ok().map(|origin| origin.to_string())
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for text in ["rmm.example", "https://RMM.example/", "https://rmm.example:443/devices?x#y"] {
            assert_eq!(written(text).as_deref(), Some("https://rmm.example"), "{text}");
        }
        assert_eq!(written("https://rmm.example:8443").as_deref(), Some("https://rmm.example:8443"));
        assert_eq!(written("http://[::1]:8800").as_deref(), Some("http://[::1]:8800"));
    }

    #[test]
    fn plain_http_stays_on_this_computer() {
        assert!(written("http://localhost:8800").is_some() && written("http://127.8.0.1").is_some());
        for text in ["http://rmm.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost", "https://a@b", "", "https://"]
        {
            assert_eq!(written(text), None, "{text}");
        }
    }
}
