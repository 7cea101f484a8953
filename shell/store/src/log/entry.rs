//! What one entry says, and which bytes of it the tree hashes.

use std::fmt;

use sallyport_decide::policy;
use sallyport_decide::webhooks::{Event, of_entry};
use sallyport_grant::log::entry_leaf_data;
use sallyport_grant::sha256;
use sallyport_model::{ApiClientId, DeviceId, TenantId, Timestamp, UserId};
use serde_json::{Value as Json, json};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    /// An API client, in its owner's name.
    Client(ApiClientId),
    Device(DeviceId),
    /// The server by itself: expiry, clean-up, set-up.
    System,
}

impl Actor {
    /// Whoever makes a request: a person, or a tool of theirs.
    pub fn of(actor: &policy::Actor) -> Self {
        actor.client().map_or(Self::User(actor.user), Self::Client)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Client(client) => client.fmt(f),
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
    /// What webhooks are told of it.
    pub(crate) events: Vec<Event>,
}

impl Entry {
    /// An entry whose payload can be erased later. `kind` is like `session.opened`; `salt` is random, and the one in the log is made of it.
    pub fn new(kind: &'static str, actor: Actor, at: Timestamp, salt: [u8; 32], payload: Json) -> Self {
        let events = of_entry(kind, &payload);
        let body = body(kind, actor, at, payload);
        let data = entry_leaf_data(&salt, body.as_bytes());
        Self { kind, at, actor, body, salt: Some(salt), data, events }
    }

    /// The entry in its place. Several entries of one change come with one salt; in the log each has its own, so that one that stays
    /// does not keep the salt of another that was erased.
    pub(crate) fn at_index(self, tenant: TenantId, index: u64) -> Self {
        let Some(salt) = self.salt else { return self };
        let own = *sha256(&[b"sallyport.log.salt/1\n", &salt, tenant.as_bytes(), &index.to_be_bytes()]).as_bytes();
        let data = entry_leaf_data(&own, self.body.as_bytes());
        Self { salt: Some(own), data, ..self }
    }

    /// A grant's entry: `leaf` comes from [`sallyport_grant::log::grant_leaf_data`]; it is never erasable.
    pub fn grant(kind: &'static str, actor: Actor, at: Timestamp, leaf: Vec<u8>, payload: Json) -> Self {
        let events = of_entry(kind, &payload);
        Self { kind, at, actor, body: body(kind, actor, at, payload), salt: None, data: leaf, events }
    }
}

fn body(kind: &'static str, actor: Actor, at: Timestamp, payload: Json) -> String {
    json!({ "kind": kind, "at": at, "actor": actor.to_string(), "payload": payload }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_change_have_salts_of_their_own() {
        let tenant = |n| TenantId::from_bytes([n; 16]);
        let placed = |of, index| Entry::new("job.ended", Actor::System, Timestamp::default(), [7; 32], json!({})).at_index(of, index);
        let (one, next, theirs) = (placed(tenant(1), 4), placed(tenant(1), 5), placed(tenant(2), 4));
        assert!(one.salt != next.salt && one.salt != theirs.salt && one.data != next.data);
        assert_eq!(one.data, entry_leaf_data(&one.salt.unwrap(), one.body.as_bytes()), "the stored salt proves the stored body");
        assert_eq!(one, placed(tenant(1), 4), "the same when the transaction is made again");
    }
}
