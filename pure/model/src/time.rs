//! Times: microseconds since 1970 in UTC, written as RFC 3339 wherever people read them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

/// A length of time in whole seconds, for limits that people set.
pub type Seconds = u32;

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UTC time of the form 2026-11-21T22:24:49Z")]
pub struct TimeError;

/// A moment in microseconds since 1970-01-01T00:00:00Z; never before that, never after the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59Z, the last moment that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_000_000;

impl Timestamp {
    /// Clamps into the range that can be written.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(0, LAST))
    }

    /// From milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// From seconds since 1970.
    pub fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970, as stored.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0 / 1000
    }

    /// Whole seconds since 1970.
    pub fn secs(self) -> i64 {
        self.0 / 1_000_000
    }

    /// This moment and `secs` more.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Self {
        Self::from_micros(self.0.saturating_add(secs.saturating_mul(1_000_000)))
    }

    /// Microseconds from `earlier` to here; zero where `earlier` is the later one.
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = UNIX_EPOCH + Duration::from_micros(self.0.unsigned_abs());
        fmt::Display::fmt(&humantime::format_rfc3339_micros(moment), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let moment = humantime::parse_rfc3339(text).map_err(|_| TimeError)?;
        let since = moment.duration_since(UNIX_EPOCH).map_err(|_| TimeError)?;
        i64::try_from(since.as_micros()).map(Self::from_micros).map_err(|_| TimeError)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let moment = Timestamp::from_micros(1_763_764_000_123_456);
        assert_eq!(moment.to_string(), "2025-11-21T22:26:40.123456Z");
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }

    #[test]
    fn never_outside_of_what_can_be_written() {
        assert_eq!(Timestamp::from_micros(-5), Timestamp::from_micros(0));
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.000000Z");
        assert_eq!(Timestamp::from_micros(i64::MAX).plus_secs(i64::MAX).micros(), LAST);
    }
}
