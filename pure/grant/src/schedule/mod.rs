//! When a published schedule runs: one calculation for the server, which plans, and for the device, which does not believe it.
//!
//! The time zone is frozen as its offsets, so that both come to the same result whatever databases they have. The rules for a
//! clock that changes, the same as Vixie cron's:
//!
//! - times of the day in the hour that is left out (spring) run once, in the first minute after it;
//! - times of the day in the hour that comes twice (autumn) run once, the first time;
//! - a rhythm, whose hours begin with `*`, follows the minutes that really pass, in both hours.

mod cron;
mod terms;

use sallyport_model::{Digest, GrantId, Timestamp};

pub use cron::{Cron, CronError, Wall};
pub use terms::{DayWindow, Offset, ScheduleTerms};

use crate::hash::sha256;

const MINUTE: i64 = 60;

/// The terms of a schedule with their expression parsed.
#[derive(Debug, Clone)]
pub struct Timetable<'a> {
    cron: Cron,
    terms: &'a ScheduleTerms,
}

impl<'a> Timetable<'a> {
    /// Reads the terms.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn of(terms: &'a ScheduleTerms) -> Result<Self, CronError> {
        Ok(Self { cron: Cron::parse(&terms.cron)?, terms })
    }

    /// Whether it runs at this moment; the same work for every expression.
    pub fn runs_at(&self, at: Timestamp) -> bool {
        if at.micros() % (MINUTE * 1_000_000) != 0 {
            return false;
        }
        let wall = Wall::of_minutes(self.wall_minutes(at));
        if self.cron.is_rhythm() {
            return self.cron.names(wall);
        }
        (self.cron.names(wall) && !self.comes_again(at)) || self.left_out_before(at)
    }

    /// The first moment after `after` and before `until` at which it runs.
    pub fn next(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut at = Timestamp::from_secs((after.secs().div_euclid(MINUTE) + 1) * MINUTE);
        while at < until {
            if self.runs_at(at) {
                return Some(at);
            }
            at = self.step(at);
        }
        None
    }

    /// The last moment after `after`, and not after `upto`, at which it runs; and how many there are.
    pub fn last(&self, after: Timestamp, upto: Timestamp) -> Option<(Timestamp, u64)> {
        let mut found = None;
        let mut from = after;
        while let Some(at) = self.next(from, upto.plus_secs(1)) {
            found = Some((at, found.map_or(1, |(_, count)| count + 1)));
            from = at;
        }
        found
    }

    /// Whether the maintenance window is open.
    pub fn window_is_open(&self, at: Timestamp) -> bool {
        self.terms.window.as_ref().is_none_or(|window| window.holds(Wall::of_minutes(self.wall_minutes(at))))
    }

    /// From when on an occurrence is no longer begun.
    pub fn lapses(&self, occurrence: Timestamp) -> Timestamp {
        occurrence.plus_secs(i64::from(self.terms.jitter_secs) + i64::from(self.terms.late_secs))
    }

    fn wall_minutes(&self, at: Timestamp) -> i64 {
        (at.secs() + self.terms.offset_at(at)).div_euclid(MINUTE)
    }

    /// Whether the clock showed this minute before, since it was set back.
    fn comes_again(&self, at: Timestamp) -> bool {
        let changes = self.terms.offsets.windows(2).rev().find(|pair| pair[1].from <= at);
        changes.is_some_and(|pair| {
            let back = i64::from(pair[0].secs) - i64::from(pair[1].secs);
            back > 0 && at < pair[1].from.plus_secs(back)
        })
    }

    /// Whether the clock was set forward at this moment, over a minute that is named.
    fn left_out_before(&self, at: Timestamp) -> bool {
        let Some(pair) = self.terms.offsets.windows(2).find(|pair| pair[1].from == at) else { return false };
        let wall = |offset: i32| (at.secs() + i64::from(offset)).div_euclid(MINUTE);
        (wall(pair[0].secs)..wall(pair[1].secs)).any(|minute| self.cron.names(Wall::of_minutes(minute)))
    }

    /// The next moment that is worth a look: not before the next hour or day where this one is not named at all.
    fn step(&self, at: Timestamp) -> Timestamp {
        let wall = Wall::of_minutes(self.wall_minutes(at));
        let minutes = match () {
            () if !self.cron.names_day(wall) => 1440 - wall.minute_of_day(),
            () if !self.cron.names_hour(wall) => 60 - wall.minute,
            () => 1,
        };
        let next = at.plus_secs(i64::from(minutes) * MINUTE);
        let change = self.terms.offsets.iter().map(|offset| offset.from).find(|from| *from > at);
        change.map_or(next, |change| change.min(next))
    }
}

/// The id under which a device runs one occurrence of a publication: nobody chooses it, so it cannot be run under another.
pub fn occurrence_id(publication: Digest, at: Timestamp) -> GrantId {
    let digest = sha256(&[b"sallyport.occurrence/1\n", publication.as_bytes(), &at.micros().to_be_bytes()]);
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_bytes()[..16]);
    GrantId::from_bytes(id)
}

/// How long after an occurrence a device is meant to begin, at most `jitter_secs`: always the same for this device and occurrence.
pub fn jitter(occurrence: GrantId, device: Digest, jitter_secs: u32) -> u32 {
    let digest = sha256(&[b"sallyport.jitter/1\n", occurrence.as_bytes(), device.as_bytes()]);
    let mut first = [0; 4];
    first.copy_from_slice(&digest.as_bytes()[..4]);
    u32::from_be_bytes(first) % (jitter_secs + 1)
}

#[cfg(test)]
mod tests;
