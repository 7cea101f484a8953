//! Connections to other vendors' APIs.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_model::{ConnectionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpVerb {
    /// Reads.
    Get,
    /// Makes, or does something.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

/// How the credential goes into each request. There is no place for it in the address, which lands in logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum CredentialPlacement {
    /// `Authorization: Bearer SECRET`.
    Bearer,
    /// A header of the vendor's own.
    Header {
        /// Its name.
        name: String,
        /// What stands before the secret, with its blank.
        #[serde(default)]
        prefix: String,
    },
    /// `Authorization: Basic`, with the secret as the password.
    Basic {
        /// The user name.
        user: String,
    },
}

/// Requests that are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedRequests {
    /// By what they do.
    pub methods: BTreeSet<HttpVerb>,
    /// By their path below the connection's address: `*` is one segment, `/**` at the end whatever follows.
    pub path: String,
}

/// Where a new credential comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// The server makes it: it stands for `{new}` in the body.
    Made,
    /// The vendor makes it.
    Answer {
        /// Where its answer has it (RFC 6901): `/data/token`.
        pointer: String,
    },
}

/// The request that replaces the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationHook {
    /// Days between two replacements.
    pub every_days: u32,
    /// What it does.
    pub method: HttpVerb,
    /// Its path below the connection's address. Callers must not be allowed to send it.
    pub path: String,
    /// Its body: JSON, in whose texts `{new}` and `{old}` stand for the credentials. Empty for none.
    #[serde(default)]
    pub body: String,
    /// Where the new credential comes from.
    pub new: SecretSource,
}

/// A connection that is asked for, or other terms for one.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedConnection {
    /// What people call it.
    pub name: String,
    /// Where requests go: scheme, host, port, and the path that all of them begin with.
    pub base_url: String,
    /// How the credential goes in.
    pub credential: CredentialPlacement,
    /// The credential itself: taken, sealed, and never shown again. Needed for a new connection, and where `base_url` or `credential` changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Headers that go with every request and are no secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is allowed; nothing else is.
    pub allows: Vec<AllowedRequests>,
    /// Ids of the users and API clients who may use it; all who have `connections.use` where it is empty.
    #[serde(default)]
    pub callers: BTreeSet<String>,
    /// Calls within a minute.
    pub per_minute: u32,
    /// When it ends by itself, within 400 days.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// A path that answers 2xx to a good credential, and 401 or 403 to any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// How the credential is replaced, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationHook>,
}

/// The terms of a connection. Its credential is no part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionShape {
    /// What people call it.
    pub name: String,
    /// Where requests go.
    pub base_url: String,
    /// How the credential goes in.
    pub credential: CredentialPlacement,
    /// Headers that go with every request.
    pub headers: BTreeMap<String, String>,
    /// What is allowed.
    pub allows: Vec<AllowedRequests>,
    /// Who may use it; all who have `connections.use` where it is empty.
    pub callers: BTreeSet<String>,
    /// Calls within a minute.
    pub per_minute: u32,
    /// When it ends by itself.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// What proves a credential.
    pub check: Option<String>,
    /// How the credential is replaced.
    pub rotation: Option<RotationHook>,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It works.
    Active,
    /// It works, and its credential could not be replaced so far.
    RotationFailing,
    /// The vendor did not take its credential the last time.
    CredentialRefused,
    /// It was stopped, for good.
    Stopped,
    /// Its time is over.
    Expired,
}

/// How far the replacement of a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationStep {
    /// Nothing is under way.
    Idle,
    /// It began, and the vendor was not told yet.
    Ready,
    /// The vendor may have been told.
    Sent,
    /// The vendor made a new credential, which has to prove itself.
    Answered,
}

/// The replacement of a connection's credential.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotationState {
    /// How far it is.
    pub step: RotationStep,
    /// When the next one is due.
    #[schema(value_type = Option<String>)]
    pub due: Option<Timestamp>,
    /// When the last one came to its end.
    #[schema(value_type = Option<String>)]
    pub last: Option<Timestamp>,
    /// How often this one failed.
    pub attempts: u32,
    /// Why: `unreachable`, `refused`, `unknown`, `no_secret`, `not_taken` or `neither`.
    pub failure: Option<String>,
    /// When it is tried again.
    #[schema(value_type = Option<String>)]
    pub next_try: Option<Timestamp>,
}

/// A connection to another vendor's API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ConnectionId,
    /// Its terms.
    #[serde(flatten)]
    pub shape: ConnectionShape,
    /// Where it stands.
    pub state: ConnectionState,
    /// Who proved its terms last, and is told what becomes of it.
    #[schema(value_type = String)]
    pub owner: UserId,
    /// Their name.
    pub owner_name: String,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was stopped.
    #[schema(value_type = Option<String>)]
    pub stopped: Option<Timestamp>,
    /// By whom.
    pub stopped_by: Option<String>,
    /// When it was last used.
    #[schema(value_type = Option<String>)]
    pub last_used: Option<Timestamp>,
    /// When a call was last refused.
    #[schema(value_type = Option<String>)]
    pub last_refused: Option<Timestamp>,
    /// Why, in a word.
    pub last_refusal: Option<String>,
    /// Since when the present credential is kept; none where it is forgotten.
    #[schema(value_type = Option<String>)]
    pub secret_since: Option<Timestamp>,
    /// How its credential is replaced.
    pub rotation_state: RotationState,
    /// Whether the reader may send requests over it.
    pub usable: bool,
}

/// A call over a connection.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectionCall {
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The id of the user or API client who sent it.
    pub caller: String,
    /// Their name then.
    pub caller_name: String,
    /// What it did.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The vendor's status, or why there is none; absent while it is under way.
    pub outcome: Option<String>,
}

/// The last calls of a connection.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectionCalls {
    /// The newest first.
    pub items: Vec<ConnectionCall>,
}

/// A connection that is made or changed, exactly. The credential is sealed already, and shown to nobody.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectionDetails {
    /// Which.
    #[schema(value_type = String)]
    pub connection: ConnectionId,
    /// The terms that it had; absent where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ConnectionShape>,
    /// The terms that it gets.
    pub after: ConnectionShape,
    /// Whether another credential comes with it.
    pub new_credential: bool,
}
