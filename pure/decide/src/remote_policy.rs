//! What a tenant lays down for remote sessions: what is recorded, what the person at the machine is told or asked, and what
//! viewers may do. It is frozen into each grant, and the device enforces it.

use sallyport_grant::body::{Clipboard, Consent, Record, RemoteKind, Unanswered, VirtualDisplay};
use sallyport_model::limits;
use serde::{Deserialize, Serialize};

/// Whether sessions of a kind are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// Each one.
    Always,
    /// None.
    Never,
    /// As whoever opens it says; recorded where they say nothing.
    Optional,
}

/// What whoever opens a session says about recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// It shall be recorded.
    Record,
    /// It shall not.
    Spare,
}

/// The rules for one kind of remote session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindRules {
    /// Whether it is recorded.
    pub record: Recording,
    /// What the person at the machine is told or asked.
    pub consent: Consent,
    /// How long they have to answer, where they are asked.
    pub ask_secs: u32,
    /// What silence means, where they are asked.
    pub unanswered: Unanswered,
}

/// The rules of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePolicy {
    /// For terminals.
    pub terminal: KindRules,
    /// For background management.
    pub background: KindRules,
    /// For files.
    pub files: KindRules,
    /// For screens.
    pub viewer: KindRules,
    /// Whether copied text goes between viewers and machines.
    pub clipboard: Clipboard,
    /// Whether a display is made on machines that show none.
    pub virtual_display: VirtualDisplay,
}

/// Why rules or a wish are not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemotePolicyError {
    /// The time to answer is too short or too long.
    #[error("must be {} to {}", limits::CONSENT_LEAST_SECS, limits::CONSENT_SECS)]
    AskSecs,
    /// Sessions of this kind are always recorded.
    #[error("sessions of this kind are always recorded")]
    AlwaysRecorded,
    /// Sessions of this kind are never recorded.
    #[error("sessions of this kind are never recorded")]
    NeverRecorded,
}

/// What a policy comes to for one session: a part of its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// What the person at the machine is told or asked.
    pub consent: Consent,
    /// How long they have.
    pub ask_secs: u32,
    /// What silence means.
    pub unanswered: Unanswered,
    /// Whether it is recorded.
    pub record: Record,
    /// Whether copied text goes through.
    pub clipboard: Clipboard,
    /// Whether a display is made.
    pub virtual_display: VirtualDisplay,
}

/// A screen is shown to whoever sits before it; background work is to disturb nobody. What is typed and seen is kept.
impl Default for RemotePolicy {
    fn default() -> Self {
        let rules = |record, consent| KindRules { record, consent, ask_secs: limits::CONSENT_DEFAULT_SECS, unanswered: Unanswered::Refuse };
        Self {
            terminal: rules(Recording::Always, Consent::None),
            background: rules(Recording::Never, Consent::None),
            files: rules(Recording::Never, Consent::None),
            viewer: rules(Recording::Always, Consent::Banner),
            clipboard: Clipboard::Both,
            virtual_display: VirtualDisplay::Allowed,
        }
    }
}

impl RemotePolicy {
    /// The rules for a kind.
    pub fn of(&self, kind: RemoteKind) -> &KindRules {
        match kind {
            RemoteKind::Terminal => &self.terminal,
            RemoteKind::Background => &self.background,
            RemoteKind::Files => &self.files,
            RemoteKind::Viewer => &self.viewer,
        }
    }

    /// Whether a tenant can have it; the kind whose rules are not acceptable comes with the reason.
    ///
    /// # Errors
    /// A time to answer is out of its limits.
    pub fn check(&self) -> Result<(), (RemoteKind, RemotePolicyError)> {
        let fits = |kind: &RemoteKind| (limits::CONSENT_LEAST_SECS..=limits::CONSENT_SECS).contains(&self.of(*kind).ask_secs);
        match RemoteKind::ALL.into_iter().find(|kind| !fits(kind)) {
            Some(kind) => Err((kind, RemotePolicyError::AskSecs)),
            None => Ok(()),
        }
    }

    /// What holds for a session of this kind, whose opener has this wish.
    ///
    /// # Errors
    /// The wish is not the opener's to have.
    pub fn apply(&self, kind: RemoteKind, wish: Wish) -> Result<SessionRules, RemotePolicyError> {
        let rules = self.of(kind);
        let record = match (rules.record, wish) {
            (Recording::Always, Wish::Spare) => return Err(RemotePolicyError::AlwaysRecorded),
            (Recording::Never, Wish::Record) => return Err(RemotePolicyError::NeverRecorded),
            (Recording::Never, _) | (Recording::Optional, Wish::Spare) => Record::None,
            (Recording::Always | Recording::Optional, _) => Record::Session,
        };
        let (ask_secs, unanswered) = match rules.consent {
            Consent::Ask => (rules.ask_secs, rules.unanswered),
            Consent::None | Consent::Banner => (0, Unanswered::Refuse),
        };
        let (clipboard, virtual_display) = match kind {
            RemoteKind::Viewer => (self.clipboard, self.virtual_display),
            RemoteKind::Terminal | RemoteKind::Background | RemoteKind::Files => (Clipboard::Off, VirtualDisplay::Never),
        };
        Ok(SessionRules { consent: rules.consent, ask_secs, unanswered, record, clipboard, virtual_display })
    }
}

/// The rules for remote sessions change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRemotePolicy {
    /// The version that is replaced; 0 where there was none.
    pub version: u64,
    /// Until now.
    pub before: RemotePolicy,
    /// From now on.
    pub after: RemotePolicy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_what_is_typed_and_seen_is_kept_and_screens_are_announced() {
        let policy = RemotePolicy::default();
        let of = |kind| policy.apply(kind, Wish::None).unwrap();
        assert_eq!((of(RemoteKind::Terminal).record, of(RemoteKind::Viewer).record), (Record::Session, Record::Session));
        assert_eq!((of(RemoteKind::Files).record, of(RemoteKind::Viewer).consent), (Record::None, Consent::Banner));
        assert_eq!(of(RemoteKind::Viewer).clipboard, Clipboard::Both);
        assert_eq!(of(RemoteKind::Terminal).clipboard, Clipboard::Off, "a terminal has none");
        assert_eq!(policy.check(), Ok(()));
    }

    #[test]
    fn a_wish_counts_only_where_the_policy_leaves_it_open() {
        let with = |record| RemotePolicy { files: KindRules { record, ..RemotePolicy::default().files }, ..RemotePolicy::default() };
        let of = |record, wish| with(record).apply(RemoteKind::Files, wish).map(|rules| rules.record);
        assert_eq!(of(Recording::Always, Wish::None), Ok(Record::Session));
        assert_eq!(of(Recording::Always, Wish::Record), Ok(Record::Session));
        assert_eq!(of(Recording::Always, Wish::Spare), Err(RemotePolicyError::AlwaysRecorded));
        assert_eq!(of(Recording::Never, Wish::None), Ok(Record::None));
        assert_eq!(of(Recording::Never, Wish::Spare), Ok(Record::None));
        assert_eq!(of(Recording::Never, Wish::Record), Err(RemotePolicyError::NeverRecorded));
        assert_eq!(of(Recording::Optional, Wish::None), Ok(Record::Session));
        assert_eq!(of(Recording::Optional, Wish::Record), Ok(Record::Session));
        assert_eq!(of(Recording::Optional, Wish::Spare), Ok(Record::None));
    }

    #[test]
    fn silence_is_consent_only_where_somebody_is_asked() {
        let rules = |consent| KindRules { record: Recording::Never, consent, ask_secs: 20, unanswered: Unanswered::Allow };
        let of = |consent| {
            let policy = RemotePolicy { viewer: rules(consent), ..RemotePolicy::default() };
            policy.apply(RemoteKind::Viewer, Wish::None).map(|rules| (rules.ask_secs, rules.unanswered))
        };
        assert_eq!(of(Consent::Ask), Ok((20, Unanswered::Allow)));
        assert_eq!(of(Consent::Banner), Ok((0, Unanswered::Refuse)));
        assert_eq!(of(Consent::None), Ok((0, Unanswered::Refuse)));
    }

    #[test]
    fn the_time_to_answer_has_limits() {
        for (secs, fits) in [(9, false), (10, true), (120, true), (121, false)] {
            let files = KindRules { ask_secs: secs, ..RemotePolicy::default().files };
            let policy = RemotePolicy { files, ..RemotePolicy::default() };
            assert_eq!(policy.check().is_ok(), fits, "{secs}");
            assert!(fits || policy.check() == Err((RemoteKind::Files, RemotePolicyError::AskSecs)));
        }
    }
}
