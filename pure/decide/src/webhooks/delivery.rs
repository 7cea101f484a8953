//! How often a delivery is tried, and when its endpoint is given up.

use sallyport_model::{Timestamp, limits};

/// What an endpoint did with one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It answered with this status.
    Answered(u16),
    /// It answered nothing that counts: refused, too slow, wrong certificate, an address that is not allowed.
    Failed,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It arrived.
    Delivered,
    /// It is tried again after so many seconds.
    Again(i64),
    /// It is given up; the endpoint, where nothing reached it all that time, is paused.
    GivenUp,
}

/// Seconds from failed attempt number `made` (from 1 on) to the next: 10 s, four times as long each time, at most six hours, and a
/// quarter more or less by `jitter`, so that what failed together does not come back together.
pub fn wait_secs(made: u32, jitter: u64) -> i64 {
    let wait = 10i64.saturating_mul(4i64.saturating_pow(made.saturating_sub(1))).min(6 * 60 * 60);
    let spread = wait / 2;
    let more = i64::try_from(jitter % (u64::try_from(spread).unwrap_or(0) + 1)).unwrap_or(0);
    wait - spread / 2 + more
}

/// Judges attempt number `made`. Every status of 200 to 299 is an arrival; a redirect is none, since it is not followed.
pub fn next(made: u32, attempt: Attempt, jitter: u64) -> Next {
    match attempt {
        Attempt::Answered(200..=299) => Next::Delivered,
        // Gone (RFC 9110, section 15.5.11): whoever says so does not want it again.
        Attempt::Answered(410) => Next::GivenUp,
        _ if made >= limits::WEBHOOK_ATTEMPTS => Next::GivenUp,
        _ => Next::Again(wait_secs(made, jitter)),
    }
}

impl Next {
    /// Whether the endpoint is to be paused: a delivery was given up, and nothing arrived since that delivery's first attempt.
    pub fn pauses(self, first_attempt: Timestamp, last_arrival: Option<Timestamp>) -> bool {
        self == Self::GivenUp && last_arrival.is_none_or(|last| last < first_attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_over_about_a_day() {
        for jitter in [0, 1, 7, u64::MAX, 123_456_789] {
            let waits: Vec<i64> = (1..limits::WEBHOOK_ATTEMPTS).map(|made| wait_secs(made, jitter)).collect();
            let hours = waits.iter().sum::<i64>() / 3600;
            assert!((15..30).contains(&hours), "{hours} hours: {waits:?}");
            assert!(waits[0] <= 15 && waits.windows(2).all(|pair| pair[1] >= pair[0] || pair[0] > 16_000), "{waits:?}");
        }
    }

    #[test]
    fn jitter_spreads_by_a_quarter_to_both_sides() {
        let waits: Vec<i64> = (0..10_000).map(|jitter| wait_secs(4, jitter * 7)).collect();
        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&480), Some(&800)));
    }

    #[test]
    fn arrivals_are_two_hundreds_and_nothing_else() {
        for status in [200, 202, 204, 299] {
            assert_eq!(next(1, Attempt::Answered(status), 0), Next::Delivered);
        }
        for status in [100, 301, 302, 307, 400, 401, 404, 429, 500, 503] {
            assert!(matches!(next(1, Attempt::Answered(status), 0), Next::Again(_)), "{status}");
        }
        assert!(matches!(next(limits::WEBHOOK_ATTEMPTS - 1, Attempt::Failed, 0), Next::Again(_)));
        assert_eq!(next(limits::WEBHOOK_ATTEMPTS, Attempt::Failed, 0), Next::GivenUp);
        assert_eq!(next(1, Attempt::Answered(410), 0), Next::GivenUp);
    }

    #[test]
    fn an_endpoint_that_took_something_else_meanwhile_is_not_paused() {
        let at = Timestamp::from_secs;
        assert!(Next::GivenUp.pauses(at(100), None) && Next::GivenUp.pauses(at(100), Some(at(99))));
        assert!(!Next::GivenUp.pauses(at(100), Some(at(100))));
        assert!(!Next::Again(10).pauses(at(100), None));
    }
}
