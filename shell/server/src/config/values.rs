//! What one key may say, and what is wrong with what it says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sallyport_decide::client_address::{Method, Proxies};
use sallyport_decide::networks::Range;
use sallyport_decide::outbound::{Networks, PlainHttp};
use sallyport_model::limits;

use super::{ConfigError, DeviceBound, Mail, RawMail, Tls};

pub(super) fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError {
        key,
        why: format!("{text:?} is not an address and a port"),
        fix: "Write it like 127.0.0.1:8800 or [::1]:8800",
    })
}

/// One way of saying it at a time: with two, whoever reaches a proxy could choose the one that it passes on unread.
pub(super) fn proxies(trusted: Option<Vec<String>>, header: Option<String>, protocol: Option<String>) -> Result<Proxies, ConfigError> {
    let fix = "Write it like trusted_proxies = [\"192.0.2.10\", \"2001:db8::/64\"]";
    let trusted = ranges("trusted_proxies", trusted, fix)?;
    let wrong = |key, why: &str, fix| ConfigError { key, why: why.to_owned(), fix };
    let method = match (header.as_deref(), protocol.as_deref()) {
        (None | Some("x-forwarded-for"), None) => Method::XForwardedFor,
        (Some("forwarded"), None) => Method::Forwarded,
        (None, Some("v2")) => Method::ProxyV2,
        (Some(_), Some(_)) => return Err(wrong("proxy_protocol", "set beside forwarded_header", "Set one of the two")),
        (Some(_), None) => return Err(wrong("forwarded_header", "unknown", "Write x-forwarded-for or forwarded")),
        (None, Some(_)) => return Err(wrong("proxy_protocol", "unknown", "Write v2")),
    };
    match (method, trusted.is_empty()) {
        (Method::Forwarded | Method::ProxyV2, true) => Err(wrong("trusted_proxies", "missing: no proxy would be believed", fix)),
        _ => Ok(Proxies { trusted, method }),
    }
}

fn ranges(key: &'static str, texts: Option<Vec<String>>, fix: &'static str) -> Result<Vec<Range>, ConfigError> {
    let wrong = |why: String| ConfigError { key, why, fix };
    let texts = texts.unwrap_or_default();
    texts.iter().map(|text| text.parse().map_err(|why| wrong(format!("{text:?} {why}")))).collect()
}

pub(super) fn outbound(listed: Option<Vec<String>>, http: Option<&str>) -> Result<Networks, ConfigError> {
    let fix = "Write it like outbound_networks = [\"10.20.0.0/16\", \"192.0.2.10\"]";
    let listed = ranges("outbound_networks", listed, fix)?;
    let wrong = |key, why: String, fix| ConfigError { key, why, fix };
    let plain_http = match http {
        None | Some("refused") => PlainHttp::Refused,
        Some("listed") if listed.is_empty() => {
            return Err(wrong("outbound_networks", "missing: nothing is reached by plain HTTP".into(), fix));
        }
        Some("listed") => PlainHttp::Listed,
        Some(other) => return Err(wrong("outbound_http", format!("{other:?} is unknown"), "Write refused or listed")),
    };
    Ok(Networks { listed, plain_http })
}

pub(super) fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (Some(_), None) => {
            Err(ConfigError { key: "tls_key", why: "missing".into(), fix: "Set it to the PEM file of the certificate's key" })
        }
        (None, Some(_)) => {
            Err(ConfigError { key: "tls_certificate", why: "missing".into(), fix: "Set it to the PEM file of the certificate chain" })
        }
    }
}

/// Passwords and links do not travel in the clear: without TLS only a mail server on this very machine is good.
pub(super) fn mail(raw: RawMail) -> Result<Mail, ConfigError> {
    let fix = "Write it like smtps://user:password@mail.example.test, or smtp://mail.example.test?tls=required";
    let wrong = |why: &str| ConfigError { key: "mail.smtp", why: why.to_owned(), fix };
    let smtp = raw.smtp.ok_or_else(|| wrong("missing"))?;
    let rest =
        smtp.strip_prefix("smtps://").or_else(|| smtp.strip_prefix("smtp://")).ok_or_else(|| wrong("does not begin with smtps://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let is_sealed = smtp.starts_with("smtps://") || smtp.contains("tls=required");
    if host.is_empty() || (!is_sealed && !matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
        return Err(wrong("is not a mail server that is reached by TLS"));
    }
    let from = raw.from.filter(|from| from.contains('@'));
    let from =
        from.ok_or_else(|| ConfigError { key: "mail.from", why: "missing".into(), fix: "Write it like Sallyport <rmm@example.test>" })?;
    Ok(Mail { smtp, from })
}

pub(super) fn device_bound(text: Option<&str>) -> Result<DeviceBound, ConfigError> {
    match text {
        None | Some("offered") => Ok(DeviceBound::Offered),
        Some("off") => Ok(DeviceBound::Off),
        Some(other) => Err(ConfigError { key: "device_bound_sessions", why: format!("{other:?} is unknown"), fix: "Write offered or off" }),
    }
}

/// Who sees the questions learns something, so they travel by TLS, but for a mirror on this very machine.
pub(super) fn range_url(url: String) -> Result<String, ConfigError> {
    let fix = "Write it like https://api.pwnedpasswords.com/range/";
    let wrong = |why: &str| ConfigError { key: "breached_range_url", why: format!("{url:?} {why}"), fix };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(|| wrong("is not an address"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if host.is_empty() || rest.contains(['?', '#', '@', ' ']) {
        return Err(wrong("is not just an address with a path"));
    }
    if url.starts_with("http://") && !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return Err(wrong("is plain HTTP to another machine"));
    }
    Ok(format!("{}/", url.trim_end_matches('/')))
}

pub(super) fn console(folder: PathBuf) -> Result<PathBuf, ConfigError> {
    let fix = "Set it to the folder that `npm run build` makes, or leave it out";
    let wrong = || ConfigError { key: "console_dir", why: format!("{} has no index.html", folder.display()), fix };
    if folder.join("index.html").is_file() { Ok(folder) } else { Err(wrong()) }
}

pub(super) fn private_ca(path: &Path) -> Result<String, ConfigError> {
    let wrong = |why: String| ConfigError { key: "tls_ca", why, fix: "Set it to a PEM file of at most a few certificates" };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    if text.len() > limits::CA_BYTES || !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong(format!("{} holds no certificates, or more than {} bytes", path.display(), limits::CA_BYTES)));
    }
    Ok(text)
}

pub(super) fn origin(url: String) -> Result<String, ConfigError> {
    let wrong = |why: &str| ConfigError {
        key: "public_url",
        why: format!("{url:?} {why}"),
        fix: "Write it like https://rmm.example.test, without a path",
    };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(|| wrong("does not begin with https://"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong("is not just scheme, host and port"));
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if url.starts_with("http://") && !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return Err(wrong("is plain HTTP to another machine"));
    }
    Ok(format!("{}{}", &url[..url.len() - rest.len()], authority.to_lowercase()))
}
