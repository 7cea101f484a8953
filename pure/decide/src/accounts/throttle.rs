//! Counting wrong passwords and wrong codes.
//!
//! Two counters, because two kinds of people can raise them (NIST SP 800-63B-4, section 3.2.2). Anybody who knows an address can fail
//! passwords, so that counter only makes attempts wait and never locks; each source that the account has signed in from counts for itself,
//! apart from all strangers. Only who has the password can fail codes, so a factor locks.
//! Every attempt is charged, durably, before anything is compared; what was right gives the charge back.

use sallyport_model::{Timestamp, limits};

/// The shortest wait after too many wrong passwords.
pub const WAIT_MIN_SECS: i64 = 30;
/// The longest.
pub const WAIT_MAX_SECS: i64 = 60 * 60;
/// Failures of one account are told to the audit log once in this time.
pub const SUMMARY_SECS: i64 = 15 * 60;

/// Wrong passwords in a row, for one account and one kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PasswordCounter {
    /// Charged attempts since the last success of the whole sign-in.
    pub failures: u32,
    /// When the last one was charged.
    pub last: Timestamp,
}

/// The account must wait; the answer to the attempt is the same as to a wrong password, and it is neither judged nor charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MustWait;

impl PasswordCounter {
    /// Charges an attempt before it is judged.
    ///
    /// # Errors
    /// [`MustWait`] while the wait after the last failure lasts.
    pub fn charge(self, now: Timestamp) -> Result<Self, MustWait> {
        if self.failures > 0 && now < self.last.plus_secs(self.wait_secs()) && now >= self.last {
            return Err(MustWait);
        }
        Ok(Self { failures: self.failures.saturating_add(1), last: now })
    }

    /// Takes one charge back: the password was right. Only a whole sign-in sets the counter to zero.
    #[must_use]
    pub fn refund(self) -> Self {
        Self { failures: self.failures.saturating_sub(1), ..self }
    }

    /// How long to wait after the last failure: nothing, then 30 s, doubled by each further failure, up to an hour.
    pub fn wait_secs(self) -> i64 {
        match self.failures.checked_sub(limits::PASSWORD_FAILURES) {
            None => 0,
            Some(further) => WAIT_MIN_SECS.checked_shl(further.min(16)).unwrap_or(WAIT_MAX_SECS).min(WAIT_MAX_SECS),
        }
    }
}

/// Wrong codes of one factor in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactorCounter {
    /// Charged attempts since the factor's last success. It counts on while the factor is locked.
    pub failures: u32,
}

/// What may follow on a charged attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// The code may be judged.
    Open,
    /// The code may be judged; if it is wrong, the factor is locked.
    Last,
    /// The factor is locked: nothing is judged.
    Locked,
}

impl FactorCounter {
    /// Charges an attempt before it is judged.
    pub fn charge(self) -> (Self, Charged) {
        let charged = Self { failures: self.failures.saturating_add(1) };
        let outcome = match charged.failures {
            n if n < limits::FACTOR_FAILURES => Charged::Open,
            limits::FACTOR_FAILURES => Charged::Last,
            _ => Charged::Locked,
        };
        (charged, outcome)
    }

    /// Whether the factor is locked. Only an administrator or another factor helps then.
    pub fn is_locked(self) -> bool {
        self.failures >= limits::FACTOR_FAILURES
    }
}

/// Failures of one account that the audit log was not yet told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unreported {
    /// How many.
    pub count: u32,
    /// When the log was last told.
    pub last_report: Option<Timestamp>,
}

impl Unreported {
    /// Adds a failure. The number to report comes with it when it is time; the log grows by one entry in [`SUMMARY_SECS`] at most,
    /// however many strangers try.
    pub fn and_one(self, now: Timestamp) -> (Self, Option<u32>) {
        let count = self.count.saturating_add(1);
        let due = self.last_report.is_none_or(|last| now >= last.plus_secs(SUMMARY_SECS));
        if due { (Self { count: 0, last_report: Some(now) }, Some(count)) } else { (Self { count, ..self }, None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn failed(times: u32) -> PasswordCounter {
        PasswordCounter { failures: times, last: at(0) }
    }

    #[test]
    fn pwd_10_waits_grow_from_thirty_seconds_to_an_hour() {
        let waits: Vec<i64> = [0, 1, 9, 10, 11, 12, 16, 17, 100, u32::MAX].map(|n| failed(n).wait_secs()).to_vec();
        assert_eq!(waits, [0, 0, 0, 30, 60, 120, 1920, 3600, 3600, 3600]);
    }

    #[test]
    fn pwd_10_an_account_is_never_locked_for_good() {
        for failures in [10, 100, u32::MAX] {
            assert_eq!(failed(failures).charge(at(29)), Err(MustWait));
            assert!(failed(failures).charge(at(WAIT_MAX_SECS)).is_ok(), "{failures}");
        }
    }

    #[test]
    fn pwd_10_a_clock_that_went_back_locks_nobody_out() {
        assert!(PasswordCounter { failures: 50, last: at(0) }.charge(at(-86_400)).is_ok());
    }

    #[test]
    fn pwd_10_fewer_than_a_hundred_guesses_in_the_first_days() {
        let (mut counter, mut now, mut guesses) = (PasswordCounter::default(), at(0), 0);
        while now < at(3 * 86_400) {
            counter = counter.charge(now).expect("waited long enough");
            guesses += 1;
            now = now.plus_secs(counter.wait_secs().max(1));
        }
        assert!(guesses < 100, "{guesses}");
    }

    #[test]
    fn pwd_13_a_right_password_gives_its_own_charge_back_and_no_other() {
        let charged = failed(7).charge(at(1)).expect("no wait yet");
        assert_eq!(charged.failures, 8);
        assert_eq!(charged.refund().failures, 7);
    }

    #[test]
    fn totp_14_a_burst_of_fifty_costs_fifty_and_ten_are_judged() {
        let (mut counter, mut outcomes) = (FactorCounter::default(), Vec::new());
        for _ in 0..50 {
            let (next, outcome) = counter.charge();
            counter = next;
            outcomes.push(outcome);
        }
        assert_eq!(counter.failures, 50);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome != Charged::Locked).count(), 10);
        assert_eq!(outcomes[9], Charged::Last);
        assert!(counter.is_locked());
        assert!(FactorCounter { failures: 10 }.is_locked() && !FactorCounter { failures: 9 }.is_locked());
    }

    #[test]
    fn strangers_fill_no_log() {
        let (mut unreported, mut reports) = (Unreported::default(), Vec::new());
        for second in 0..3600 {
            let (next, report) = unreported.and_one(at(second));
            unreported = next;
            reports.extend(report);
        }
        assert_eq!(reports, [1, 900, 900, 900]);
    }
}
