//! What a device checks of an occurrence, beside all that it checks of the publication itself.

use sallyport_model::{Digest, GrantId, Timestamp, limits};

use crate::body::{GrantBody, RunSchedule};
use crate::error::GrantError;
use crate::schedule::{Timetable, occurrence_id};
use crate::verify::Clock;

/// What is used up by obeying a grant: its own id, or that of one occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Claimed before execution, and never again.
    pub id: GrantId,
    /// Must not be older than what the device remembers for sure.
    pub since: Timestamp,
    /// Refused for its time alone from then on, so that the id may be forgotten.
    pub until: Timestamp,
    /// Of a publication: which one, and which of its occurrences.
    pub occurrence: Option<Occurrence>,
}

/// One occurrence of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The publication's own id.
    pub publication: GrantId,
    /// When it is due.
    pub due: Timestamp,
}

/// The last occurrence of a publication that a device began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// When it was due.
    pub due: Timestamp,
    /// When it began.
    pub began: Timestamp,
}

/// The use of a grant that is obeyed once.
pub(crate) fn of_grant(body: &GrantBody) -> Use {
    Use { id: body.id, since: body.not_before, until: body.expires, occurrence: None }
}

/// The use of a publication for one of its occurrences, by its own terms: the server only names the moment.
pub(crate) fn of_publication(
    (body, schedule): (&GrantBody, &RunSchedule),
    publication: Digest,
    due: Timestamp,
    clock: Clock,
) -> Result<Use, GrantError> {
    let table = Timetable::of(&schedule.terms).map_err(|_| GrantError::NotAnOccurrence)?;
    if due < body.not_before || due >= body.expires || !table.runs_at(due) {
        return Err(GrantError::NotAnOccurrence);
    }
    let time = clock.time();
    if time < due.plus_secs(-limits::GRANT_SKEW_SECS) {
        return Err(GrantError::NotYetValid(due));
    }
    let lapses = table.lapses(due);
    if time >= lapses {
        return Err(GrantError::Expired(lapses));
    }
    if !table.window_is_open(time.max(due)) {
        return Err(GrantError::OutsideWindow);
    }
    let until = lapses.max(time.plus_secs(i64::from(schedule.terms.gap_secs)));
    let occurrence = Occurrence { publication: body.id, due };
    Ok(Use { id: occurrence_id(publication, due), since: due, until, occurrence: Some(occurrence) })
}

/// Occurrences go forward, and keep their distance.
pub(crate) fn check_rate(schedule: &RunSchedule, due: Timestamp, last: Option<LastRun>, clock: Clock) -> Result<(), GrantError> {
    let Some(last) = last else { return Ok(()) };
    if due <= last.due {
        return Err(GrantError::Used);
    }
    let earliest = last.began.plus_secs(i64::from(schedule.terms.gap_secs));
    if clock.time() < earliest { Err(GrantError::TooSoon(earliest)) } else { Ok(()) }
}
