//! Remote sessions: what people attach to while it lives on this device.
//!
//! A session lives in the [`Host`] and is worked by a [`kind::Kind`]; each person has an attachment, by a grant of their
//! own, and a stream that only they and this device can read. A session outlives lost links for some minutes, and nothing
//! of one is there before it opens or after it ended.

mod attachment;
pub mod background;
mod consent;
mod end;
pub mod files;
mod host;
pub mod kind;
pub mod kinds;
mod ledger;
pub mod notice;
mod open;
pub mod recording;
pub mod screen;
mod socket;
pub mod terminal;
mod trouble;

use std::time::Duration;

use sallyport_grant::body::Outcome;
use sallyport_model::limits;
use sallyport_wire::stream::ByeReason;

pub use host::{Host, Shown, Start};
pub use kinds::{Kinds, MachineKinds, NoKinds};

use crate::report::RunEnd;

/// The lengths of time of remote sessions; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct RemoteTiming {
    /// Nobody is attached for so long: the session ends.
    pub unattended: Duration,
    /// How long the person at the machine has to answer.
    pub consent: Duration,
    /// How long an attachment may take to send what is left when it ends.
    pub farewell: Duration,
    /// The same where nothing was shown yet: a client that is still on its way shall hear why.
    pub refusal: Duration,
    /// How long a kind may take to tidy up.
    pub tidy: Duration,
    /// A stream on which nothing is heard is asked for a sign of life, and given up after twice this time.
    pub silence: Duration,
}

impl Default for RemoteTiming {
    fn default() -> Self {
        Self {
            unattended: Duration::from_secs(u64::from(limits::REMOTE_UNATTENDED_SECS)),
            consent: Duration::from_secs(u64::from(limits::CONSENT_SECS)),
            farewell: Duration::from_millis(700),
            refusal: Duration::from_secs(10),
            tidy: Duration::from_millis(500),
            silence: Duration::from_secs(20),
        }
    }
}

impl RemoteTiming {
    /// How long what is left may take when the end has this reason.
    fn goodbye(&self, reason: ByeReason) -> Duration {
        if reason == ByeReason::ConsentRefused { self.refusal } else { self.farewell }
    }
}

/// Why a device cannot open a session that it may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    #[error("this device has no remote sessions of that kind")]
    KindMissing,
    #[error("there is no such account")]
    AccountUnknown,
    #[error("the agent may not act as that account")]
    AccountNotPermitted,
    #[error("the remote session is open already")]
    OpenAlready,
    #[error("the remote session to join is not open")]
    NotOpen,
    #[error("the grant says otherwise about recording than the remote session that it joins")]
    RecordDiffers,
    #[error("too many remote sessions are open, or too many people are attached to this one")]
    TooMany,
    #[error("it could not be started")]
    StartFailed,
}

impl CannotOpen {
    /// A stable code for the receipt.
    pub fn code(self) -> &'static str {
        match self {
            Self::KindMissing => "kind_missing",
            Self::AccountUnknown => "account_unknown",
            Self::AccountNotPermitted => "account_not_permitted",
            Self::OpenAlready => "session_open",
            Self::NotOpen => "session_not_open",
            Self::RecordDiffers => "record_differs",
            Self::TooMany => "too_many_sessions",
            Self::StartFailed => "start_failed",
        }
    }
}

/// Why a session ends that its own work does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The server said so.
    Told,
    /// The device is no longer managed.
    Revoked,
    /// Nobody did anything for as long as the grant allows.
    Idle,
    /// It is as old as the grant allows.
    Limit,
    /// Nobody was attached any more.
    Unattended,
    /// The person at the machine refused, or was not there.
    ConsentRefused,
    /// The agent stops.
    Machine,
}

impl Why {
    fn bye(self) -> ByeReason {
        match self {
            Self::Told | Self::Unattended => ByeReason::Ended,
            Self::Revoked => ByeReason::Revoked,
            Self::Idle => ByeReason::Idle,
            Self::Limit => ByeReason::Limit,
            Self::ConsentRefused => ByeReason::ConsentRefused,
            Self::Machine => ByeReason::Machine,
        }
    }

    fn run_end(self) -> RunEnd {
        let (outcome, reason) = match self {
            Self::Told => (Outcome::Cancelled, None),
            Self::Revoked => (Outcome::Cancelled, Some("revoked")),
            Self::Idle => (Outcome::TimedOut, Some("idle")),
            Self::Limit => (Outcome::TimedOut, None),
            Self::Unattended => (Outcome::TimedOut, Some("unattended")),
            Self::ConsentRefused => (Outcome::Refused, Some("consent_refused")),
            Self::Machine => (Outcome::Interrupted, Some("agent_stopped")),
        };
        RunEnd::without_code(outcome, reason)
    }
}

#[cfg(test)]
mod tests;
