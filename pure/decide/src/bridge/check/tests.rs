use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Allow, Hook, NewSecret, Verb};
use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000 + secs)
}

fn hook(body: &str, new: NewSecret) -> Hook {
    Hook { every_days: 30, method: Verb::Post, path: "/keys/rotate".into(), body: body.into(), new }
}

fn shape() -> Shape {
    Shape {
        name: "Ticket system".into(),
        base_url: "https://psa.example/api/v2/".into(),
        placement: Placement::Bearer,
        headers: BTreeMap::from([("clientId".into(), "sallyport".into())]),
        allows: vec![Allow { methods: BTreeSet::from([Verb::Get]), path: "/tickets/**".into() }],
        callers: BTreeSet::new(),
        per_minute: 60,
        expires: at(1000),
        check: Some("/me".into()),
        rotation: Some(hook("{\"key\":\"{new}\"}", NewSecret::Made)),
    }
}

fn with(change: impl FnOnce(&mut Shape)) -> Result<(), ShapeError> {
    let mut shape = shape();
    change(&mut shape);
    shape.check(at(0))
}

#[test]
fn good_terms_are_taken() {
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(|shape| shape.placement = Placement::Header { name: "Authorization".into(), prefix: "SSWS ".into() }), Ok(()));
    assert_eq!(with(|shape| shape.rotation = Some(hook("", NewSecret::Answer { pointer: "/data/key".into() }))), Ok(()));
}

#[test]
fn each_field_is_judged() {
    for (field, wrong) in [
        ("name", with(|shape| shape.name.clear())),
        ("base_url", with(|shape| shape.base_url = "https://psa.example/?key=1".into())),
        ("base_url", with(|shape| shape.base_url = "https://psa.example/a/../b".into())),
        ("base_url", with(|shape| shape.base_url = "https://a@psa.example".into())),
        ("headers", with(|shape| drop(shape.headers.insert("Host".into(), "other.example".into())))),
        ("headers", with(|shape| drop(shape.headers.insert("Authorization".into(), "x".into())))),
        ("headers", with(|shape| drop(shape.headers.insert("x-a".into(), "b\r\nx: y".into())))),
        ("headers", with(|shape| shape.placement = Placement::Header { name: "Cookie".into(), prefix: String::new() })),
        ("headers", with(|shape| shape.placement = Placement::Header { name: "ClientID".into(), prefix: String::new() })),
        ("credential", with(|shape| shape.placement = Placement::Basic { user: "a:b".into() })),
        ("allows", with(|shape| shape.allows.clear())),
        ("allows", with(|shape| shape.allows[0].methods.clear())),
        ("allows", with(|shape| shape.allows[0].path = "tickets".into())),
        ("callers", with(|shape| shape.callers = BTreeSet::from(["dev_1".into()]))),
        ("per_minute", with(|shape| shape.per_minute = 0)),
        ("per_minute", with(|shape| shape.per_minute = limits::CONNECTION_CALLS_PER_MINUTE + 1)),
        ("expires", with(|shape| shape.expires = at(0))),
        ("expires", with(|shape| shape.expires = at(limits::CONNECTION_LIFETIME_SECS + 1))),
        ("check", with(|shape| shape.check = Some("me".into()))),
        ("check", with(|shape| shape.check = None)),
        ("rotation", with(|shape| shape.rotation.as_mut().unwrap().every_days = 0)),
        ("rotation", with(|shape| shape.rotation.as_mut().unwrap().method = Verb::Get)),
        ("rotation", with(|shape| shape.rotation = Some(hook("{\"{new}\":1}", NewSecret::Made)))),
        ("rotation", with(|shape| shape.rotation = Some(hook("key={new}", NewSecret::Made)))),
        ("rotation", with(|shape| shape.rotation = Some(hook("{\"k\":\"{new}\"}", NewSecret::Answer { pointer: "/k".into() })))),
        ("rotation", with(|shape| shape.rotation = Some(hook("", NewSecret::Answer { pointer: "k".into() })))),
    ] {
        assert_eq!(wrong.as_ref().err().map(ShapeError::field), Some(field), "{wrong:?}");
    }
}

#[test]
fn callers_never_reach_the_request_that_replaces_the_credential() {
    for path in ["/**", "/keys/*", "/keys/rotate"] {
        let wrong = with(|shape| shape.allows.push(Allow { methods: BTreeSet::from([Verb::Post]), path: path.into() }));
        assert!(matches!(wrong, Err(ShapeError::Rotation(_))), "{path}");
    }
    assert_eq!(with(|shape| shape.allows.push(Allow { methods: BTreeSet::from([Verb::Get]), path: "/**".into() })), Ok(()));
}

#[test]
fn a_credential_is_entrusted_for_one_place() {
    let before = shape();
    assert!(!Shape { name: "Other".into(), per_minute: 1, ..shape() }.wants_new_secret(&before));
    assert!(Shape { base_url: "https://evil.example".into(), ..shape() }.wants_new_secret(&before));
    assert!(Shape { base_url: "https://psa.example/api/v2/public".into(), ..shape() }.wants_new_secret(&before));
    let hooked = |hook| Shape { rotation: hook, ..shape() }.wants_new_secret(&before);
    assert!(!hooked(None) && !hooked(before.rotation.clone().map(|hook| Hook { every_days: 1, ..hook })));
    assert!(hooked(Some(hook("{\"note\":\"{old}\",\"key\":\"{new}\"}", NewSecret::Made))), "it could be read where the note is");
    assert!(shape().wants_new_secret(&Shape { rotation: None, ..shape() }));
    assert!(Shape { placement: Placement::Header { name: "x-echo".into(), prefix: String::new() }, ..shape() }.wants_new_secret(&before));
}

#[test]
fn both_credentials_go_into_the_texts_of_a_body() {
    let hook = hook("{\"a\":[\"{old}\",\"x{new}y\"],\"{new}\":1}", NewSecret::Made);
    assert_eq!(hook.body_with("n\"ew{old}", "o{new}ld").unwrap(), "{\"a\":[\"o{new}ld\",\"xn\\\"ew{old}y\"],\"{new}\":1}");
}

proptest! {
    #[test]
    fn a_body_is_json_whatever_the_credentials_are(new in "[!-~]{8,40}", old in "[!-~]{8,40}") {
        let body = hook("{\"from\":\"{old}\",\"to\":\"{new}\"}", NewSecret::Made).body_with(&new, &old).unwrap();
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(read, serde_json::json!({ "from": old, "to": new }));
    }
}
