//! Leaves of the audit log.

use sallyport_model::Digest;
use serde::Serialize;

use crate::body::GrantBody;
use crate::envelope::Envelope;
use crate::hash::sha256;
use crate::json;
use crate::keys::KeyId;

/// The leaf of a grant; nothing in it is personal, so it is never erased.
#[derive(Serialize)]
struct GrantLeaf<'a> {
    r#type: &'static str,
    envelope: Digest,
    action: &'static str,
    targets: &'a Digest,
    keys: Vec<KeyId>,
}

/// Leaf data of a grant. Both sides rebuild it from the envelope: its digest, the action, the root of the targets and
/// the key ids of all its signatures in written order.
pub fn grant_leaf_data(envelope: &Envelope, body: &GrantBody) -> Vec<u8> {
    json::write(&GrantLeaf {
        r#type: "sallyport.log.grant/1",
        envelope: envelope.digest(),
        action: body.action.name(),
        targets: &body.targets.root,
        keys: envelope.signatures().iter().map(|signature| signature.keyid).collect(),
    })
}

/// How the leaf of an entry that may be erased begins; a grant's is a JSON object.
const ENTRY: &[u8] = b"sallyport.log.entry/1\n";

/// Whether leaf data are those of [`entry_leaf_data`].
pub fn is_entry_leaf(data: &[u8]) -> bool {
    data.starts_with(ENTRY)
}

/// Leaf data of an entry that may be erased later: the tree keeps only a salted hash of the payload, so that the
/// payload and its salt can go while proofs still hold.
pub fn entry_leaf_data(salt: &[u8; 32], payload: &[u8]) -> Vec<u8> {
    let mut data = ENTRY.to_vec();
    data.extend_from_slice(sha256(&[salt, payload]).as_bytes());
    data
}
