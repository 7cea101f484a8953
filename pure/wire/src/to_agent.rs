//! What the server says to an agent.

use sallyport_grant::targets::TargetProof;
use sallyport_model::{DeviceId, Digest, GrantId, RemoteSessionId, TenantId, Timestamp, limits};

use crate::message::{self, MessageError};
use crate::{pb, shape};

/// A message from the server, checked for its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToAgent {
    /// The only message that leads to an action, and only by what is signed inside of it.
    GrantOffer(Box<GrantOffer>),
    /// Everything else; the closed list of what needs no grant.
    Unsigned(UnsignedToAgent),
}

/// Messages without a grant. None of them reads, runs or changes anything on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsignedToAgent {
    /// The answer to a hello.
    Welcome {
        /// What the device is to the server.
        state: DeviceState,
        /// By the server's clock.
        server_time: Timestamp,
        /// Absent where the state is unknown.
        device: Option<DeviceId>,
        /// Absent where the state is unknown.
        tenant: Option<TenantId>,
    },
    /// The device was approved, removed or quarantined meanwhile.
    StateChanged {
        /// What it is now.
        state: DeviceState,
    },
    /// Ends a run early.
    CancelRun {
        /// Which grant's run.
        grant: GrantId,
    },
    /// Output is stored.
    OutputAck {
        /// Which grant's run wrote it.
        grant: GrantId,
        /// Every chunk below this is stored.
        next_seq: u64,
    },
    /// A receipt is stored.
    ReceiptAck {
        /// Which grant's receipt.
        grant: GrantId,
    },
    /// A heartbeat arrived.
    HeartbeatAck {
        /// By the server's clock.
        server_time: Timestamp,
    },
    /// Ends a remote session early, or one attachment of it.
    EndRemoteSession {
        /// Which remote session.
        session: RemoteSessionId,
        /// Only the attachment of this grant; absent: everything.
        grant: Option<GrantId>,
    },
    /// Lets the agent dial the stream of a grant again.
    StreamTicket {
        /// A grant that the agent verified before; for any other, nothing happens.
        grant: GrantId,
        /// What it dials with: good once, for [`limits::STREAM_TICKET_SECS`].
        ticket: [u8; 32],
    },
    /// A piece of a recording is stored.
    RecordingAck {
        /// Of which remote session.
        session: RemoteSessionId,
        /// Every piece below this is stored.
        next_seq: u64,
    },
    /// Somebody looks: the device tells its inventory before its time.
    InventoryWanted,
}

/// Every message without a grant, and why it needs none. People review this list as a snapshot.
pub const UNSIGNED_MESSAGES: &[(&str, &str)] = &[
    ("welcome", "tells the device its state, its ids and the time; the agent shows them and obeys nothing in them"),
    ("state_changed", "tells the device its state; the agent shows it, and a grant is verified whatever it says"),
    ("cancel_run", "ends early what a grant began; can only make the device do less"),
    ("output_ack", "lets the agent drop stored output from its journal; the receipt still holds its digest"),
    ("receipt_ack", "lets the agent drop a stored receipt from its journal; the used grant id stays"),
    ("heartbeat_ack", "shows that the link is alive; the time in it moves no clock and no window"),
    ("end_remote_session", "ends early what a grant began; can only make the device do less"),
    (
        "stream_ticket",
        "lets the agent dial again for a grant that it has already verified; starts nothing, and the stream's keys stay those of the grant",
    ),
    ("recording_ack", "lets the agent drop a stored piece of a recording; the receipt still holds the digest of it all"),
    (
        "inventory_wanted",
        "moves the next inventory forward; it has what the device tells unasked every quarter of an hour, and comes every ten seconds at most",
    ),
];

impl UnsignedToAgent {
    /// The message's name in [`UNSIGNED_MESSAGES`] and in the message definitions.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::StateChanged { .. } => "state_changed",
            Self::CancelRun { .. } => "cancel_run",
            Self::OutputAck { .. } => "output_ack",
            Self::ReceiptAck { .. } => "receipt_ack",
            Self::HeartbeatAck { .. } => "heartbeat_ack",
            Self::EndRemoteSession { .. } => "end_remote_session",
            Self::StreamTicket { .. } => "stream_ticket",
            Self::RecordingAck { .. } => "recording_ack",
            Self::InventoryWanted => "inventory_wanted",
        }
    }
}

/// What a device is to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Enrolled, and waiting for somebody to approve it.
    Pending,
    /// Managed.
    Approved,
    /// No longer managed.
    Removed,
    /// Its key was seen on two machines.
    Quarantined,
    /// Not enrolled, or its token was refused.
    Unknown,
}

/// A grant and all that the device needs to verify it. Nothing of it is verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantOffer {
    /// The grant's envelope, verbatim.
    pub envelope: Vec<u8>,
    /// That this device is among the grant's targets.
    pub target: TargetProof,
    /// That the grant is in the audit log.
    pub log_entry: Inclusion,
    /// The signed note of the log that the proof leads to.
    pub checkpoint: String,
    /// The bytes that will be executed.
    pub content: Vec<u8>,
    /// Secret parameters, sealed to this device.
    pub secrets: Vec<SealedSecret>,
    /// What the agent dials the stream of a remote session with; absent for a script.
    pub stream_ticket: Option<[u8; 32]>,
    /// Of a published schedule: which of its occurrences.
    pub occurrence: Option<Timestamp>,
}

/// A leaf's place in a Merkle tree (RFC 6962, section 2.1.1); the tree's size is signed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The leaf's index, from 0.
    pub index: u64,
    /// From the leaf to the root.
    pub hashes: Vec<Digest>,
}

/// A secret parameter for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The parameter's name, as in the grant.
    pub name: String,
    /// HPKE (RFC 9180): 32 bytes of encapsulated key, then the ciphertext.
    pub sealed: Vec<u8>,
}

impl ToAgent {
    /// Decodes a whole message of at most [`limits::MESSAGE_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        use pb::server_message::Body;
        let outer: pb::ServerMessage = message::decode_outer(bytes, shape::SERVER_MESSAGE, limits::MESSAGE_BYTES)?;
        let unsigned = match outer.body.ok_or(MessageError::NotOneBody)? {
            Body::GrantOffer(offer) => return GrantOffer::parse(offer).map(|offer| Self::GrantOffer(Box::new(offer))),
            Body::Welcome(welcome) => parse_welcome(&welcome)?,
            Body::StateChanged(changed) => UnsignedToAgent::StateChanged { state: DeviceState::parse(changed.state())? },
            Body::CancelRun(cancel) => UnsignedToAgent::CancelRun { grant: message::id(&cancel.grant, "grant")? },
            Body::OutputAck(ack) => UnsignedToAgent::OutputAck { grant: message::id(&ack.grant, "grant")?, next_seq: ack.next_seq },
            Body::ReceiptAck(ack) => UnsignedToAgent::ReceiptAck { grant: message::id(&ack.grant, "grant")? },
            Body::HeartbeatAck(ack) => UnsignedToAgent::HeartbeatAck { server_time: message::time(ack.server_time) },
            Body::EndRemoteSession(end) => parse_end(&end)?,
            Body::StreamTicket(ticket) => UnsignedToAgent::StreamTicket {
                grant: message::id(&ticket.grant, "grant")?,
                ticket: message::bytes_32(&ticket.ticket, "ticket")?,
            },
            Body::RecordingAck(ack) => {
                UnsignedToAgent::RecordingAck { session: message::id(&ack.session, "session")?, next_seq: ack.next_seq }
            }
            Body::InventoryWanted(pb::InventoryWanted {}) => UnsignedToAgent::InventoryWanted,
        };
        Ok(Self::Unsigned(unsigned))
    }

    /// Encodes a whole message. Errors: something in it is longer than it may be.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let body = match self {
            Self::GrantOffer(offer) => pb::server_message::Body::GrantOffer(offer.to_pb()),
            Self::Unsigned(unsigned) => unsigned.to_pb(),
        };
        message::encode(&pb::ServerMessage { body: Some(body) }, shape::SERVER_MESSAGE, limits::MESSAGE_BYTES)
    }
}

impl From<UnsignedToAgent> for ToAgent {
    fn from(unsigned: UnsignedToAgent) -> Self {
        Self::Unsigned(unsigned)
    }
}

fn parse_welcome(welcome: &pb::Welcome) -> Result<UnsignedToAgent, MessageError> {
    Ok(UnsignedToAgent::Welcome {
        state: DeviceState::parse(welcome.state())?,
        server_time: message::time(welcome.server_time),
        device: welcome.device.as_deref().map(|text| message::id(text, "device")).transpose()?,
        tenant: welcome.tenant.as_deref().map(|text| message::id(text, "tenant")).transpose()?,
    })
}

fn parse_end(end: &pb::EndRemoteSession) -> Result<UnsignedToAgent, MessageError> {
    let grant = end.grant.as_deref().map(|text| message::id(text, "grant")).transpose()?;
    Ok(UnsignedToAgent::EndRemoteSession { session: message::id(&end.session, "session")?, grant })
}

impl UnsignedToAgent {
    fn to_pb(self) -> pb::server_message::Body {
        use pb::server_message::Body;
        match self {
            Self::Welcome { state, server_time, device, tenant } => Body::Welcome(pb::Welcome {
                state: state.to_pb().into(),
                server_time: server_time.micros(),
                device: device.map(|id| id.to_string()),
                tenant: tenant.map(|id| id.to_string()),
            }),
            Self::StateChanged { state } => Body::StateChanged(pb::StateChanged { state: state.to_pb().into() }),
            Self::CancelRun { grant } => Body::CancelRun(pb::CancelRun { grant: grant.to_string() }),
            Self::OutputAck { grant, next_seq } => Body::OutputAck(pb::OutputAck { grant: grant.to_string(), next_seq }),
            Self::ReceiptAck { grant } => Body::ReceiptAck(pb::ReceiptAck { grant: grant.to_string() }),
            Self::HeartbeatAck { server_time } => Body::HeartbeatAck(pb::HeartbeatAck { server_time: server_time.micros() }),
            Self::EndRemoteSession { session, grant } => {
                Body::EndRemoteSession(pb::EndRemoteSession { session: session.to_string(), grant: grant.map(|id| id.to_string()) })
            }
            Self::StreamTicket { grant, ticket } => {
                Body::StreamTicket(pb::StreamTicket { grant: grant.to_string(), ticket: ticket.to_vec() })
            }
            Self::RecordingAck { session, next_seq } => Body::RecordingAck(pb::RecordingAck { session: session.to_string(), next_seq }),
            Self::InventoryWanted => Body::InventoryWanted(pb::InventoryWanted {}),
        }
    }
}

impl DeviceState {
    fn parse(state: pb::DeviceState) -> Result<Self, MessageError> {
        match state {
            pb::DeviceState::Pending => Ok(Self::Pending),
            pb::DeviceState::Approved => Ok(Self::Approved),
            pb::DeviceState::Removed => Ok(Self::Removed),
            pb::DeviceState::Quarantined => Ok(Self::Quarantined),
            pb::DeviceState::Unknown => Ok(Self::Unknown),
            pb::DeviceState::Unspecified => Err(MessageError::Invalid("state")),
        }
    }

    fn to_pb(self) -> pb::DeviceState {
        match self {
            Self::Pending => pb::DeviceState::Pending,
            Self::Approved => pb::DeviceState::Approved,
            Self::Removed => pb::DeviceState::Removed,
            Self::Quarantined => pb::DeviceState::Quarantined,
            Self::Unknown => pb::DeviceState::Unknown,
        }
    }
}

impl GrantOffer {
    fn parse(offer: pb::GrantOffer) -> Result<Self, MessageError> {
        Ok(Self {
            envelope: offer.envelope,
            target: parse_target(message::present(offer.target, "target")?)?,
            log_entry: Inclusion::parse(message::present(offer.log_entry, "log_entry")?)?,
            checkpoint: offer.checkpoint,
            content: offer.content,
            secrets: offer.secrets.into_iter().map(|secret| SealedSecret { name: secret.name, sealed: secret.sealed }).collect(),
            stream_ticket: parse_ticket(&offer.stream_ticket)?,
            occurrence: offer.occurrence.map(message::time),
        })
    }

    pub(crate) fn to_pb(&self) -> pb::GrantOffer {
        let secret = |secret: &SealedSecret| pb::SealedSecret { name: secret.name.clone(), sealed: secret.sealed.clone() };
        pb::GrantOffer {
            envelope: self.envelope.clone(),
            target: Some(inclusion_to_pb(self.target.index.into(), &self.target.hashes)),
            log_entry: Some(inclusion_to_pb(self.log_entry.index, &self.log_entry.hashes)),
            checkpoint: self.checkpoint.clone(),
            content: self.content.clone(),
            secrets: self.secrets.iter().map(secret).collect(),
            stream_ticket: self.stream_ticket.map_or_else(Vec::new, |ticket| ticket.to_vec()),
            occurrence: self.occurrence.map(Timestamp::micros),
        }
    }
}

fn parse_ticket(bytes: &[u8]) -> Result<Option<[u8; 32]>, MessageError> {
    if bytes.is_empty() { Ok(None) } else { message::bytes_32(bytes, "stream_ticket").map(Some) }
}

fn parse_target(inclusion: pb::Inclusion) -> Result<TargetProof, MessageError> {
    let Inclusion { index, hashes } = Inclusion::parse(inclusion)?;
    let index = u32::try_from(index).map_err(|_| MessageError::Invalid("target"))?;
    Ok(TargetProof { index, hashes })
}

fn inclusion_to_pb(index: u64, hashes: &[Digest]) -> pb::Inclusion {
    pb::Inclusion { index, hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect() }
}

impl Inclusion {
    fn parse(inclusion: pb::Inclusion) -> Result<Self, MessageError> {
        let hashes = inclusion.hashes.iter().map(|hash| message::digest(hash, "hashes")).collect::<Result<_, _>>()?;
        Ok(Self { index: inclusion.index, hashes })
    }
}
