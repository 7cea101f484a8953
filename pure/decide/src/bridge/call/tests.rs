use std::collections::BTreeMap;

use proptest::prelude::*;
use sallyport_model::Timestamp;

use super::super::{Allow, Placement};
use super::*;

fn user(n: u8) -> Sender {
    Sender::User(UserId::from_bytes([n; 16]))
}

fn shape() -> Shape {
    Shape {
        name: "Ticket system".into(),
        base_url: "https://psa.example/api/".into(),
        placement: Placement::Bearer,
        headers: BTreeMap::from([("Prefer".into(), "own".into())]),
        allows: vec![
            Allow { methods: BTreeSet::from([Verb::Get]), path: "/tickets/**".into() },
            Allow { methods: BTreeSet::from([Verb::Post]), path: "/tickets".into() },
        ],
        callers: BTreeSet::new(),
        per_minute: 60,
        expires: Timestamp::from_secs(1),
        check: None,
        rotation: None,
    }
}

fn cleared(verb: Verb, raw_path: &str, query: Option<&str>) -> Result<Cleared, CallError> {
    clear(&shape(), user(1), (verb, raw_path, query), [])
}

#[test]
fn a_call_goes_where_the_connection_says() {
    let call = cleared(Verb::Get, "tickets/%35/notes", Some("page=2&q=%2F..%2F")).unwrap();
    assert_eq!(call.target().to_string(), "https://psa.example/api/tickets/5/notes?page=2&q=%2F..%2F");
    assert_eq!((call.path(), call.rule()), ("/tickets/5/notes", "/tickets/**"), "queries are written down nowhere");
}

#[test]
fn what_no_rule_allows_goes_nowhere() {
    for (verb, path) in
        [(Verb::Get, ""), (Verb::Get, "users"), (Verb::Post, "tickets/5"), (Verb::Delete, "tickets/5"), (Verb::Put, "tickets")]
    {
        assert_eq!(cleared(verb, path, None), Err(CallError::Rule), "{verb:?} {path}");
    }
    for path in ["tickets/../users", "tickets/%2e%2e/users", "tickets//users", "tickets/..;/users", "http://evil.example/"] {
        assert!(matches!(cleared(Verb::Get, path, None), Err(CallError::Path(_))), "{path}");
    }
    for query in ["a#b", "a b", "a\r\nHost: x", &"x".repeat(5_000)] {
        assert_eq!(cleared(Verb::Get, "tickets", Some(query)), Err(CallError::Query), "{query}");
    }
}

#[test]
fn a_connection_that_names_callers_is_for_them_alone() {
    let named = Shape { callers: BTreeSet::from([user(1).id()]), ..shape() };
    let call = |sender| clear(&named, sender, (Verb::Get, "tickets", None), []).map(|_| ());
    assert_eq!((call(user(1)), call(user(2))), (Ok(()), Err(CallError::Caller)));
    let tool = Sender::Client(ApiClientId::from_bytes([1; 16]));
    assert_eq!(call(tool), Err(CallError::Caller), "a tool is not the person in whose name it works");
}

#[test]
fn nothing_of_the_caller_goes_on_but_what_the_request_is_about() {
    let sent = [
        ("accept", "application/json"),
        ("content-type", "text/plain"),
        ("prefer", "theirs"),
        ("authorization", "DPoP token"),
        ("dpop", "proof"),
        ("cookie", "__Host-session=1"),
        ("host", "evil.example"),
        ("connection", "close, x-a"),
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("transfer-encoding", "chunked"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("range", "bytes=0-1"),
        ("accept-encoding", "gzip"),
        ("proxy-authorization", "x"),
    ];
    let call = clear(&shape(), user(1), (Verb::Get, "tickets", None), sent).unwrap();
    let headers: Vec<_> = call.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("accept", "application/json"), ("content-type", "text/plain"), ("prefer", "own")]);
}

proptest! {
    #[test]
    fn whatever_the_path_is_it_stays_at_the_vendor_and_below_the_rule(raw in "[a-z./%@:;\\\\2eEfF?#]{0,24}") {
        if let Ok(call) = cleared(Verb::Get, &format!("tickets/{raw}"), None) {
            prop_assert!(call.target().to_string().starts_with("https://psa.example/api/tickets"), "{}", call.target());
            prop_assert!(!call.path().split('/').any(|segment| segment.starts_with("..")&& segment.len() == 2));
        }
    }
}
