//! What the server must still hear of runs: that they began, their output in order, and how they ended.
//!
//! One of these lives as long as a connection. Output begins after what the server acknowledged; where the server has
//! more, its first acknowledgement says so.

use std::collections::BTreeMap;

use sallyport_model::{GrantId, limits};
use sallyport_os::Stream;
use sallyport_wire::ToServer;

use crate::journal::{Chunk, Journal, JournalError, Phase};

/// The reports of one connection.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    uploads: BTreeMap<GrantId, Upload>,
}

/// The reports of one run.
#[derive(Debug, Clone, Copy, Default)]
struct Upload {
    told: Told,
    /// The next chunk to send.
    next_seq: u64,
    /// Every chunk below this is stored by the server.
    acknowledged: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    Start,
    End,
}

impl Uplink {
    /// The reports of a new connection, knowing what the server had at the end of the last one.
    pub(crate) fn resume(&self) -> Self {
        let resumed = |upload: &Upload| Upload { told: Told::Nothing, next_seq: upload.acknowledged, acknowledged: upload.acknowledged };
        Self { uploads: self.uploads.iter().map(|(grant, upload)| (*grant, resumed(upload))).collect() }
    }

    /// The next message that may be sent now, if there is one.
    pub(crate) fn next(&mut self, journal: &Journal) -> Result<Option<ToServer>, JournalError> {
        for entry in journal.unreported() {
            let upload = self.uploads.entry(entry.grant).or_default();
            let grant = entry.grant;
            if upload.told == Told::Nothing && entry.attach.is_none() {
                upload.told = Told::Start;
                return Ok(Some(ToServer::RunStarted { grant, started_at: entry.claimed_at }));
            }
            if let Some(output) = upload.next_output(grant, journal)? {
                return Ok(Some(output));
            }
            let complete = upload.next_seq >= journal.output(grant)?.chunks;
            if let Phase::Ended { receipt, .. } = entry.phase
                && complete
                && upload.told != Told::End
            {
                upload.told = Told::End;
                return Ok(Some(ToServer::RunEnded { grant, receipt: receipt.into_bytes() }));
            }
        }
        Ok(None)
    }

    /// The server stored all chunks below `next_seq`.
    pub(crate) fn output_stored(&mut self, grant: GrantId, next_seq: u64) {
        if let Some(upload) = self.uploads.get_mut(&grant) {
            upload.acknowledged = upload.acknowledged.max(next_seq);
            upload.next_seq = upload.next_seq.max(next_seq);
        }
    }

    /// The server asks about a grant that it offered before: everything is told again.
    pub(crate) fn tell_again(&mut self, grant: GrantId) {
        if let Some(upload) = self.uploads.get_mut(&grant) {
            upload.told = Told::Nothing;
            upload.next_seq = upload.acknowledged;
        }
    }

    /// The server knows everything of a run.
    pub(crate) fn forget(&mut self, grant: GrantId) {
        self.uploads.remove(&grant);
    }
}

impl Upload {
    fn next_output(&mut self, grant: GrantId, journal: &Journal) -> Result<Option<ToServer>, JournalError> {
        if self.next_seq >= self.acknowledged + limits::OUTPUT_CHUNKS_IN_FLIGHT as u64 {
            return Ok(None);
        }
        let seq = self.next_seq;
        let Some(Chunk { stream, bytes }) = journal.chunk(grant, seq)? else { return Ok(None) };
        self.next_seq += 1;
        Ok(Some(ToServer::Output { grant, seq, stream: wire_stream(stream), chunk: bytes }))
    }
}

fn wire_stream(stream: Stream) -> sallyport_wire::Stream {
    match stream {
        Stream::Stdout => sallyport_wire::Stream::Stdout,
        Stream::Stderr => sallyport_wire::Stream::Stderr,
    }
}
