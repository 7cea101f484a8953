//! Replacing a credential. Every step is written down before it is taken, so that whoever finds a replacement half done, after a crash at
//! any place, knows what to ask the vendor: the old credential is kept until the new one has proved itself, and the new one before anybody
//! else hears of it.
//!
//! ```text
//! idle -due-> ready -> sent -> (answered ->) proved -> idle, with the new one
//!               ^        |
//!               +--------+ the vendor still takes the old one, and not the new one
//! ```

use super::hook::NewSecret;

/// How far a replacement is, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is under way.
    Idle,
    /// It began, and the vendor was not told yet. Where the server makes the new credential, it is kept already.
    Ready,
    /// The vendor may have been told.
    Sent,
    /// The vendor made a new credential, and it is kept.
    Answered,
}

impl State {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Ready => "ready",
            Self::Sent => "sent",
            Self::Answered => "answered",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Idle, Self::Ready, Self::Sent, Self::Answered].into_iter().find(|state| state.as_str() == word)
    }
}

/// Which of both credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that calls use.
    Present,
    /// The one that is to take its place.
    Candidate,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin: keep a new credential, where the server makes it.
    Begin,
    /// Write down that the vendor is told, then tell it.
    Send,
    /// Ask the vendor whether it takes a credential.
    Prove(Which),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The vendor was told, and said yes: with a new credential that is kept, where it makes it.
    Accepted,
    /// The vendor said yes, and its answer has no credential at the place that was named.
    NoSecret,
    /// The vendor said no: nothing changed there.
    Refused,
    /// The request did not leave this server.
    Unsent,
    /// Nobody knows whether the vendor heard it.
    Unknown,
    /// The vendor takes this credential.
    Good(Which),
    /// The vendor does not take it.
    Bad(Which),
    /// The vendor did not say.
    Silent(Which),
}

/// Why a replacement did not come to its end; it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The vendor could not be reached.
    Unreachable,
    /// The vendor refused the request.
    Refused,
    /// Nobody knows whether the vendor heard it: the next try asks.
    Unknown,
    /// The vendor's answer had no new credential.
    NoSecret,
    /// The vendor still takes the old one and not the new one.
    NotTaken,
    /// The vendor takes neither: a person has to look.
    Neither,
}

impl Failure {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::NoSecret => "no_secret",
            Self::NotTaken => "not_taken",
            Self::Neither => "neither",
        }
    }
}

/// Where an event leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Go on from this state.
    On(State),
    /// Ask for the old credential too, before anything is decided.
    AskPresent,
    /// The new credential takes the old one's place.
    Finish,
    /// Stop here in this state, and try again later.
    Fail(State, Failure),
}

/// What is done next in a state.
pub fn next(state: State, source: &NewSecret) -> Next {
    match (state, source) {
        (State::Idle, _) => Next::Begin,
        (State::Ready, _) => Next::Send,
        (State::Sent, NewSecret::Made) | (State::Answered, _) => Next::Prove(Which::Candidate),
        // Whatever the vendor made was lost with the process that waited for it.
        (State::Sent, NewSecret::Answer { .. }) => Next::Prove(Which::Present),
    }
}

/// Where an event leads from a state.
pub fn after(state: State, source: &NewSecret, event: Event) -> After {
    match event {
        Event::Accepted => After::On(if *source == NewSecret::Made { State::Sent } else { State::Answered }),
        Event::NoSecret => After::Fail(State::Sent, Failure::NoSecret),
        Event::Refused => After::Fail(State::Ready, Failure::Refused),
        Event::Unsent => After::Fail(State::Ready, Failure::Unreachable),
        Event::Unknown => After::Fail(State::Sent, Failure::Unknown),
        Event::Good(Which::Candidate) => After::Finish,
        Event::Bad(Which::Candidate) => After::AskPresent,
        // The vendor never heard of the new one, or did not keep it: it is told again, after a while.
        Event::Good(Which::Present) => After::Fail(State::Ready, Failure::NotTaken),
        Event::Bad(Which::Present) => After::Fail(state, Failure::Neither),
        Event::Silent(_) => After::Fail(state, Failure::Unreachable),
    }
}

/// Seconds until the next try, after so many that failed.
pub fn wait_secs(attempts: u32) -> i64 {
    const STEPS: [i64; 7] = [60, 5 * 60, 15 * 60, 60 * 60, 4 * 60 * 60, 12 * 60 * 60, 24 * 60 * 60];
    STEPS[usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(STEPS.len() - 1)]
}

/// Whether the owner hears of a failure by mail: the first one, one that lasts for most of a day, and when nothing goes any more.
pub fn is_told(attempts: u32, failure: Failure) -> bool {
    matches!(attempts, 1 | 5) || failure == Failure::Neither && attempts <= 10
}

#[cfg(test)]
mod tests;
