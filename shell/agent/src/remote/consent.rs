//! What the person at the machine is told or asked before anybody sees anything.

use std::time::Duration;

use sallyport_grant::body::{Consent, OpenRemoteSession, RemoteKind, Unanswered};

use super::notice::{Answer, Notice};

/// What one grant wants told or asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    consent: Consent,
    patience: Duration,
    unanswered: Unanswered,
    kind: RemoteKind,
}

impl Asked {
    /// Waits no longer than the agent does for anybody.
    pub(super) fn of(grant: &OpenRemoteSession, longest: Duration) -> Self {
        let patience = longest.min(Duration::from_secs(u64::from(grant.ask_secs)));
        Self { consent: grant.consent, patience, unanswered: grant.unanswered, kind: grant.kind }
    }

    /// The same for somebody who is asked for elsewhere.
    pub(super) fn nothing(self) -> Self {
        Self { consent: Consent::None, ..self }
    }

    /// Tells or asks; silence means what the grant says.
    pub(super) async fn answer(self, notice: &dyn Notice, name: &str) -> Answer {
        let kind = self.kind.as_str();
        match self.consent {
            Consent::None => Answer::Allowed,
            Consent::Banner => {
                notice.tell(format!("{name} is connected to this computer ({kind})"));
                Answer::Allowed
            }
            Consent::Ask => {
                let asking = notice.ask(format!("{name} asks to connect to this computer ({kind}). Allow it?"));
                let answer = tokio::time::timeout(self.patience, asking).await.unwrap_or(Answer::Nobody);
                if answer == Answer::Nobody { self.silence(notice, name) } else { answer }
            }
        }
    }

    /// Whoever comes back to the machine finds out that somebody is connected.
    fn silence(self, notice: &dyn Notice, name: &str) -> Answer {
        match self.unanswered {
            Unanswered::Refuse => Answer::Refused,
            Unanswered::Allow => {
                notice.tell(format!("{name} is connected to this computer ({}): nobody answered", self.kind.as_str()));
                Answer::Allowed
            }
        }
    }
}
