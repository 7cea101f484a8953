//! The terms of a schedule, as they are published and signed.

use sallyport_model::{Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::{Cron, Wall};
use crate::body::{BodyError, fields};

/// When a schedule runs, and what holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTerms {
    /// Five fields; see [`Cron::parse`].
    pub cron: String,
    /// IANA name of the time zone, for people: what counts are the offsets.
    pub zone: String,
    /// The zone's offsets from UTC over the life of the publication, in order.
    pub offsets: Vec<Offset>,
    /// Nothing begins outside of it.
    #[serde(deserialize_with = "fields::required")]
    pub window: Option<DayWindow>,
    /// A device that was off begins an occurrence at most so much later.
    pub late_secs: u32,
    /// An occurrence is spread over so much time.
    pub jitter_secs: u32,
    /// So much time lies between the beginnings of two runs on one device.
    pub gap_secs: u32,
    /// So many devices run an occurrence at once; 0 is all of them. The server keeps it: no device knows of the others.
    pub at_once: u32,
}

/// An offset that holds from some moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offset {
    /// From when on; before the first one, that one holds.
    pub from: Timestamp,
    /// Seconds to add to UTC; whole minutes.
    pub secs: i32,
}

/// A time of the day, on some days of the week, in the schedule's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayWindow {
    /// First minute of the day.
    pub from_minute: u32,
    /// The minute that it ends before; at or before the first one, it ends on the next day.
    pub to_minute: u32,
    /// Days on which it begins, as bits from Sunday.
    pub days: u8,
}

impl DayWindow {
    /// Whether a minute lies within it.
    pub fn holds(&self, wall: Wall) -> bool {
        let (minute, on) = (wall.minute_of_day(), |weekday: u32| self.days >> weekday & 1 == 1);
        if self.from_minute < self.to_minute {
            return on(wall.weekday) && (self.from_minute..self.to_minute).contains(&minute);
        }
        (on(wall.weekday) && minute >= self.from_minute) || (on((wall.weekday + 6) % 7) && minute < self.to_minute)
    }

    fn check(&self) -> Result<(), BodyError> {
        let fits = self.from_minute < 1440 && self.to_minute <= 1440 && (1..128).contains(&self.days);
        if fits { Ok(()) } else { Err(BodyError::OutOfRange) }
    }
}

impl ScheduleTerms {
    /// Seconds to add to UTC at a moment.
    pub fn offset_at(&self, at: Timestamp) -> i64 {
        let held = self.offsets.iter().rev().find(|offset| offset.from <= at).or(self.offsets.first());
        held.map_or(0, |offset| i64::from(offset.secs))
    }

    pub(crate) fn check(&self) -> Result<(), BodyError> {
        Cron::parse(&self.cron).map_err(|_| BodyError::Contradiction)?;
        if self.zone.is_empty() || self.zone.len() > limits::ZONE_BYTES || !self.zone.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BodyError::TooLong);
        }
        self.check_offsets()?;
        self.window.as_ref().map_or(Ok(()), DayWindow::check)?;
        let (least, most) = limits::SCHEDULE_LATE_SECS;
        let fits = (least..=most).contains(&self.late_secs)
            && self.jitter_secs <= limits::SCHEDULE_JITTER_SECS
            && self.gap_secs <= limits::SCHEDULE_GAP_SECS;
        if fits { Ok(()) } else { Err(BodyError::OutOfRange) }
    }

    fn check_offsets(&self) -> Result<(), BodyError> {
        if self.offsets.is_empty() {
            return Err(BodyError::Empty);
        }
        if self.offsets.len() > limits::ZONE_OFFSETS {
            return Err(BodyError::TooMany);
        }
        let whole = |offset: &Offset| offset.secs % 60 == 0 && offset.secs.abs() < 86_400 && offset.from.micros() % 60_000_000 == 0;
        if !self.offsets.iter().all(whole) {
            return Err(BodyError::OutOfRange);
        }
        let rising = self.offsets.windows(2).all(|pair| pair[0].from < pair[1].from);
        if rising { Ok(()) } else { Err(BodyError::TimeOrder) }
    }
}
