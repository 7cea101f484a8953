//! A vendor, a server that crashes at every place, and what they come to.

use proptest::prelude::*;

use super::*;

fn answered() -> NewSecret {
    NewSecret::Answer { pointer: "/token".into() }
}

/// What is stored here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Here {
    state: State,
    present: u32,
    candidate: Option<u32>,
}

/// What the vendor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vendor {
    takes: u32,
}

/// How one exchange goes wrong, where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The server dies before the request leaves.
    DiesBefore,
    /// The server dies after the vendor has done its part, before the answer is written down.
    DiesAfter,
    /// The request does not arrive.
    Unsent,
    /// The answer does not arrive.
    NoAnswer,
    /// The vendor says no.
    SaysNo,
}

const TROUBLES: [Trouble; 6] =
    [Trouble::None, Trouble::DiesBefore, Trouble::DiesAfter, Trouble::Unsent, Trouble::NoAnswer, Trouble::SaysNo];

/// One try, until it comes to its end, fails or dies; whether it came to its end.
fn attempt(here: &mut Here, vendor: &mut Vendor, source: &NewSecret, mut troubles: impl Iterator<Item = Trouble>) -> bool {
    let mut asks = None;
    loop {
        let trouble = troubles.next().unwrap_or(Trouble::None);
        let event = match asks.take().unwrap_or_else(|| next(here.state, source)) {
            Next::Begin => {
                here.candidate = (*source == NewSecret::Made).then_some(here.present + 1);
                here.state = State::Ready;
                continue;
            }
            Next::Send => {
                here.state = State::Sent;
                match trouble {
                    Trouble::DiesBefore => return false,
                    Trouble::Unsent => Event::Unsent,
                    Trouble::SaysNo => Event::Refused,
                    Trouble::None | Trouble::DiesAfter | Trouble::NoAnswer => {
                        let new = here.candidate.filter(|_| *source == NewSecret::Made).unwrap_or(vendor.takes + 1);
                        assert_eq!(vendor.takes, here.present, "it is told by whom it knows");
                        vendor.takes = new;
                        match trouble {
                            Trouble::DiesAfter => return false,
                            Trouble::NoAnswer => Event::Unknown,
                            _ => {
                                here.candidate = Some(new);
                                Event::Accepted
                            }
                        }
                    }
                }
            }
            Next::Prove(which) => match trouble {
                Trouble::DiesBefore | Trouble::DiesAfter => return false,
                Trouble::Unsent | Trouble::NoAnswer | Trouble::SaysNo => Event::Silent(which),
                Trouble::None => {
                    let shown = if which == Which::Present { Some(here.present) } else { here.candidate };
                    if shown == Some(vendor.takes) { Event::Good(which) } else { Event::Bad(which) }
                }
            },
        };
        match after(here.state, source, event) {
            After::On(state) => here.state = state,
            After::AskPresent => asks = Some(Next::Prove(Which::Present)),
            After::Finish => {
                *here = Here { state: State::Idle, present: here.candidate.expect("a candidate that proved itself"), candidate: None };
                return true;
            }
            After::Fail(state, _) => {
                here.state = state;
                return false;
            }
        }
    }
}

fn begin() -> (Here, Vendor) {
    (Here { state: State::Idle, present: 1, candidate: None }, Vendor { takes: 1 })
}

#[test]
fn it_comes_to_its_end_at_once_where_nothing_goes_wrong() {
    for source in [NewSecret::Made, answered()] {
        let (mut here, mut vendor) = begin();
        assert!(attempt(&mut here, &mut vendor, &source, std::iter::empty()));
        assert_eq!((here.state, here.present, here.candidate, vendor.takes), (State::Idle, 2, None, 2));
    }
}

#[test]
fn what_is_stored_is_read_back() {
    for state in [State::Idle, State::Ready, State::Sent, State::Answered] {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    assert_eq!(State::parse("proved"), None);
}

#[test]
fn waiting_grows_to_a_day_and_the_owner_is_told_now_and_then() {
    assert_eq!([0, 1, 2, 7, 8, u32::MAX].map(wait_secs), [60, 60, 300, 86_400, 86_400, 86_400]);
    let told: Vec<u32> = (1..20).filter(|attempts| is_told(*attempts, Failure::Refused)).collect();
    assert_eq!(told, [1, 5]);
    assert!(is_told(2, Failure::Neither));
}

#[test]
fn neither_is_said_only_where_the_vendor_refused_both() {
    for state in [State::Sent, State::Answered] {
        for source in [NewSecret::Made, answered()] {
            assert_eq!(after(state, &source, Event::Bad(Which::Candidate)), After::AskPresent);
            assert_eq!(after(state, &source, Event::Bad(Which::Present)), After::Fail(state, Failure::Neither));
        }
    }
}

proptest! {
    /// Whatever goes wrong and however often, what the vendor takes is kept here: the calls' credential, or the one to come.
    #[test]
    fn no_crash_loses_what_the_vendor_takes(troubles in proptest::collection::vec(proptest::sample::select(&TROUBLES[..]), 0..24)) {
        let (mut here, mut vendor) = begin();
        for pair in troubles.chunks(2) {
            attempt(&mut here, &mut vendor, &NewSecret::Made, pair.iter().copied());
            let kept = [Some(here.present), here.candidate];
            prop_assert!(kept.contains(&Some(vendor.takes)), "{here:?} {vendor:?}");
        }
        // Once nothing goes wrong any more, it comes to its end: at once, or after one look at what happened.
        let done = (0..3).any(|_| attempt(&mut here, &mut vendor, &NewSecret::Made, std::iter::empty()));
        prop_assert!(done && here.present == vendor.takes, "{here:?} {vendor:?}");
    }

    /// Where the vendor makes the new credential, the one that it made while we died is lost, and that is noticed.
    #[test]
    fn a_credential_that_the_vendor_made_is_lost_only_with_its_answer(troubles in proptest::collection::vec(proptest::sample::select(&TROUBLES[..]), 0..24)) {
        let (mut here, mut vendor) = begin();
        let mut lost = false;
        for trouble in troubles {
            let sends = here.state != State::Sent && here.state != State::Answered;
            let steps = if here.state == State::Idle { vec![Trouble::None, trouble] } else { vec![trouble] };
            if lost { break; }
            attempt(&mut here, &mut vendor, &answered(), steps.into_iter());
            lost = sends && matches!(trouble, Trouble::DiesAfter | Trouble::NoAnswer);
            let kept = [Some(here.present), here.candidate];
            prop_assert!(lost || kept.contains(&Some(vendor.takes)), "{here:?} {vendor:?}");
        }
        let done = (0..3).any(|_| attempt(&mut here, &mut vendor, &answered(), std::iter::empty()));
        prop_assert_eq!(done, !lost, "{:?} {:?}", here, vendor);
    }
}
