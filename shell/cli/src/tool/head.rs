//! Heads of requests at the door: what of them goes on, and what is refused, since without it something else would be asked.

use sallyport_model::headers::OF_CALLERS;
use std::io::BufRead;

use sallyport_grant::sha256;
use serde_json::json;

use super::token::Passed;

/// Most lines of a head.
const LINES: usize = 100;

/// What counts once: of two, one would be forgotten.
const ONCE: [&str; 4] = ["authorization", "content-length", "content-type", "idempotency-key"];

/// Why a request stays at the door; told like a refusal of the server, with codes of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stays {
    pub(super) status: u16,
    code: &'static str,
    detail: String,
    field: Option<String>,
}

impl Stays {
    pub(super) fn new(status: u16, code: &'static str, detail: &str) -> Self {
        Self { status, code, detail: detail.to_owned(), field: None }
    }

    /// It is no request, or ended too early.
    pub(super) fn unreadable() -> Self {
        Self::new(400, "request_unreadable", "This is not a request of HTTP/1.1 for this server.")
    }

    fn header(name: &str, detail: &str) -> Self {
        Self { field: Some(name.to_owned()), ..Self::new(400, "header_not_passed", detail) }
    }

    pub(super) fn answer(self) -> Passed {
        let title = "The request was not passed on; nothing was done.";
        let mut body = json!({ "title": title, "status": self.status, "code": self.code, "detail": self.detail });
        if let Some(field) = self.field {
            body["field"] = json!(field);
        }
        let headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
        Passed { status: self.status, headers, body: body.to_string().into_bytes() }
    }
}

/// The lines of a head, up to the empty one.
pub(super) fn lines(head: &mut impl BufRead) -> Result<Vec<String>, Stays> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        head.read_line(&mut line).map_err(|_| Stays::unreadable())?;
        if !line.ends_with('\n') || lines.len() > LINES {
            return Err(Stays::new(431, "head_too_large", "Send fewer or shorter headers."));
        }
        match line.trim_end_matches(['\r', '\n']) {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    authorization: Option<String>,
    /// What goes on of it.
    pub(super) headers: Vec<(String, String)>,
    /// Absent where the body has no length that can be known beforehand.
    pub(super) length: Option<usize>,
}

impl Head {
    pub(super) fn parse(lines: &[String]) -> Result<Self, Stays> {
        let mut words = lines.first().map(|line| line.split(' ')).into_iter().flatten().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Err(Stays::unreadable()) };
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_method || !target.starts_with('/') || target.starts_with("//") {
            return Err(Stays::unreadable());
        }
        let mut head = Self { method, target, authorization: None, headers: Vec::new(), length: Some(0) };
        let (mut seen, mut is_chunked): (Vec<String>, bool) = (Vec::new(), false);
        for line in &lines[1..] {
            let (name, value) = line.split_once(':').ok_or_else(Stays::unreadable)?;
            if name.is_empty() || name.contains(|letter: char| !letter.is_ascii_graphic()) {
                return Err(Stays::unreadable());
            }
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            if ONCE.contains(&name.as_str()) && seen.contains(&name) {
                return Err(Stays::header(&name, "Send this header once."));
            }
            match name.as_str() {
                "authorization" => head.authorization = Some(value.to_owned()),
                "content-length" => head.length = Some(value.parse().map_err(|_| Stays::unreadable())?),
                "transfer-encoding" => is_chunked = true,
                kept if OF_CALLERS.contains(&kept) => head.headers.push((name.clone(), value.to_owned())),
                other if matters(other, value) => {
                    return Err(Stays::header(&name, "This header changes what is asked, and is not passed on: leave it out."));
                }
                _ => {}
            }
            seen.push(name);
        }
        if is_chunked {
            head.length = None;
        }
        Ok(head)
    }

    /// Hashes are compared, so that nothing is learnt from how long it takes.
    pub(super) fn is_from_the_command(&self, wanted: &str) -> bool {
        let shown = self.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        sha256(&[shown.as_bytes()]) == sha256(&[wanted.as_bytes()])
    }
}

/// Whether something else would be asked without it: a condition, a key, a part, another method, a body in another shape.
fn matters(name: &str, value: &str) -> bool {
    match name {
        "content-encoding" => !value.eq_ignore_ascii_case("identity"),
        "expect" => !value.eq_ignore_ascii_case("100-continue"),
        "range" | "content-range" | "x-http-method-override" | "x-http-method" | "x-method-override" => true,
        name => name.starts_with("if-") || name.starts_with("idempotency-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Head, Stays> {
        Head::parse(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_word_of_this_run_opens_the_door() {
        let head = parsed("GET /v1/devices?limit=5 HTTP/1.1\nHost: x\nAuthorization: Bearer abc").unwrap();
        assert!(head.is_from_the_command("abc") && !head.is_from_the_command("abd"));
        assert_eq!((head.target.as_str(), head.length), ("/v1/devices?limit=5", Some(0)));
        assert!(!parsed("GET / HTTP/1.1").unwrap().is_from_the_command("abc"), "nothing shown");
        assert!(head.headers.is_empty(), "neither who asks nor what belongs to this connection goes on");
    }

    #[test]
    fn conditions_keys_and_wishes_go_on_as_they_came() {
        let lines = OF_CALLERS.iter().map(|name| format!("{}: one, \"two\"", name.to_ascii_uppercase())).collect::<Vec<_>>().join("\n");
        let head = parsed(&format!("PUT / HTTP/1.1\n{lines}\nIf-Match: \"three\"")).unwrap();
        let mut expected: Vec<_> = OF_CALLERS.iter().map(|name| ((*name).to_owned(), "one, \"two\"".to_owned())).collect();
        expected.push(("if-match".to_owned(), "\"three\"".to_owned()));
        assert_eq!(head.headers, expected);
    }

    #[test]
    fn what_would_change_what_is_asked_is_refused_and_not_forgotten() {
        for line in
            ["Range: bytes=0-5", "If-Range: \"x\"", "If-Something: y", "Idempotency-Id: 5", "Content-Encoding: gzip", "Content-Range: x"]
                .into_iter()
                .chain(["X-HTTP-Method-Override: DELETE", "Expect: something", "Idempotency-Key: a\nIdempotency-Key: b"])
        {
            let stays = parsed(&format!("PUT / HTTP/1.1\n{line}")).expect_err(line);
            assert_eq!((stays.status, stays.code), (400, "header_not_passed"), "{line}");
            let said = String::from_utf8(stays.answer().body).unwrap();
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            assert!(said.contains(&format!("\"field\":\"{name}\"")), "{said}");
        }
        for line in
            ["Expect: 100-continue", "Content-Encoding: identity", "Accept-Encoding: gzip", "User-Agent: x", "X-Forwarded-For: 192.0.2.1"]
        {
            assert_eq!(parsed(&format!("PUT / HTTP/1.1\n{line}")).expect(line).headers, [], "{line}");
        }
    }

    #[test]
    fn a_head_has_so_many_lines() {
        let long = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count));
        assert_eq!(lines(&mut long(LINES).as_bytes()).map_err(|stays| stays.status), Err(431));
        assert_eq!(lines(&mut long(LINES - 1).as_bytes()).map(|lines| lines.len()), Ok(LINES));
    }

    #[test]
    fn what_is_no_request_for_this_server_is_refused() {
        for text in ["", "GET", "GET http://evil.example/ HTTP/1.1", "GET //evil.example HTTP/1.1", "get / HTTP/1.1", "GET / HTTP/1.1\nx"]
            .into_iter()
            .chain(["GET / HTTP/1.1\n if-match: x", "GET / HTTP/1.1\nif-match : x", "GET / HTTP/1.1\ncontent-length: x"])
        {
            assert_eq!(parsed(text).expect_err(text), Stays::unreadable());
        }
        assert_eq!(parsed("POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 5").unwrap().length, None);
    }
}
