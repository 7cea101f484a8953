//! An address to send a request to, as people write it. Read strictly: what two readers could take for two hosts is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sallyport_model::limits;

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Without.
    Http,
    /// With.
    Https,
}

impl Scheme {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host, port, path and query of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: String,
    port: u16,
    path_and_query: String,
}

/// Why a text is no address to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than addresses are.
    #[error("the address is longer than {} bytes", limits::OUTBOUND_URL_BYTES)]
    Long,
    /// Blanks, line ends, backslashes or characters that are not ASCII.
    #[error("the address has characters that must be written with % and two digits")]
    Characters,
    /// It does not begin with a scheme that is spoken.
    #[error("the address must begin with https://")]
    Scheme,
    /// Name and password in it.
    #[error("the address must not have a user name or password in it")]
    UserInfo,
    /// What comes behind `#` is never sent.
    #[error("the address must not have a part behind #")]
    Fragment,
    /// The host is no name and no address.
    #[error("the address needs a host: a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

impl Target {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > limits::OUTBOUND_URL_BYTES {
            return Err(TargetError::Long);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
            return Err(TargetError::Characters);
        }
        let (scheme, rest) = scheme_of(text)?;
        if rest.contains('#') {
            return Err(TargetError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(TargetError::UserInfo);
        }
        let (host, port) = host_and_port(authority)?;
        let slash = if tail.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, host: host_of(host)?, port: port.unwrap_or(scheme.port()), path_and_query: format!("{slash}{tail}") })
    }

    /// With or without TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address, in small letters; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&self.host);
        bare.parse().ok()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What comes behind the host, from the slash on.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Scheme, host, and port where it is not the usual one.
    pub fn origin(&self) -> String {
        let port = if self.port == self.scheme.port() { String::new() } else { format!(":{}", self.port) };
        format!("{}://{}{port}", self.scheme.as_str(), self.host)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path_and_query)
    }
}

fn scheme_of(text: &str) -> Result<(Scheme, &str), TargetError> {
    let (word, rest) = text.split_once("://").ok_or(TargetError::Scheme)?;
    match word.to_ascii_lowercase().as_str() {
        "https" => Ok((Scheme::Https, rest)),
        "http" => Ok((Scheme::Http, rest)),
        _ => Err(TargetError::Scheme),
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), TargetError> {
    let behind = authority.rfind(']').map_or(0, |at| at + 1);
    if behind == 0 && authority.starts_with('[') {
        return Err(TargetError::Host);
    }
    let Some(colon) = authority[behind..].find(':').map(|at| at + behind) else { return Ok((authority, None)) };
    let (host, digits) = (&authority[..colon], &authority[colon + 1..]);
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    Ok((host, Some(port.filter(|port| *port > 0).ok_or(TargetError::Port)?)))
}

fn host_of(host: &str) -> Result<String, TargetError> {
    let host = host.to_ascii_lowercase();
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|address| format!("[{address}]")).map_err(|_| TargetError::Host);
    }
    if host.parse::<Ipv4Addr>().is_ok() || is_name(&host) { Ok(host) } else { Err(TargetError::Host) }
}

/// A DNS name. One whose last label begins with a digit would be an address for some readers (`127.1`, `0x7f000001`) and is none for us.
fn is_name(host: &str) -> bool {
    let mut labels = host.split('.');
    let last = labels.clone().next_back().unwrap_or_default();
    host.len() <= 253 && !last.starts_with(|first: char| first.is_ascii_digit()) && labels.all(is_label)
}

fn is_label(label: &str) -> bool {
    let inner = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, origin, tail) in [
            ("https://api.psa.example/v1/", "https://api.psa.example", "/v1/"),
            ("HTTPS://Api.PSA.example", "https://api.psa.example", "/"),
            ("https://api.psa.example:443?a=1", "https://api.psa.example", "/?a=1"),
            ("https://api.psa.example:8443/x?y=/z", "https://api.psa.example:8443", "/x?y=/z"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", "/"),
            ("https://[2001:DB8::1]:9/p", "https://[2001:db8::1]:9", "/p"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.origin().as_str(), target.path_and_query()), (origin, tail), "{text}");
        }
        assert_eq!(Target::parse("https://[::1]/").unwrap().address(), Some("::1".parse().unwrap()));
        assert_eq!(Target::parse("https://one.example/").unwrap().address(), None);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        use TargetError::{Characters, Fragment, Host, Long, Port, Scheme, UserInfo};
        for (text, why) in [
            ("", Scheme),
            ("api.example", Scheme),
            ("ftp://api.example/", Scheme),
            ("https:/api.example/", Scheme),
            ("https://", Host),
            ("https:///path", Host),
            ("https://user:word@api.example/", UserInfo),
            ("https://api.example@10.0.0.1/", UserInfo),
            ("https://api.example/#part", Fragment),
            ("https://api.example#@10.0.0.1/", Fragment),
            ("https://api.example\\@10.0.0.1/", Characters),
            ("https://api example/", Characters),
            ("https://api.example/\r\nHost: x", Characters),
            ("https://\u{430}pi.example/", Characters),
            ("https://api.example:0/", Port),
            ("https://api.example:65536/", Port),
            ("https://api.example:+443/", Port),
            ("https://api.example:/", Port),
            ("https://127.1/", Host),
            ("https://2130706433/", Host),
            ("https://0x7f000001/", Host),
            ("https://0177.0.0.1/", Host),
            ("https://api.example./", Host),
            ("https://api..example/", Host),
            ("https://%61pi.example/", Host),
            ("https://[::1/", Host),
            ("https://[::1%25eth0]/", Host),
            ("https://-a.example/", Host),
        ] {
            assert_eq!(Target::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Target::parse(&format!("https://a.example/{}", "x".repeat(limits::OUTBOUND_URL_BYTES))), Err(Long));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back_and_read_alike(text in "https?://[a-z0-9.:@\\[\\]_-]{0,20}[/?#a-z0-9%=&.]{0,20}") {
            if let Ok(target) = Target::parse(&text) {
                prop_assert_eq!(Target::parse(&target.to_string()), Ok(target.clone()));
                prop_assert!(!target.host().contains(['@', '/', '?', '#', '%']), "{}", target.host());
                prop_assert!(target.path_and_query().starts_with('/'));
            }
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,60}") {
            let _ = Target::parse(&text);
            let _ = Target::parse(&format!("https://{text}"));
        }
    }
}
