use std::collections::BTreeSet;

use super::*;
use crate::networks::{Required, Trusted};

const INTERVAL: i64 = limits::DEVICE_POLL_SECS;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000 + secs)
}

fn key(n: u8) -> Thumbprint {
    Thumbprint::from_bytes([n; 32])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn oa_21_a_user_code_has_eight_of_twenty_letters_and_is_read_as_people_type() {
    assert_eq!(USER_CODES, 20u64.pow(8));
    assert!((USER_CODES as f64).log2() > 34.57);
    let code = UserCode::from_random(0x0123_4567_89ab_cdef_0011_2233_4455_6677_u128.to_be_bytes());
    let text = code.to_text();
    assert_eq!((text.len(), text.as_bytes()[4]), (9, b'-'));
    assert!(text.bytes().filter(|byte| *byte != b'-').all(|byte| ALPHABET.contains(&byte)), "{text}");
    for typed in [text.clone(), text.to_lowercase(), text.replace('-', ""), text.replace('-', " "), format!(" {text}\n")] {
        assert!(UserCode::parse(&typed) == Ok(code.clone()), "{typed:?}");
    }
    for wrong in ["", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF-GHJY", "BCDF_GHJK", &"B".repeat(65)] {
        assert!(UserCode::parse(wrong) == Err(NotAUserCode), "{wrong:?}");
    }
}

#[test]
fn oa_21_every_letter_comes_at_every_place_and_equal_randomness_alone_makes_equal_codes() {
    let mut seen: [BTreeSet<u8>; USER_CODE_CHARS] = Default::default();
    for n in 0u128..2_000 {
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        UserCode::from_random(spread.to_be_bytes()).0.iter().zip(&mut seen).for_each(|(letter, seen)| {
            seen.insert(*letter);
        });
    }
    assert!(seen.iter().all(|place| place.len() == ALPHABET.len()));
    assert!(UserCode::from_random([7; 16]) == UserCode::from_random([7; 16]));
    assert!(UserCode::from_random([7; 16]) != UserCode::from_random([8; 16]));
}

#[test]
fn oa_21_what_is_stored_of_a_code_is_nothing_without_the_servers_key() {
    let code = UserCode::from_random([7; 16]);
    assert_eq!(code.stored(&[1; 32]), UserCode::parse(&code.to_text().to_lowercase()).unwrap_or_else(|_| panic!()).stored(&[1; 32]));
    assert_ne!(code.stored(&[1; 32]), code.stored(&[2; 32]));
}

fn waiting() -> Polled {
    Polled { key: key(1), answered: Answered::Waiting, expires: at(limits::DEVICE_REQUEST_SECS), interval_secs: INTERVAL, last_poll: None }
}

#[test]
fn oa_21_polling_is_pending_slows_down_expires_and_ends_once() {
    let (own, other) = (ProvenKey::for_tests(key(1)), ProvenKey::for_tests(key(2)));
    let end = limits::DEVICE_REQUEST_SECS;
    assert_eq!(end, 600, "ten minutes at most");
    let after = |answered| Polled { answered, last_poll: Some(at(10)), ..waiting() };
    for (polled, proof, now, wanted) in [
        (waiting(), &own, 0, Poll::Pending),
        (after(Answered::Waiting), &own, 10, Poll::TooFast),
        (after(Answered::Waiting), &own, 14, Poll::TooFast),
        (after(Answered::Waiting), &own, 15, Poll::Pending),
        (after(Answered::Waiting), &own, 9, Poll::Pending),
        (after(Answered::Waiting), &own, end - 1, Poll::Pending),
        (after(Answered::Waiting), &own, end, Poll::Expired),
        (after(Answered::Yes), &own, 11, Poll::Approved),
        (after(Answered::Yes), &own, end, Poll::Expired),
        (after(Answered::No), &own, 11, Poll::Denied),
        (after(Answered::No), &own, end, Poll::Expired),
        (after(Answered::Spent), &own, 11, Poll::Nothing),
        (after(Answered::Spent), &own, end, Poll::Nothing),
        (after(Answered::Waiting), &other, 15, Poll::Nothing),
        (after(Answered::Yes), &other, 15, Poll::Nothing),
        (after(Answered::No), &other, 15, Poll::Nothing),
    ] {
        assert_eq!(polled.judge(proof, at(now)), wanted, "{polled:?} after {now} s");
    }
}

#[test]
fn oa_21_each_poll_that_is_too_early_makes_the_wait_five_seconds_longer() {
    let own = ProvenKey::for_tests(key(1));
    let (mut polled, mut waits) = (waiting(), Vec::new());
    for second in 0..4 {
        let poll = polled.judge(&own, at(second));
        polled = Polled { interval_secs: polled.interval_after(poll), last_poll: Some(at(second)), ..polled };
        waits.push(polled.interval_secs);
    }
    assert_eq!(waits, [5, 10, 15, 20]);
    assert_eq!(polled.judge(&own, at(3 + 19)), Poll::TooFast, "it is remembered");
    assert_eq!(polled.judge(&own, at(3 + 20)), Poll::Pending);
}

fn ground(rules: &Rules) -> Ground<'_> {
    Ground { allowed: DeviceCodes::Allowed, passkey: HasPasskey::Yes, rules }
}

fn office(label: &str, range: &str) -> Trusted {
    Trusted { label: label.into(), ranges: vec![range.parse().unwrap()] }
}

#[test]
fn oa_22_a18_a_yes_counts_for_a_program_that_is_where_its_person_is() {
    let (here, there) = (ip("203.0.113.5"), ip("198.51.100.7"));
    let none = Rules::default();
    assert_eq!(ground(&none).judge(here, here), Ok(()));
    assert_eq!(ground(&none).judge(there, here), Err(MayNot::Apart));
    assert_eq!(ground(&none).judge(ip("2001:db8::5"), ip("2001:db8::6")), Err(MayNot::Apart), "a neighbour is somebody else");
    // One trusted network that has both.
    let one = Rules { trusted: vec![office("Office", "203.0.113.0/24")], ..Rules::default() };
    assert_eq!(ground(&one).judge(ip("203.0.113.9"), here), Ok(()));
    assert_eq!(ground(&one).judge(there, here), Err(MayNot::Apart));
    // Two networks that have one each are not one.
    let two = Rules { trusted: vec![office("Office", "203.0.113.0/24"), office("Depot", "198.51.100.0/24")], ..Rules::default() };
    assert_eq!(ground(&two).judge(there, here), Err(MayNot::Apart));
    let both = Trusted { ranges: [two.trusted[0].ranges.clone(), two.trusted[1].ranges.clone()].concat(), ..two.trusted[0].clone() };
    assert_eq!(ground(&Rules { trusted: vec![both], ..Rules::default() }).judge(there, here), Ok(()));
    // Where nobody signs in, no program does, however near it is.
    let required = vec![Required { capability: Capability::SignIn, ranges: vec!["203.0.113.0/28".parse().unwrap()] }];
    let narrow = Rules { required, ..one };
    assert_eq!(ground(&narrow).judge(ip("203.0.113.99"), here), Err(MayNot::Forbidden));
    assert_eq!(ground(&narrow).judge(ip("203.0.113.9"), here), Ok(()));
}

#[test]
fn oa_22_off_by_default_and_never_without_a_passkey() {
    let (rules, here) = (Rules::default(), ip("203.0.113.5"));
    assert_eq!(DeviceCodes::default(), DeviceCodes::Refused);
    let off = Ground { allowed: DeviceCodes::default(), ..ground(&rules) };
    assert_eq!(off.judge(here, here), Err(MayNot::Off));
    let bare = Ground { passkey: HasPasskey::No, ..ground(&rules) };
    assert_eq!(bare.judge(here, here), Err(MayNot::NoPasskey));
}

#[test]
fn oa_22_a_passkey_signs_everything_that_is_shown() {
    let user = UserId::from_bytes([1; 16]);
    let request = DeviceRequest {
        code: Digest::from_bytes([2; 32]),
        key: key(3),
        program: "sallyport on jump-1".into(),
        address: "203.0.113.5".into(),
        user_agent: "sallyport-cli/1".into(),
        asked: at(0),
        expires: at(600),
    };
    let digest = request.digest(user);
    let others = [
        DeviceRequest { code: Digest::from_bytes([9; 32]), ..request.clone() },
        DeviceRequest { key: key(9), ..request.clone() },
        DeviceRequest { program: "x".into(), ..request.clone() },
        DeviceRequest { address: "203.0.113.6".into(), ..request.clone() },
        DeviceRequest { user_agent: "x".into(), ..request.clone() },
        DeviceRequest { asked: at(1), ..request.clone() },
        DeviceRequest { expires: at(601), ..request.clone() },
    ];
    assert!(others.iter().all(|other| other.digest(user) != digest));
    assert_ne!(request.digest(UserId::from_bytes([9; 16])), digest);
    assert_eq!(request.clone().digest(user), digest);
}

#[test]
fn oa_21_guesses_stop_within_the_hour_and_go_on_after_it() {
    let most = limits::DEVICE_GUESSES_PER_USER;
    let mut guesses = None;
    for second in 0..i64::from(most) {
        guesses = Some(Guesses::charge(guesses, most, at(second)).expect("one of those that are allowed"));
    }
    let window = limits::DEVICE_GUESS_WINDOW_SECS;
    assert_eq!(Guesses::charge(guesses, most, at(20)), Err(MustWait { secs: 3580 }));
    assert_eq!(Guesses::charge(guesses, most, at(window - 1)), Err(MustWait { secs: 1 }));
    assert_eq!(Guesses::charge(guesses, most, at(window)), Ok(Guesses { count: 1, since: at(window) }));
    // The arithmetic of the comment at Guesses.
    let hit = limits::DEVICE_REQUESTS as f64 / USER_CODES as f64;
    let in_a_year = f64::from(most) * 24.0 * 365.0 * hit;
    assert!((3.9e-8..4.0e-8).contains(&hit) && in_a_year < 0.004, "{hit} {in_a_year}");
}
