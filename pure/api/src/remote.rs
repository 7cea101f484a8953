//! Remote sessions: asked for, listed, dialled, ended.

use sallyport_model::{DeviceId, Digest, GrantId, RemoteSessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TargetDetails;

/// A remote session that is to be opened, or joined.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRemoteSession {
    /// The device; it must be connected.
    pub device: String,
    /// `terminal`, `background`, `files` or `viewer`.
    #[serde(rename = "kind")]
    pub session_kind: String,
    /// `control` or `view`.
    pub access: String,
    /// The client's ephemeral X25519 key, 64 hexadecimal digits: only its holder can read the stream.
    pub client_key: String,
    /// The account on the device, for terminals and files; absent means root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Width of a terminal that is opened, in cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
    /// Height of a terminal that is opened, in cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// The open remote session that is joined; absent: a new one begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
    /// Whether a session that is opened shall be recorded, where the tenant's rules leave that open; absent: it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<crate::YesNo>,
}

/// What a client dials a remote session by.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenedRemoteSession {
    /// The remote session.
    #[schema(value_type = String)]
    pub session: RemoteSessionId,
    /// This client's grant.
    #[schema(value_type = String)]
    pub grant: GrantId,
    /// The grant's envelope, verbatim: the stream's keys depend on it.
    pub envelope: String,
    /// Opens `/v1/remote-sessions/stream`, once and within half a minute.
    pub ticket: String,
    /// The device, as the server knows it.
    pub device: RemoteDevice,
    /// The audit log's entry.
    pub log_index: u64,
}

/// The device of a remote session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemoteDevice {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// SHA-256 of its key: what grants name.
    #[schema(value_type = String)]
    pub thumbprint: Digest,
    /// Its Ed25519 key, 64 hexadecimal digits: it signs the answer that begins each stream.
    pub device_key: String,
}

/// An attachment to a remote session, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemoteSessionDetails {
    /// The remote session.
    #[schema(value_type = String)]
    pub session: RemoteSessionId,
    /// `terminal`, `background`, `files` or `viewer`.
    pub session_kind: String,
    /// `control` or `view`.
    pub access: String,
    /// Whether it is open already.
    pub joins: bool,
    /// The account on the device; absent means root.
    pub run_as: Option<String>,
    /// What the person at the machine sees: `none`, `banner` or `ask`.
    pub consent: String,
    /// How long the person at the machine has to answer, where they are asked; otherwise 0.
    pub ask_secs: u32,
    /// What it means where they do not: `refuse` or `allow`.
    pub unanswered: crate::SilenceRule,
    /// Whether it is recorded.
    pub recorded: bool,
    /// It ends after this time without input.
    pub idle_secs: u32,
    /// It ends at this age.
    pub max_secs: u32,
    /// The device.
    pub targets: TargetDetails,
}

/// A remote session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemoteSession {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RemoteSessionId,
    /// Its device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The device's name.
    pub device_name: String,
    /// `terminal`, `background`, `files` or `viewer`.
    pub kind: String,
    /// The account on the device; absent means root.
    pub run_as: Option<String>,
    /// Who opened it.
    #[schema(value_type = String)]
    pub opened_by: UserId,
    /// Their name.
    pub opened_by_name: String,
    /// `open` or `ended`.
    pub state: String,
    /// When it was opened.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// `ended`, `device`, `revoked`, `limit` or `undelivered`.
    pub end_reason: Option<String>,
    /// Whether the device records it.
    pub recorded: bool,
    /// Who is or was attached.
    pub attachments: Vec<RemoteAttachment>,
    /// Its recording, once that is whole.
    pub recording: Option<RecordingFacts>,
}

/// Whoever is or was attached to a remote session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemoteAttachment {
    /// Their client's grant.
    #[schema(value_type = String)]
    pub grant: GrantId,
    /// Who.
    #[schema(value_type = String)]
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// `control` or `view`.
    pub access: String,
    /// Whether a stream runs now.
    pub connected: bool,
    /// Since when.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// Until when.
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// A whole recording.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecordingFacts {
    /// SHA-256 of its bytes, as in the audit log.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// Their number.
    pub bytes: u64,
}

/// Asks for another ticket of one's own attachment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// The attachment's grant.
    pub grant: String,
}

/// A ticket.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StreamTicket {
    /// Opens `/v1/remote-sessions/stream`, once and within half a minute.
    pub ticket: String,
}
