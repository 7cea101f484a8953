//! Queries and forms, as they are sent and signed.

use std::fmt::Write as _;

/// A query string in the making.
#[derive(Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// What came of setting a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Set {
    Anew,
    /// It was that before.
    Already,
}

impl Query {
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn with_all(self, name: &str, values: &[String]) -> Self {
        values.iter().fold(self, |query, value| query.with(name, value))
    }

    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        value.into_iter().fold(self, |query, value| query.with(name, value))
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> Set {
        let pair = (name.to_owned(), value.to_owned());
        if self.0.contains(&pair) {
            return Set::Already;
        }
        self.0.retain(|(known, _)| known != name);
        self.0.push(pair);
        Set::Anew
    }

    /// The path with this query.
    pub(crate) fn after(&self, path: &str) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

/// A form's body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// RFC 3986: everything but unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let query = Query::default().with("q", "Müller & co").with_all("tag", &["a".into(), "b".into()]).with_some("site", None);
        assert_eq!(query.after("/v1/devices"), "/v1/devices?q=M%C3%BCller%20%26%20co&tag=a&tag=b");
        assert_eq!(Query::default().after("/v1/jobs"), "/v1/jobs");
    }
}
