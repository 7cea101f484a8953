//! A terminal's recording as an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2).
//!
//! Output is recorded as it was read, before anybody sees it. What nobody could read is left out and the place marked:
//! beyond [`BURST_BYTES`] at once, [`STEADY_BYTES_PER_SEC`] are kept, so that a flood does not fill the recording.

use std::time::Duration;

use sallyport_model::Timestamp;
use sallyport_os::Size;
use serde_json::json;
use tokio::time::Instant;

use super::super::recording::{Recorder, RecordingError};

const BURST_BYTES: u64 = 4 * 1024 * 1024;
const STEADY_BYTES_PER_SEC: u64 = 32 * 1024;
/// After a gap so much must be free before output is kept again, so that not every line is torn.
const RESUME_BYTES: u64 = 16 * 1024;

pub(super) struct Cast {
    recorder: Recorder,
    at: Timestamp,
    begun: Instant,
    text: Utf8,
    allowance: Allowance,
    left_out: u64,
}

impl Cast {
    pub(super) fn new(recorder: Recorder, at: Timestamp) -> Self {
        let begun = Instant::now();
        Self { recorder, at, begun, text: Utf8::default(), allowance: Allowance { free: BURST_BYTES, since: begun }, left_out: 0 }
    }

    pub(super) fn begin(&mut self, size: Size) -> Result<(), RecordingError> {
        let header = json!({
            "version": 2,
            "width": size.columns,
            "height": size.rows,
            "timestamp": self.at.secs(),
            "env": { "TERM": super::shell::TERM },
        });
        self.recorder.append(format!("{header}\n").as_bytes())
    }

    pub(super) fn output(&mut self, bytes: &[u8]) -> Result<(), RecordingError> {
        if !self.allowance.take(bytes.len() as u64, self.left_out > 0) {
            self.left_out += bytes.len() as u64;
            return Ok(());
        }
        self.close_gap()?;
        let text = self.text.pass(bytes);
        if text.is_empty() { Ok(()) } else { self.event("o", &text) }
    }

    fn close_gap(&mut self) -> Result<(), RecordingError> {
        match std::mem::take(&mut self.left_out) {
            0 => Ok(()),
            bytes => self.event("m", &format!("{bytes} bytes of output are left out here")),
        }
    }

    pub(super) fn resize(&mut self, size: Size) -> Result<(), RecordingError> {
        self.event("r", &format!("{}x{}", size.columns, size.rows))
    }

    /// Marks a moment, for people.
    pub(super) fn mark(&mut self, text: &str) -> Result<(), RecordingError> {
        self.event("m", text)
    }

    pub(super) fn end(&mut self, code: Option<i32>, signal: Option<i32>) -> Result<(), RecordingError> {
        self.close_gap()?;
        match (code, signal) {
            (_, Some(signal)) => self.mark(&format!("ended by signal {signal}")),
            (code, None) => self.mark(&format!("exit {}", code.unwrap_or_default())),
        }
    }

    fn event(&mut self, kind: &str, text: &str) -> Result<(), RecordingError> {
        let seconds = self.begun.elapsed().as_micros() as f64 / 1e6;
        self.recorder.append(format!("{}\n", json!([seconds, kind, text])).as_bytes())
    }
}

/// How much may be kept at this moment.
struct Allowance {
    free: u64,
    since: Instant,
}

impl Allowance {
    fn take(&mut self, bytes: u64, after_gap: bool) -> bool {
        let elapsed = self.since.elapsed().min(Duration::from_secs(3600));
        let earned = u64::try_from(elapsed.as_millis()).unwrap_or_default() * STEADY_BYTES_PER_SEC / 1000;
        if earned > 0 {
            self.since = Instant::now();
            self.free = (self.free + earned).min(BURST_BYTES);
        }
        let wanted = if after_gap { bytes.max(RESUME_BYTES) } else { bytes };
        let enough = self.free >= wanted;
        if enough {
            self.free -= bytes;
        }
        enough
    }
}

/// Makes text of bytes that come in pieces: a character that was cut is put together again, and what is none replaced.
#[derive(Default)]
struct Utf8 {
    rest: Vec<u8>,
}

impl Utf8 {
    fn pass(&mut self, bytes: &[u8]) -> String {
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend(bytes);
        let cut = whole.len() - unfinished(&whole);
        self.rest = whole.split_off(cut);
        String::from_utf8_lossy(&whole).into_owned()
    }
}

/// The length of a character at the end that may still be completed.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let begins = tail.iter().rposition(|byte| byte & 0xc0 != 0x80);
    begins
        .map(|at| &tail[at..])
        .filter(|tail| std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none()))
        .map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_the_same_however_it_is_cut(text in ".{0,60}", cuts in proptest::collection::vec(0usize..240, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut utf8 = Utf8::default();
            let passed: String = cuts.windows(2).map(|pair| utf8.pass(&bytes[pair[0]..pair[1]])).collect();
            prop_assert_eq!(passed, text);
        }

        #[test]
        fn any_bytes_become_text_and_little_is_kept_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..20)) {
            let mut utf8 = Utf8::default();
            for piece in pieces {
                utf8.pass(&piece);
                prop_assert!(utf8.rest.len() <= 3);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_and_a_quiet_terminal_is_kept_whole() {
        let mut allowance = Allowance { free: BURST_BYTES, since: Instant::now() };
        let mut kept = 0;
        for _ in 0..10_000 {
            kept += u64::from(allowance.take(16 * 1024, false)) * 16 * 1024;
        }
        assert_eq!(kept, BURST_BYTES);
        assert!(!allowance.take(1, true));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(allowance.take(100, true));
    }
}
