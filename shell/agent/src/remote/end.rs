//! How a session ended, for the client and for the receipt.

use sallyport_grant::body::Outcome;
use sallyport_wire::stream::ByeReason;

use super::Why;
use super::kind::Ended;
use crate::report::RunEnd;

/// How a session ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Finished { exit_code: Option<i32>, signal: Option<i32> },
    Failed(&'static str),
    Why(Why),
}

impl End {
    pub(super) fn of(ended: Ended) -> Self {
        match ended {
            Ended::Finished { exit_code, signal } => Self::Finished { exit_code, signal },
            Ended::Failed(code) => Self::Failed(code),
            Ended::Told => Self::Why(Why::Told),
        }
    }

    pub(super) fn bye(self) -> ByeReason {
        match self {
            Self::Finished { .. } => ByeReason::Ended,
            Self::Failed(_) => ByeReason::Limit,
            Self::Why(why) => why.bye(),
        }
    }

    pub(super) fn run_end(self) -> RunEnd {
        match self {
            Self::Finished { signal: Some(signal), .. } => {
                RunEnd { outcome: Outcome::Finished, exit_code: None, signal: Some(signal), reason: None }
            }
            Self::Finished { exit_code, .. } => RunEnd::exited(exit_code.unwrap_or_default()),
            Self::Failed("recording_full") => RunEnd::without_code(Outcome::OutputLimit, Some("recording_full")),
            Self::Failed(code) => RunEnd::without_code(Outcome::Interrupted, Some(code)),
            Self::Why(why) => why.run_end(),
        }
    }
}
