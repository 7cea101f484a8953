//! Time zones: the only place that has their database. Everything else has the offsets that were frozen.

use jiff::tz::TimeZone;
use sallyport_grant::schedule::Offset;
use sallyport_model::{Timestamp, limits};

/// The offsets of an IANA zone from a moment until another; `None` where there is no such zone, or one with odd offsets.
pub(super) fn offsets(zone: &str, from: Timestamp, until: Timestamp) -> Option<Vec<Offset>> {
    let zone = TimeZone::get(zone).ok()?;
    let start = jiff::Timestamp::from_second(from.secs()).ok()?;
    // Whole minutes, as everything that a schedule knows.
    let from = Timestamp::from_secs(from.secs() / 60 * 60);
    let mut offsets = vec![Offset { from, secs: zone.to_offset(start).seconds() }];
    for change in zone.following(start) {
        let at = Timestamp::from_secs(change.timestamp().as_second());
        if at >= until || offsets.len() > limits::ZONE_OFFSETS {
            break;
        }
        offsets.push(Offset { from: at, secs: change.offset().seconds() });
    }
    // Names of the daylight can change while the clock does not.
    offsets.dedup_by_key(|offset| offset.secs);
    let whole = offsets.iter().all(|offset| offset.secs % 60 == 0 && offset.from.secs() % 60 == 0);
    whole.then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_zone_is_frozen_as_its_changes() {
        let found = offsets("Europe/Berlin", at("2026-09-21T14:13:30Z"), at("2027-09-21T00:00:00Z")).unwrap();
        let shown: Vec<_> = found.iter().map(|offset| (offset.from.to_string(), offset.secs)).collect();
        let expected = [("2026-09-21T14:13:00", 7200), ("2026-10-25T01:00:00", 3600), ("2027-03-28T01:00:00", 7200)];
        assert_eq!(shown, expected.map(|(from, secs)| (format!("{from}.000000Z"), secs)));
    }

    #[test]
    fn what_is_no_zone_is_none() {
        assert_eq!(offsets("Europe/Atlantis", at("2026-09-21T14:13:30Z"), at("2027-09-21T00:00:00Z")), None);
        assert!(offsets("UTC", at("2026-09-21T14:13:30Z"), at("2027-09-21T00:00:00Z")).is_some_and(|found| found.len() == 1));
    }
}
