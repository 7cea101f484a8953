//! One reading per text.

use sallyport_grant::json::{JsonError, parse, write};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    number: u32,
    text: Option<String>,
    pairs: Vec<(String, String)>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Kind {
    Plain,
    Nested(Inner),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    a: i64,
}

fn note(text: &str) -> Result<Note, JsonError> {
    parse(text.as_bytes(), 1000)
}

#[test]
fn what_is_written_is_read() {
    let value = Note { number: 7, text: None, pairs: vec![("k".to_owned(), "v".to_owned())], kind: Kind::Nested(Inner { a: -1 }) };
    let text = r#"{"number":7,"text":null,"pairs":[["k","v"]],"kind":{"nested":{"a":-1}}}"#;
    assert_eq!(write(&value), text.as_bytes());
    assert_eq!(note(text), Ok(value));
}

#[test]
fn other_shapes_are_refused() {
    let wrong = [
        ("an unknown key", r#"{"number":7,"text":null,"pairs":[],"kind":"plain","more":1}"#),
        ("a missing key", r#"{"text":null,"pairs":[],"kind":"plain"}"#),
        ("an array for an object", r#"[7,null,[],"plain"]"#),
        ("an array for a nested object", r#"{"number":7,"text":null,"pairs":[],"kind":{"nested":[1]}}"#),
        ("an unknown variant", r#"{"number":7,"text":null,"pairs":[],"kind":"other"}"#),
        ("an object for a plain variant", r#"{"number":7,"text":null,"pairs":[],"kind":{"plain":null}}"#),
        ("a text for a full variant", r#"{"number":7,"text":null,"pairs":[],"kind":"nested"}"#),
        ("two variants", r#"{"number":7,"text":null,"pairs":[],"kind":{"nested":{"a":1},"plain":null}}"#),
        ("a pair of three", r#"{"number":7,"text":null,"pairs":[["a","b","c"]],"kind":"plain"}"#),
        ("a number in a text", r#"{"number":"7","text":null,"pairs":[],"kind":"plain"}"#),
        ("a number out of range", r#"{"number":4294967296,"text":null,"pairs":[],"kind":"plain"}"#),
    ];
    for (why, text) in wrong {
        assert_eq!(note(text), Err(JsonError::Shape), "{why}");
    }
}

#[test]
fn loose_texts_are_refused() {
    let wrong = [
        ("a key twice", r#"{"number":7,"number":7,"text":null,"pairs":[],"kind":"plain"}"#),
        ("a key twice, once escaped", r#"{"number":7,"\u006eumber":8,"text":null,"pairs":[],"kind":"plain"}"#),
        ("an unknown key twice, deep inside", r#"{"x":{"y":[{"z":1,"z":1}]}}"#),
        ("a fraction", r#"{"number":7.0,"text":null,"pairs":[],"kind":"plain"}"#),
        ("an exponent", r#"{"number":7e0,"text":null,"pairs":[],"kind":"plain"}"#),
        ("bytes after the value", r#"{"number":7,"text":null,"pairs":[],"kind":"plain"}{}"#),
        ("a bare control character", "{\"number\":7,\"text\":\"\n\",\"pairs\":[],\"kind\":\"plain\"}"),
        ("half a surrogate pair", r#"{"number":7,"text":"\ud800","pairs":[],"kind":"plain"}"#),
        ("nothing", ""),
    ];
    for (why, text) in wrong {
        assert_eq!(note(text), Err(JsonError::Syntax), "{why}");
    }
}

#[test]
fn depth_and_size_have_limits() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let read = |text: String| parse::<serde::de::IgnoredAny>(text.as_bytes(), 1 << 20).map(|_| ());
    assert_eq!(read(nested(16)), Ok(()));
    assert_eq!(read(nested(17)), Err(JsonError::Syntax));
    assert_eq!(read(nested(100_000)), Err(JsonError::Syntax));
    assert_eq!(parse::<u8>(b"1 ", 1), Err(JsonError::TooLarge(1)));
}

#[test]
fn values_are_counted_over_the_whole_text() {
    let zeros = |count: usize| vec!["0"; count].join(",");
    let read = |text: String| parse::<serde::de::IgnoredAny>(text.as_bytes(), 1 << 20).map(|_| ());
    let most = sallyport_model::limits::JSON_VALUES;
    assert_eq!(read(format!("[{}]", zeros(most - 1))), Ok(()));
    assert_eq!(read(format!("[{}]", zeros(most))), Err(JsonError::Syntax));
    let half = zeros(most / 2);
    assert_eq!(read(format!(r#"{{"a":[{half}],"b":[{half}]}}"#)), Err(JsonError::Syntax));
}
