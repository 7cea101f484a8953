//! Schedules: what is due, whom a rule means, and what makes a publication void.

mod rule;
mod words;

use sallyport_grant::schedule::{CronError, ScheduleTerms, Timetable};
use sallyport_model::Timestamp;

pub use rule::{MembershipRule, Void};
pub use words::in_words;

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleState {
    /// It runs.
    Active,
    /// Somebody paused it.
    Paused,
    /// What was published is no longer so: see [`Void`].
    Voided,
    /// Somebody stopped it, for good.
    Stopped,
    /// Its time is over.
    Expired,
}

impl ScheduleState {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Voided => "voided",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
        }
    }
}

impl std::str::FromStr for ScheduleState {
    type Err = NotAState;
    fn from_str(word: &str) -> Result<Self, NotAState> {
        [Self::Active, Self::Paused, Self::Voided, Self::Stopped, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(NotAState)
    }
}

/// The text is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a schedule")]
pub struct NotAState;

/// What a schedule does now, be the server on time or a week late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// This occurrence. Of all that came while nobody was there, only the last one is caught up with.
    Run {
        /// The occurrence.
        at: Timestamp,
        /// Those before it that are left out.
        missed: u64,
    },
    /// All that came is too old by now.
    Missed {
        /// How many.
        missed: u64,
        /// The last of them.
        at: Timestamp,
    },
    /// The publication is over.
    Over,
}

/// What has been decided of a schedule so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Occurrences up to this moment are decided.
    pub decided: Timestamp,
    /// The publication's end.
    pub expires: Timestamp,
}

/// Decides about everything that came since the last decision.
///
/// # Errors
/// When the stored expression is none.
pub fn due(terms: &ScheduleTerms, progress: Progress, now: Timestamp) -> Result<Due, CronError> {
    let table = Timetable::of(terms)?;
    let last_moment = Timestamp::from_micros(progress.expires.micros() - 1);
    Ok(match table.last(progress.decided, now.min(last_moment)) {
        Some((at, count)) if now < table.lapses(at) && now < progress.expires => Due::Run { at, missed: count - 1 },
        Some((at, missed)) => Due::Missed { missed, at },
        None if now >= progress.expires => Due::Over,
        None => Due::Nothing,
    })
}

/// When it runs next, after a moment.
///
/// # Errors
/// When the stored expression is none.
pub fn next(terms: &ScheduleTerms, after: Timestamp, expires: Timestamp) -> Result<Option<Timestamp>, CronError> {
    Ok(Timetable::of(terms)?.next(after, expires))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sallyport_grant::schedule::Offset;

    use super::*;

    fn hourly() -> ScheduleTerms {
        ScheduleTerms {
            cron: "0 * * * *".to_owned(),
            zone: "Etc/UTC".to_owned(),
            offsets: vec![Offset { from: Timestamp::default(), secs: 0 }],
            window: None,
            late_secs: 1800,
            jitter_secs: 0,
            gap_secs: 0,
            at_once: 0,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    const DAY: i64 = 86_400;

    #[test]
    fn a_server_that_was_off_for_a_day_runs_the_last_occurrence_once_or_not_at_all() {
        let progress = Progress { decided: at(0), expires: at(30 * DAY) };
        assert_eq!(due(&hourly(), progress, at(DAY + 60)), Ok(Due::Run { at: at(DAY), missed: 23 }));
        assert_eq!(due(&hourly(), progress, at(DAY + 1800)), Ok(Due::Missed { missed: 24, at: at(DAY) }));
        assert_eq!(due(&hourly(), Progress { decided: at(DAY), ..progress }, at(DAY + 60)), Ok(Due::Nothing));
    }

    #[test]
    fn nothing_runs_once_the_publication_is_over() {
        let progress = Progress { decided: at(0), expires: at(5400) };
        assert_eq!(due(&hourly(), progress, at(3600)), Ok(Due::Run { at: at(3600), missed: 0 }));
        assert_eq!(due(&hourly(), progress, at(5400)), Ok(Due::Missed { missed: 1, at: at(3600) }));
        assert_eq!(due(&hourly(), Progress { decided: at(3600), ..progress }, at(5400)), Ok(Due::Over));
        assert_eq!(due(&hourly(), Progress { decided: at(3600), ..progress }, at(9000)), Ok(Due::Over));
    }

    proptest! {
        /// However the server's ticks fall, and however its clock jumps: no occurrence is decided twice, none goes unnoticed.
        #[test]
        fn each_occurrence_is_decided_once(ticks in proptest::collection::vec(-4000i64..9000, 1..40)) {
            let (expires, mut decided, mut now) = (at(30 * DAY), at(0), 0i64);
            let (mut ran, mut counted, mut latest) = (Vec::new(), 0u64, 0i64);
            for tick in ticks {
                now += tick;
                latest = latest.max(now);
                match due(&hourly(), Progress { decided, expires }, at(now)).unwrap() {
                    Due::Run { at, missed } => { ran.push(at); counted += missed + 1; decided = at; }
                    Due::Missed { missed, at } => { counted += missed; decided = at; }
                    Due::Nothing | Due::Over => {}
                }
            }
            prop_assert!(ran.windows(2).all(|pair| pair[0] < pair[1]), "strictly forward");
            prop_assert_eq!(counted, u64::try_from(latest / 3600).unwrap_or_default());
        }
    }
}
