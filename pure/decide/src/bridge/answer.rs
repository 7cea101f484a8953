//! From what a vendor answered to what a caller gets.

use super::secret::{Placement, Secret};
use sallyport_model::headers::OF_VENDORS;

/// What goes back to the caller: there is no way to make one but [`Returned::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Why an answer does not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The vendor does not take the credential, or not for this.
    #[error("the vendor refuses the credential")]
    Credential,
    /// The credential, or something that it can be read from, is in the answer.
    #[error("the vendor's answer has the credential in it")]
    Echo,
    /// It cannot be looked through.
    #[error("the vendor's answer is compressed, although nobody asked for that")]
    Encoded,
    /// A status that is none.
    #[error("the vendor's status means nothing")]
    Status,
}

impl AnswerError {
    /// A stable word for records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential_refused",
            Self::Echo => "secret_in_answer",
            Self::Encoded => "answer_encoded",
            Self::Status => "status_unknown",
        }
    }
}

impl Returned {
    /// Judges an answer. `headers` are all of it, with names in small letters.
    ///
    /// # Errors
    /// Says why it stays here.
    pub fn of(
        status: u16,
        headers: &[(String, Vec<u8>)],
        body: Vec<u8>,
        (placement, secrets): (&Placement, &[&Secret]),
    ) -> Result<Self, AnswerError> {
        match status {
            401 | 407 => return Err(AnswerError::Credential),
            200..=599 => {}
            _ => return Err(AnswerError::Status),
        }
        let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
        if headers.iter().any(|(name, value)| name == "content-encoding" && !plain(value)) {
            return Err(AnswerError::Encoded);
        }
        let needles: Vec<_> = secrets.iter().flat_map(|secret| placement.needles(secret)).collect();
        let echoes = |bytes: &[u8]| needles.iter().any(|needle| has(bytes, needle.as_bytes()));
        if echoes(&body) || headers.iter().any(|(_, value)| echoes(value)) {
            return Err(AnswerError::Echo);
        }
        let text = |value: &[u8]| std::str::from_utf8(value).ok().map(str::to_owned);
        let passed = headers.iter().filter(|(name, _)| OF_VENDORS.contains(&name.as_str()));
        let headers = passed.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect();
        Ok(Self { status, headers, body })
    }

    /// The vendor's status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers that go back.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body, as it came.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

fn has(bytes: &[u8], needle: &[u8]) -> bool {
    // The first byte alone finds almost every place where it is not.
    let Some(first) = needle.first() else { return false };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(needle) {
            return true;
        }
        from += at + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "s3cr3t/w+rd&x";

    fn secret() -> Secret {
        Secret::parse(SECRET).unwrap_or_else(|_| panic!("a secret"))
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Returned, AnswerError> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let placement = Placement::Basic { user: "public".into() };
        Returned::of(status, &headers, body.as_bytes().to_vec(), (&placement, &[&secret()]))
    }

    #[test]
    fn what_goes_back_has_no_cookie_and_nothing_of_the_connection() {
        let all = [
            ("content-type", "application/json"),
            ("etag", "\"1\""),
            ("set-cookie", "a=b"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("location", "https://elsewhere.example/"),
            ("x-accel-redirect", "/etc/passwd"),
            ("content-security-policy", "default-src *"),
            ("access-control-allow-origin", "*"),
            ("dpop-nonce", "x"),
            ("www-authenticate", "Basic"),
        ];
        let returned = answer(200, &all, "{}").unwrap();
        let names: Vec<_> = returned.headers().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "etag"]);
    }

    #[test]
    fn a_credential_that_comes_back_stays_here() {
        for echo in [
            SECRET,
            "s3cr3t%2Fw%2Brd%26x",
            "s3cr3t%2fw%2brd%26x",
            "s3cr3t\\/w+rd&x",
            "s3cr3t/w+rd&amp;x",
            "czNjcjN0L3crcmQmeA==",
            "7333637233742f772b72642678",
            "cHVibGljOnMzY3IzdC93K3JkJng=",
            "x&dr+w/t3rc3s",
        ] {
            assert_eq!(answer(200, &[], &format!("{{\"you sent\": \"{echo}\"}}")), Err(AnswerError::Echo), "{echo}");
            assert_eq!(answer(200, &[("etag", echo)], ""), Err(AnswerError::Echo), "{echo}");
            assert_eq!(answer(200, &[("x-debug", &format!("Basic {echo}"))], ""), Err(AnswerError::Echo), "{echo}");
        }
        assert!(answer(200, &[], "s3cr3t/w+r d&x").is_ok());
    }

    #[test]
    fn what_cannot_be_looked_through_stays_here() {
        assert_eq!(answer(200, &[("content-encoding", "gzip")], ""), Err(AnswerError::Encoded));
        assert!(answer(200, &[("content-encoding", "identity")], "").is_ok());
        for (status, why) in
            [(401, AnswerError::Credential), (407, AnswerError::Credential), (101, AnswerError::Status), (99, AnswerError::Status)]
        {
            assert_eq!(answer(status, &[], ""), Err(why));
        }
        for status in [200, 302, 403, 404, 500, 599] {
            assert_eq!(answer(status, &[], "").map(|returned| returned.status()), Ok(status));
        }
    }

    proptest! {
        #[test]
        fn wherever_it_is_it_is_found(before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
            prop_assert_eq!(answer(200, &[], &format!("{before}{SECRET}{after}")), Err(AnswerError::Echo));
        }
    }
}
