//! Bodies of requests: JSON objects within limits.

use std::fmt;

use sallyport_model::limits;
use serde::de::DeserializeOwned;

/// Why bytes are not the wanted body.
#[derive(Debug)]
pub enum BodyError {
    /// Longer than [`limits::HTTP_BODY_BYTES`].
    TooLong,
    /// Another kind of value, or nothing.
    NotAnObject,
    /// More values than [`limits::HTTP_BODY_VALUES`].
    TooManyValues,
    /// Not JSON, or an object of another shape.
    Json(serde_json::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the body is longer than {} bytes", limits::HTTP_BODY_BYTES),
            Self::NotAnObject => f.write_str("the body is not a JSON object"),
            Self::TooManyValues => write!(f, "the body has more than {} values", limits::HTTP_BODY_VALUES),
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BodyError {}

/// Reads a body. What that allocates is bounded by its length and the number of its values, both of which are checked before.
pub fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    if body.len() > limits::HTTP_BODY_BYTES {
        return Err(BodyError::TooLong);
    }
    // serde takes a list for a struct whose fields may all be left out.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyError::NotAnObject);
    }
    if values(body) > limits::HTTP_BODY_VALUES {
        return Err(BodyError::TooManyValues);
    }
    serde_json::from_slice(body).map_err(BodyError::Json)
}

/// At least as many as there are: each value is the first of all, the first of a list or object, or stands behind a comma.
fn values(json: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Devices;

    #[test]
    fn values_are_counted_outside_of_texts_only() {
        assert_eq!(values(b"{}"), 2);
        assert_eq!(values(br#"{"a":1,"b":[2,3]}"#), 5);
        assert_eq!(values(br#"{"a,[{":"\",[{,\\","b":2}"#), 3);
    }

    #[test]
    fn as_many_values_as_a_body_may_have_and_no_more() {
        let body = |count: usize| format!(r#"{{"devices":[{}]}}"#, vec!["\"\""; count].join(","));
        let room = limits::HTTP_BODY_VALUES - 3;
        assert_eq!(read_body::<Devices>(body(room + 1).as_bytes()).expect("a body").devices.len(), room + 1);
        assert!(matches!(read_body::<Devices>(body(room + 2).as_bytes()), Err(BodyError::TooManyValues)));
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused() {
        for body in ["", "[]", "[[]]", "null", "  7"] {
            assert!(matches!(read_body::<Devices>(body.as_bytes()), Err(BodyError::NotAnObject)), "{body}");
        }
        let long = format!("{{{}}}", " ".repeat(limits::HTTP_BODY_BYTES));
        assert!(matches!(read_body::<Devices>(long.as_bytes()), Err(BodyError::TooLong)));
        assert!(matches!(read_body::<Devices>(b"{\"devices\":7}"), Err(BodyError::Json(_))));
    }
}
