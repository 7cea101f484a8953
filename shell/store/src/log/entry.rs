//! What one entry says, and which bytes of it the tree hashes.

use std::fmt;

use sallyport_model::{DeviceId, Digest, Timestamp, UserId};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

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
/// A salted entry's leaf is `{"type":"sallyport.log.entry/1","kind":..,"at":..,"commitment":..}`: it
/// ties the body by [`commitment`], so that body and salt can be erased and the tree still stands. A
/// grant's leaf is the caller's bytes; its body is a note for people that the leaf does not bind.
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
        let body = body(actor, payload);
        let commitment = commitment(&salt, &body);
        let data = format!(r#"{{"type":"sallyport.log.entry/1","kind":"{kind}","at":"{at}","commitment":"{commitment}"}}"#);
        Self { kind, at, actor, body, salt: Some(salt), data: data.into_bytes() }
    }

    /// A grant's entry: `leaf` is what the device rebuilds from the envelope; never erasable.
    pub fn grant(kind: &'static str, actor: Actor, at: Timestamp, leaf: Vec<u8>, payload: Json) -> Self {
        Self { kind, at, actor, body: body(actor, payload), salt: None, data: leaf }
    }
}

fn body(actor: Actor, payload: Json) -> String {
    json!({ "actor": actor.to_string(), "payload": payload }).to_string()
}

/// SHA-256 over `sallyport.log.entry/1`, a line feed, the salt and the body as stored.
pub fn commitment(salt: &[u8; 32], body: &str) -> Digest {
    let hash = Sha256::new().chain_update("sallyport.log.entry/1\n").chain_update(salt).chain_update(body);
    Digest::from_bytes(hash.finalize().into())
}
