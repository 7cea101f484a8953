use super::*;
use crate::accounts::proof::ProvenKey;

const START: i64 = 1_790_000_000;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(START + secs)
}

fn session() -> Session {
    Session {
        id: SessionId::from_bytes([1; 16]),
        key: Thumbprint::from_bytes([2; 32]),
        stage: Stage::Full,
        created: at(0),
        last_active: at(0),
        auth_time: at(0),
        method: Method::Totp,
        step_up: Some(StepUpWindow::open(at(0))),
        timers: Timers::default(),
        account_ends: None,
    }
}

#[test]
fn ses_01_a_token_has_256_bits_and_is_stored_as_a_hash_of_its_purpose() {
    let token = Token::from_bytes([0xfe; TOKEN_BYTES]);
    let text = token.to_text();
    assert_eq!(text.len(), 43);
    let read = Token::parse(&text).expect("its own text");
    assert_eq!(read.stored(Purpose::Session), token.stored(Purpose::Session));
    assert_ne!(token.stored(Purpose::Session), token.stored(Purpose::Setup));
    assert_ne!(token.stored(Purpose::Setup), token.stored(Purpose::Draft));
    assert_ne!(token.stored(Purpose::Session).as_bytes(), &[0xfe; 32]);
}

#[test]
fn ses_01_what_is_no_token() {
    for text in ["", "abc", &"A".repeat(42), &"A".repeat(44), &"=".repeat(43), &"A".repeat(100_000)] {
        assert!(Token::parse(text).is_err(), "{text:.50}");
    }
}

#[test]
fn ses_03_both_timers_end_a_session() {
    assert_eq!(session().lives(at(limits::SESSION_IDLE_SECS - 1)), Ok(()));
    assert_eq!(session().lives(at(limits::SESSION_IDLE_SECS)), Err(SessionError::Idle));
    let busy = Session { last_active: at(limits::SESSION_LIFETIME_SECS - 1), ..session() };
    assert_eq!(busy.lives(at(limits::SESSION_LIFETIME_SECS - 1)), Ok(()));
    assert_eq!(busy.lives(at(limits::SESSION_LIFETIME_SECS)), Err(SessionError::Expired));
    assert_eq!(busy.idle_expires(), busy.expires());
}

#[test]
fn ses_04_what_the_page_does_by_itself_is_no_activity() {
    for (method, background, accept, expected) in [
        ("GET", None, None, Activity::Person),
        ("GET", Some(&b"1"[..]), None, Activity::Background),
        ("GET", Some(b"0"), None, Activity::Person),
        ("GET", None, Some(&b"text/event-stream"[..]), Activity::Background),
        ("POST", Some(b"1"), None, Activity::Person),
    ] {
        assert_eq!(Activity::of(method, background, accept), expected, "{method} {background:?} {accept:?}");
    }
    assert_eq!(session().touch(Activity::Background, at(600)), None);
    assert_eq!(session().touch(Activity::Person, at(600)), Some(at(600)));
    assert_eq!(session().touch(Activity::Person, at(ACTIVITY_SECS - 1)), None, "not each click is a write");
    assert_eq!(session().touch(Activity::Person, at(-600)), None, "a clock that goes back takes nothing back");
}

#[test]
fn ses_02_a_session_is_bound_to_one_key() {
    let proof = |byte| ProvenKey::for_tests(Thumbprint::from_bytes([byte; 32]));
    assert_eq!(session().judge(&proof(2), at(1)), Ok(()));
    assert_eq!(session().judge(&proof(3), at(1)), Err(SessionError::OtherKey));
}

#[test]
fn step_09_the_window_is_fixed() {
    let length = limits::STEP_UP_WINDOW_SECS;
    assert_eq!(session().step_up_until(length, at(length - 1)), Some(at(length)));
    assert_eq!(session().step_up_until(length, at(length)), None);
    let used = StepUpWindow::open(at(0)).use_for(RemoteKind::Terminal, length, at(200)).expect("open");
    assert_eq!(used.closes(length), at(length), "use does not lengthen it");
    assert_eq!(StepUpWindow::open(at(0)).closes(100_000), at(limits::STEP_UP_WINDOW_MAX_SECS));
    assert_eq!(StepUpWindow::open(at(0)).use_for(RemoteKind::Files, 0, at(0)), None, "a tenant may choose no window");
}

#[test]
fn step_09_the_window_is_good_for_one_kind() {
    let used = StepUpWindow::open(at(0)).use_for(RemoteKind::Terminal, 300, at(1)).expect("open");
    assert_eq!(used.use_for(RemoteKind::Terminal, 300, at(2)), Some(used));
    assert_eq!(used.use_for(RemoteKind::Viewer, 300, at(2)), None);
}

#[test]
fn a_session_ends_with_its_account_and_with_the_tenants_timers() {
    let short = Session { timers: Timers { idle_secs: 300, lifetime_secs: 900 }, ..session() };
    assert_eq!((short.lives(at(299)), short.lives(at(300))), (Ok(()), Err(SessionError::Idle)));
    let external = Session { account_ends: Some(at(60)), ..session() };
    assert_eq!((external.lives(at(59)), external.lives(at(60))), (Ok(()), Err(SessionError::Expired)));
    assert_eq!(external.expires(), at(60));
}
