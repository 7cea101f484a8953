//! The recording of a session without pictures: a line of JSON for everything that was asked, and one for how it ended.
//!
//! ```json
//! {"at":"2026-11-22T02:07:11.000000Z","by":"ada@example.com","asked":{"t":"remove","id":7,"path":"/srv/old","recursive":"yes"}}
//! {"at":"2026-11-22T02:07:11.200000Z","by":"ada@example.com","id":7,"outcome":"ok"}
//! ```
//!
//! What was asked is written down before it is done. The bytes of files are not: their digest is in the outcome.

use std::time::Instant;

use sallyport_model::{Digest, Timestamp};
use serde::Serialize;

use super::kind::Opening;
use super::recording::{Recorder, RecordingError};

/// Writes lines where the session is to be recorded, and nothing otherwise.
#[derive(Clone)]
pub(crate) struct Ledger {
    recorder: Option<Recorder>,
    opened: Timestamp,
    since: Instant,
}

#[derive(Serialize)]
struct Line<'a, M> {
    at: Timestamp,
    by: &'a str,
    #[serde(flatten)]
    what: What<'a, M>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a, M> {
    Asked {
        asked: &'a M,
    },
    Ended {
        id: u32,
        outcome: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
    },
}

impl Ledger {
    pub(crate) fn of(opening: &Opening) -> Self {
        Self { recorder: opening.recorder.clone(), opened: opening.at, since: Instant::now() }
    }

    /// Somebody asks for something. Where this fails it must not be done.
    pub(crate) fn asked(&self, by: &str, request: &impl Serialize) -> Result<(), RecordingError> {
        self.write(by, What::Asked { asked: request })
    }

    /// It ended: `ok` or the code of what went wrong.
    pub(crate) fn ended(&self, by: &str, id: u32, outcome: &str, sha256: Option<Digest>) {
        // The next thing that is asked fails the same way, and ends the session.
        let what: What<'_, ()> = What::Ended { id, outcome, sha256 };
        if let Err(error) = self.write(by, what) {
            tracing::error!(%error, "an outcome is not in the recording");
        }
    }

    fn write<M: Serialize>(&self, by: &str, what: What<'_, M>) -> Result<(), RecordingError> {
        let Some(recorder) = &self.recorder else { return Ok(()) };
        let elapsed = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        let at = Timestamp::from_micros(self.opened.micros().saturating_add(elapsed));
        let mut line = serde_json::to_vec(&Line { at, by, what }).map_err(std::io::Error::from)?;
        line.push(b'\n');
        recorder.append(&line)
    }
}
