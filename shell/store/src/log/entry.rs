//! What one entry says, and which bytes of it the tree hashes.

use std::fmt;

use sallyport_grant::log::entry_leaf_data;
use sallyport_model::{DeviceId, Timestamp, UserId};
use serde_json::{Value as Json, json};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    Device(DeviceId),
    /// The server by itself: expiry, clean-up, set-up.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Device(device) => device.fmt(f),
            Self::System => f.write_str("system"),
        }
    }
}

/// One entry of the audit log, before it has an index.
///
/// The stored body is the JSON `{"kind":..,"at":..,"actor":..,"payload":..}`. The leaf of a salted entry
/// ([`sallyport_grant::log::entry_leaf_data`]) ties salt and body by a hash, so that both can be erased
/// and the tree still stands. A grant's leaf is made from its envelope; its body is a note for people
/// that the leaf does not bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) actor: Actor,
    pub(crate) body: String,
    pub(crate) salt: Option<[u8; 32]>,
    pub(crate) data: Vec<u8>,
}

impl Entry {
    /// An entry whose payload can be erased later. `kind` is like `session.opened`; `salt` is random.
    pub fn new(kind: &'static str, actor: Actor, at: Timestamp, salt: [u8; 32], payload: Json) -> Self {
        let body = body(kind, actor, at, payload);
        let data = entry_leaf_data(&salt, body.as_bytes());
        Self { kind, at, actor, body, salt: Some(salt), data }
    }

    /// A grant's entry: `leaf` comes from [`sallyport_grant::log::grant_leaf_data`]; it is never erasable.
    pub fn grant(kind: &'static str, actor: Actor, at: Timestamp, leaf: Vec<u8>, payload: Json) -> Self {
        Self { kind, at, actor, body: body(kind, actor, at, payload), salt: None, data: leaf }
    }
}

fn body(kind: &'static str, actor: Actor, at: Timestamp, payload: Json) -> String {
    json!({ "kind": kind, "at": at, "actor": actor.to_string(), "payload": payload }).to_string()
}
