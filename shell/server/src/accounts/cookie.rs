//! The session's cookie.

use axum::http::{HeaderMap, HeaderValue, header};
use sallyport_decide::accounts::session::Token;
use sallyport_model::limits;

/// `__Host-`: browsers take it only with Secure, for this host alone, and for every path (RFC 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-sallyport";

/// The short-lived cookie of a session that is bound to a key in the browser's hardware.
pub(super) const DEVICE_NAME: &str = "__Host-sallyport-device";

/// Hands a token to the browser.
pub(crate) fn set(token: &Token) -> HeaderValue {
    let text = token.to_text();
    let cookie = format!("{NAME}={}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Strict", *text, limits::SESSION_LIFETIME_SECS);
    let mut value = HeaderValue::try_from(cookie).expect("base64url is a header value");
    value.set_sensitive(true);
    value
}

/// The token of a program's session: programs have no cookies, and take it from here when it changes.
const TOKEN_HEADER: &str = "sallyport-token";

/// Puts a renewed token where the program that asked looks for it.
pub(crate) fn renew_token(headers: &mut HeaderMap) {
    let Some(cookie) = headers.remove(header::SET_COOKIE) else { return };
    let pair = cookie.to_str().ok().and_then(|line| line.split(';').next()?.strip_prefix(NAME)?.strip_prefix('='));
    if let Some(mut value) = pair.filter(|text| !text.is_empty()).and_then(|text| HeaderValue::from_str(text).ok()) {
        value.set_sensitive(true);
        headers.insert(TOKEN_HEADER, value);
    }
}

/// Takes the token away.
pub(super) fn clear() -> HeaderValue {
    HeaderValue::from_static("__Host-sallyport=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict")
}

/// The token that came along. Two are one too many: nobody knows which a proxy or another page planted.
pub(super) fn read(headers: &HeaderMap) -> Option<Token> {
    named(headers, NAME).and_then(|text| Token::parse(text).ok())
}

/// The short-lived cookie of the device.
pub(super) fn read_device(headers: &HeaderMap) -> Option<&str> {
    named(headers, DEVICE_NAME)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut ours = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    match (ours.next(), ours.next()) {
        (Some(text), None) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(line).unwrap());
        read(&headers).is_some()
    }

    #[test]
    fn ses_07_the_cookie_is_for_this_host_over_tls_and_not_for_scripts() {
        let value = set(&Token::from_bytes([7; 32]));
        let text = value.to_str().unwrap();
        let (pair, attributes) = text.split_once(';').unwrap();
        assert_eq!(pair.len(), "__Host-sallyport=".len() + 43, "opaque, without personal data");
        assert_eq!(attributes, " Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict");
    }

    #[test]
    fn ses_07_exactly_one_cookie_is_read() {
        let token = "A".repeat(43);
        assert!(read_line(&format!("__Host-sallyport={token}")));
        assert!(read_line(&format!("a=b; __Host-sallyport={token}; c=d")));
        assert!(!read_line(&format!("__Host-sallyport={token}; __Host-sallyport={token}")));
        assert!(!read_line(&format!("sallyport={token}")));
        assert!(!read_line("__Host-sallyport=short"));
    }
}
