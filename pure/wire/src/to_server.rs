//! What an agent says after its hello.

use sallyport_model::{GrantId, RemoteSessionId, Timestamp, limits};

use crate::message::{self, MessageError};
use crate::{Inventory, pb, shape};

/// A message from a known agent, checked. Nothing in it is to be believed beyond what it is: the
/// statement of that device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToServer {
    /// What the device is and has; replaces the one before.
    Inventory(Box<Inventory>),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A run has begun.
    RunStarted {
        /// Which grant runs.
        grant: GrantId,
        /// By the device's clock.
        started_at: Timestamp,
    },
    /// A piece of a run's output.
    Output {
        /// Which grant's run wrote it.
        grant: GrantId,
        /// From 0, over both streams together, without gaps.
        seq: u64,
        /// Where it was written.
        stream: Stream,
        /// At most [`limits::OUTPUT_CHUNK_BYTES`]; any bytes, not only text.
        chunk: Vec<u8>,
    },
    /// A run is over, or was refused.
    RunEnded {
        /// Which grant it was.
        grant: GrantId,
        /// The receipt's envelope, not verified yet.
        receipt: Vec<u8>,
    },
    /// A piece of a remote session's recording.
    Recording {
        /// Which remote session.
        session: RemoteSessionId,
        /// From 0, without gaps.
        seq: u64,
        /// At most [`limits::RECORDING_CHUNK_BYTES`].
        chunk: Vec<u8>,
        /// Whether more follows.
        place: Place,
    },
}

/// Where a piece stands in what is sent piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Another one follows.
    Inner,
    /// Nothing follows.
    Last,
}

/// Light figures between inventories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// By the device's clock.
    pub sent_at: Timestamp,
    /// Load average of one minute, times 1000.
    pub load_permille: u32,
    /// Memory in use.
    pub memory_used_bytes: u64,
    /// Since the device booted.
    pub uptime_secs: u64,
    /// How many users are signed in.
    pub signed_in: u32,
}

/// One of a run's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl ToServer {
    /// Decodes a whole message of at most [`limits::MESSAGE_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        use pb::agent_message::Body;
        let outer: pb::AgentMessage = message::decode_outer(bytes, shape::AGENT_MESSAGE, limits::MESSAGE_BYTES)?;
        match outer.body.ok_or(MessageError::NotOneBody)? {
            Body::Hello(_) => Err(MessageError::OutOfPhase),
            Body::Inventory(inventory) => Inventory::parse(inventory).map(|inventory| Self::Inventory(Box::new(inventory))),
            Body::Heartbeat(heartbeat) => Ok(Self::Heartbeat(Heartbeat::parse(&heartbeat))),
            Body::RunStarted(started) => {
                Ok(Self::RunStarted { grant: message::id(&started.grant, "grant")?, started_at: message::time(started.started_at) })
            }
            Body::Output(output) => parse_output(output),
            Body::RunEnded(ended) => Ok(Self::RunEnded { grant: message::id(&ended.grant, "grant")?, receipt: ended.receipt }),
            Body::Recording(piece) => parse_recording(piece),
        }
    }

    /// Encodes a whole message. Errors: something in it is longer than it may be.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        use pb::agent_message::Body;
        let body = match self {
            Self::Inventory(inventory) => Body::Inventory(inventory.to_pb()),
            Self::Heartbeat(heartbeat) => Body::Heartbeat(heartbeat.to_pb()),
            Self::RunStarted { grant, started_at } => {
                Body::RunStarted(pb::RunStarted { grant: grant.to_string(), started_at: started_at.micros() })
            }
            Self::Output { grant, seq, stream, chunk } => {
                Body::Output(pb::Output { grant: grant.to_string(), seq: *seq, stream: stream.to_pb().into(), chunk: chunk.clone() })
            }
            Self::RunEnded { grant, receipt } => Body::RunEnded(pb::RunEnded { grant: grant.to_string(), receipt: receipt.clone() }),
            Self::Recording { session, seq, chunk, place } => Body::Recording(pb::Recording {
                session: session.to_string(),
                seq: *seq,
                chunk: chunk.clone(),
                last: *place == Place::Last,
            }),
        };
        message::encode(&pb::AgentMessage { body: Some(body) }, shape::AGENT_MESSAGE, limits::MESSAGE_BYTES)
    }
}

impl From<Inventory> for ToServer {
    /// Fits the inventory first, so that it can be sent.
    fn from(inventory: Inventory) -> Self {
        Self::Inventory(Box::new(inventory.fitted()))
    }
}

fn parse_output(output: pb::Output) -> Result<ToServer, MessageError> {
    let stream = match output.stream() {
        pb::Stream::Stdout => Stream::Stdout,
        pb::Stream::Stderr => Stream::Stderr,
        pb::Stream::Unspecified => return Err(MessageError::Invalid("stream")),
    };
    Ok(ToServer::Output { grant: message::id(&output.grant, "grant")?, seq: output.seq, stream, chunk: output.chunk })
}

fn parse_recording(piece: pb::Recording) -> Result<ToServer, MessageError> {
    let place = if piece.last { Place::Last } else { Place::Inner };
    Ok(ToServer::Recording { session: message::id(&piece.session, "session")?, seq: piece.seq, chunk: piece.chunk, place })
}

impl Stream {
    fn to_pb(self) -> pb::Stream {
        match self {
            Self::Stdout => pb::Stream::Stdout,
            Self::Stderr => pb::Stream::Stderr,
        }
    }
}

impl Heartbeat {
    fn parse(heartbeat: &pb::Heartbeat) -> Self {
        Self {
            sent_at: message::time(heartbeat.sent_at),
            load_permille: heartbeat.load_permille,
            memory_used_bytes: heartbeat.memory_used_bytes,
            uptime_secs: heartbeat.uptime_secs,
            signed_in: heartbeat.signed_in,
        }
    }

    fn to_pb(self) -> pb::Heartbeat {
        pb::Heartbeat {
            sent_at: self.sent_at.micros(),
            load_permille: self.load_permille,
            memory_used_bytes: self.memory_used_bytes,
            uptime_secs: self.uptime_secs,
            signed_in: self.signed_in,
        }
    }
}
