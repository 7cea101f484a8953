//! How fast and how finely a client is told: as its link takes it. Times come in as arguments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sallyport_model::limits;

/// Worse quality comes in these many steps.
const STRAIN_MOST: u8 = 3;
/// An update that takes so much longer than the way there and back had to wait in line.
const QUEUED: Duration = Duration::from_millis(80);
/// So many updates in a row that did not wait make the quality better again.
const CALM: u8 = 8;
/// Updates under way at most, for links with a long way.
const WINDOW_MOST: usize = 4;

/// One client's flow of updates.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Updates that the client has not answered, with the time at which they were sent.
    under_way: VecDeque<Instant>,
    /// The shortest way there and back, forgotten slowly.
    round_trip: Option<Duration>,
    strain: u8,
    calm: u8,
    next: Option<Instant>,
}

impl Pace {
    /// How long the next update must wait, from now on; for an answer where there is none.
    pub(crate) fn wait(&self, now: Instant) -> Result<(), Option<Duration>> {
        if self.under_way.len() >= self.window() {
            return Err(None);
        }
        match self.next.map(|next| next.saturating_duration_since(now)) {
            Some(rest) if !rest.is_zero() => Err(Some(rest)),
            _ => Ok(()),
        }
    }

    /// One update was begun; making the last one took so long.
    pub(crate) fn begun(&mut self, now: Instant, made_in: Duration) {
        let least = Duration::from_secs(1) / limits::SCREEN_UPDATES_PER_SECOND * (1 + u32::from(self.strain));
        // At least as much pause as work, so that a large screen never takes a whole processor.
        self.next = Some(now + least.max(made_in * 2));
    }

    /// The update was given to the link, and the client will answer it.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.under_way.push_back(now);
    }

    /// The client answered the oldest update.
    pub(crate) fn answered(&mut self, now: Instant) {
        let Some(sent) = self.under_way.pop_front() else { return };
        let took = now.saturating_duration_since(sent);
        let shortest = self.round_trip.map_or(took, |known| took.min(known + known / 64));
        self.round_trip = Some(shortest);
        if took > shortest + QUEUED.max(shortest) {
            (self.strain, self.calm) = ((self.strain + 1).min(STRAIN_MOST), 0);
        } else {
            self.calm += 1;
            if self.calm >= CALM {
                (self.strain, self.calm) = (self.strain.saturating_sub(1), 0);
            }
        }
    }

    /// No answers come any more: another way of asking begins.
    pub(crate) fn forget(&mut self) {
        self.under_way.clear();
    }

    /// The quality to use where the client asked for this one.
    pub(crate) fn quality(&self, asked: u8) -> u8 {
        asked.saturating_sub(2 * self.strain)
    }

    /// One update at a time, and a few where the way is long and waiting for each would waste it.
    fn window(&self) -> usize {
        let millis = self.round_trip.map_or(0, |round_trip| round_trip.as_millis() as usize);
        if self.strain > 0 { 1 } else { (1 + millis / 40).min(WINDOW_MOST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Sends as fast as it may over a link with this way and this time for each update; returns the pace and how many went.
    fn drive(way: Duration, each: Duration, updates: usize) -> (Pace, Duration) {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let (mut now, mut free_at) = (start, start);
        let mut answers: VecDeque<Instant> = VecDeque::new();
        let mut sent = 0;
        while sent < updates {
            while answers.front().is_some_and(|at| *at <= now) {
                answers.pop_front();
                pace.answered(now);
            }
            match pace.wait(now) {
                Ok(()) => {
                    pace.begun(now, MILLI);
                    pace.sent(now);
                    free_at = free_at.max(now) + each;
                    answers.push_back(free_at + way);
                    sent += 1;
                }
                Err(Some(rest)) => now += rest,
                Err(None) => now = answers[0],
            }
        }
        (pace, now - start)
    }

    #[test]
    fn a_fast_link_gets_sixty_a_second_in_full_quality() {
        let (pace, took) = drive(MILLI, MILLI, 120);
        assert!((1900..=2100).contains(&took.as_millis()), "{took:?}");
        assert_eq!(pace.quality(6), 6);
    }

    #[test]
    fn a_long_way_does_not_make_updates_wait_for_each_other() {
        let (_, took) = drive(MILLI * 100, MILLI, 60);
        assert!(took < MILLI * 60 * 60, "one by one it would take six seconds: {took:?}");
    }

    #[test]
    fn a_link_that_gets_slow_gets_less() {
        let (mut pace, _) = drive(MILLI, MILLI, 20);
        let mut now = Instant::now();
        for _ in 0..3 {
            pace.sent(now);
            now += MILLI * 400;
            pace.answered(now);
        }
        assert_eq!(pace.quality(6), 0);
        pace.sent(now);
        assert_eq!(pace.wait(now + MILLI * 1000), Err(None), "one at a time");
        for _ in 0..3 * CALM + 1 {
            pace.answered(now + MILLI);
            pace.sent(now);
        }
        assert_eq!(pace.quality(6), 6);
    }
}
