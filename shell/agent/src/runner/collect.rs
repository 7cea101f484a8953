//! From the raw output of a script to chunks in the journal: redacted, put together, limited.

use std::time::{Duration, Instant};

use sallyport_grant::sealed::SecretValue;
use sallyport_model::limits;
use sallyport_os::Stream;

use super::RunSink;
use crate::journal::JournalError;
use crate::redact::Redactor;

/// Small writes are put together for so long, so that a chatty script does not make a chunk for each line.
const GATHER: Duration = Duration::from_millis(40);

/// Why a script's output is no longer taken.
#[derive(Debug)]
pub(super) enum Stopped {
    Limit,
    Journal(JournalError),
}

/// The output of one run on its way into the journal.
pub(super) struct Collector {
    stdout: Redactor,
    stderr: Redactor,
    gathered: Vec<u8>,
    stream: Stream,
    since: Option<Instant>,
    room: u64,
}

impl Collector {
    pub(super) fn new(secrets: &[SecretValue], limit_bytes: u64) -> Self {
        let redactor = || Redactor::new(secrets.iter().map(SecretValue::as_bytes));
        let (stdout, stderr) = (redactor(), redactor());
        Self { stdout, stderr, gathered: Vec::new(), stream: Stream::Stdout, since: None, room: limit_bytes }
    }

    /// When gathered output should be stored at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + GATHER)
    }

    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8], sink: &mut RunSink) -> Result<(), Stopped> {
        let harmless = self.redactor(stream).pass(bytes);
        self.gather(stream, &harmless, sink)
    }

    /// Stores the rest.
    pub(super) fn finish(&mut self, sink: &mut RunSink) -> Result<(), Stopped> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.redactor(stream).finish();
            self.gather(stream, &rest, sink)?;
        }
        self.flush(sink)
    }

    fn redactor(&mut self, stream: Stream) -> &mut Redactor {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The limit counts what is kept, after redaction.
    fn gather(&mut self, stream: Stream, bytes: &[u8], sink: &mut RunSink) -> Result<(), Stopped> {
        if bytes.is_empty() {
            return Ok(());
        }
        if stream != self.stream || self.gathered.len() + bytes.len() > limits::OUTPUT_CHUNK_BYTES {
            self.flush(sink)?;
        }
        let fitting = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        self.stream = stream;
        self.gathered.extend_from_slice(&bytes[..fitting]);
        self.room -= fitting as u64;
        self.since = self.since.or_else(|| Some(Instant::now()));
        if fitting < bytes.len() {
            self.flush(sink)?;
            return Err(Stopped::Limit);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, sink: &mut RunSink) -> Result<(), Stopped> {
        self.since = None;
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_empty() { Ok(()) } else { sink.output(self.stream, &gathered).map_err(Stopped::Journal) }
    }
}
