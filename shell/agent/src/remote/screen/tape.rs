//! The recording of a screen: what a viewer of its own was sent, with times.
//!
//! The format is FBS 001.000, which players of VNC recordings know: after the twelve bytes `FBS 001.000\n` come blocks of a
//! length, so many bytes of what the server said padded to four, and the milliseconds since the beginning. A viewer is told
//! everything, so a recording has everything that could be seen, and starts with the whole picture.

use std::time::{Duration, Instant};

use super::rfb::number;
use super::viewer::{End, Sink};
use super::x11::Display;
use crate::remote::recording::Recorder;

/// Changes within this time are recorded as one: films are for people, and so small ones.
const EVERY: Duration = Duration::from_millis(100);

/// Takes what a viewer is sent.
pub(super) struct Tape {
    recorder: Recorder,
    begun: Instant,
}

impl Tape {
    pub(super) fn begin(recorder: Recorder) -> Result<Self, &'static str> {
        recorder.append(b"FBS 001.000\n").map_err(|error| error.code())?;
        Ok(Self { recorder, begun: Instant::now() })
    }
}

impl Sink for Tape {
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End> {
        if !bytes.is_empty() {
            let at = self.begun.elapsed().as_millis();
            self.recorder.append(&block(bytes, u32::try_from(at).unwrap_or(u32::MAX))).map_err(|error| End::Recording(error.code()))?;
        }
        Ok(bytes.len())
    }

    fn displays(&mut self, _: &[Display], _: &str) {}

    fn pause(&self) -> Duration {
        EVERY
    }
}

fn block(bytes: &[u8], millis: u32) -> Vec<u8> {
    let padding = bytes.len().next_multiple_of(4) - bytes.len();
    [&(bytes.len() as u32).to_be_bytes()[..], bytes, &[0; 4][..padding], &millis.to_be_bytes()].concat()
}

/// What the recording's own client says: everything that makes it small, and updates for ever.
pub(super) fn wishes() -> Vec<u8> {
    let encodings = [
        number::TIGHT,
        number::COPY_RECT,
        number::QUALITY_LOWEST + 5,
        number::LAST_RECT,
        number::CURSOR,
        number::DESKTOP_SIZE,
        number::CONTINUOUS_UPDATES,
    ];
    let mut bytes = [&super::rfb::VERSION[..], &[1, 1], &[2, 0], &(encodings.len() as u16).to_be_bytes()].concat();
    encodings.iter().for_each(|encoding| bytes.extend_from_slice(&encoding.to_be_bytes()));
    bytes.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    bytes.extend_from_slice(&[150, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_length_the_bytes_and_the_time() {
        assert_eq!(block(b"abcde", 258), [0, 0, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(block(b"abcd", 1).len(), 12);
    }
}
