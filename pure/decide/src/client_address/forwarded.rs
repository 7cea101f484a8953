//! Chains of addresses in headers. An entry that is no address is kept as `None`: it ends the walk, and is not skipped.

use std::net::{IpAddr, SocketAddr};

/// `X-Forwarded-For: client, proxy1, proxy2`; several headers are one list, in their order.
pub(super) fn x_forwarded_for(headers: &[&[u8]]) -> Vec<Option<IpAddr>> {
    headers.iter().flat_map(|value| value.split(|byte| *byte == b',')).map(|entry| text(entry).and_then(address)).collect()
}

/// `Forwarded: for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"` (RFC 7239, section 4).
pub(super) fn forwarded(headers: &[&[u8]]) -> Vec<Option<IpAddr>> {
    headers.iter().flat_map(|value| split(value, b',')).map(element).collect()
}

/// Splits outside of quotes. Where a quote does not end, nothing behind it can be read: one entry that is no address.
fn split(value: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut parts, mut begun, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&value[begun..at]);
                begun = at + 1;
            }
            _ => {}
        }
    }
    parts.push(if quoted { b"\"" } else { &value[begun..] });
    parts
}

/// One hop: its `for`, exactly one.
fn element(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, b';') {
        let (name, value) = text(pair)?.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            found = Some(value.trim());
        }
    }
    let value = found?;
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim)
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, with a zone or without.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let address = plain.or_else(|| bracketed(text)).or_else(|| zoned(text))?;
    Some(address.to_canonical())
}

fn bracketed(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6).or_else(|| zoned(inner))
}

/// A zone (RFC 4007) is a name of the proxy's own interfaces and says nothing here.
fn zoned(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%')?;
    let known = !zone.is_empty() && zone.len() <= 64 && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    address.parse::<std::net::Ipv6Addr>().ok().filter(|_| known).map(IpAddr::V6)
}
