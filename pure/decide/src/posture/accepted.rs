//! Accepting what a rule found: a person says why, and until when. It stays what it is, and is shown as accepted.
//!
//! An acceptance is for exactly what was found. When somebody else is concerned, or when it becomes worse, it is another finding, and
//! nobody has accepted that.

use sallyport_model::{Digest, Timestamp, limits};
use sha2::{Digest as _, Sha256};

use super::{Finding, Severity};

const LABEL: &[u8] = b"sallyport.posture-finding/1\n";

/// Names a finding: its rule, how much it matters, what it is but for its numbers, and whom it is about. Days and counts change without
/// anything being different.
pub fn fingerprint(rule: &str, finding: &Finding) -> Digest {
    let severity: &[u8] = match finding.severity {
        Severity::Warning => b"warning\n",
        Severity::Critical => b"critical\n",
    };
    let mut hash = Sha256::new().chain_update(LABEL).chain_update(rule).chain_update(b"\n").chain_update(severity);
    let title: String = finding.title.chars().filter(|c| !c.is_ascii_digit()).collect();
    for part in std::iter::once(title.as_str()).chain(finding.subjects.iter().map(|subject| subject.path.as_str())) {
        // The length keeps two parts from reading as one.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Digest::from_bytes(hash.finalize().into())
}

/// Why an end is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// It is over already.
    #[error("must be in the future")]
    Past,
    /// Nothing is accepted for ever, and what is to be fixed now for a few weeks.
    #[error("must be within {0} days")]
    TooLate(i64),
}

/// Checks until when a finding is to be accepted.
///
/// # Errors
/// Says why the end is not taken.
pub fn check_end(severity: Severity, until: Timestamp, now: Timestamp) -> Result<(), EndError> {
    let most = match severity {
        Severity::Warning => limits::ACCEPTED_SECS,
        Severity::Critical => limits::ACCEPTED_CRITICAL_SECS,
    };
    match until.micros_since(now) {
        ..=0 => Err(EndError::Past),
        left if left > most * 1_000_000 => Err(EndError::TooLate(most / 86_400)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Link;
    use super::*;

    fn finding(title: &str, paths: &[&str]) -> Finding {
        let subjects = paths.iter().map(|path| Link::new("x", *path)).collect();
        Finding { severity: Severity::Warning, title: title.into(), why: String::new(), subjects, fix: None }
    }

    #[test]
    fn an_acceptance_is_for_exactly_what_was_found() {
        let accepted = fingerprint("P-07", &finding("Anna was not used for 91 days", &["/users/1"]));
        let same = |other: &Finding| fingerprint("P-07", other) == accepted;
        assert!(same(&finding("Anna was not used for 120 days", &["/users/1"])), "days go by");
        assert!(!same(&finding("Anna was not used for 91 days", &["/users/2"])), "somebody else");
        assert!(!same(&finding("Anna was not used for 91 days", &["/users/1", "/users/2"])), "one more");
        assert!(!same(&finding("Benno was not used for 91 days", &["/users/1"])));
        let worse = Finding { severity: Severity::Critical, ..finding("Anna was not used for 91 days", &["/users/1"]) };
        assert!(!same(&worse), "worse");
        assert_ne!(fingerprint("P-08", &finding("Anna was not used for 91 days", &["/users/1"])), accepted, "another rule");
        assert_ne!(
            fingerprint("P-07", &finding("a", &["bc"])),
            fingerprint("P-07", &finding("ab", &["c"])),
            "what belongs where is part of it"
        );
    }

    #[test]
    fn nothing_is_accepted_for_ever_and_what_is_to_be_fixed_now_for_weeks() {
        let now = Timestamp::from_secs(1_790_000_000);
        let check = |severity, secs| check_end(severity, now.plus_secs(secs), now);
        for severity in [Severity::Warning, Severity::Critical] {
            assert_eq!(check(severity, 0), Err(EndError::Past));
            assert_eq!(check(severity, -1), Err(EndError::Past));
            assert_eq!(check(severity, 1), Ok(()));
        }
        for (severity, most) in [(Severity::Warning, limits::ACCEPTED_SECS), (Severity::Critical, limits::ACCEPTED_CRITICAL_SECS)] {
            assert_eq!(check(severity, most), Ok(()));
            assert_eq!(check(severity, most + 1), Err(EndError::TooLate(most / 86_400)));
        }
    }
}
