//! Signed checkpoints of the audit log: C2SP `tlog-checkpoint` in a C2SP `signed-note`, by one log key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sallyport_model::{Digest, limits};

use crate::hash::sha256;
use crate::keys::{self, SigningKey, VerifyKey};
use crate::merkle::TreeHead;

/// The algorithm byte of Ed25519 in a signed note.
const ED25519: u8 = 0x01;

/// Why a text is no checkpoint of the wanted log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Longer than [`limits::CHECKPOINT_BYTES`].
    #[error("larger than {} bytes", limits::CHECKPOINT_BYTES)]
    TooLarge,
    /// Not origin, size, root, an empty line and signature lines.
    #[error("not a checkpoint")]
    Malformed,
    /// The checkpoint of another log.
    #[error("the checkpoint is of another log")]
    OtherOrigin,
    /// No signature line of the log's key.
    #[error("the log did not sign the checkpoint")]
    Unsigned,
    /// A signature line of the log's key that does not verify.
    #[error("the signature of the log is wrong")]
    BadSignature,
}

/// Writes and signs the checkpoint of a tree. `origin` has no spaces, no plus sign and no line ends.
pub fn sign(origin: &str, head: TreeHead, key: &SigningKey) -> String {
    let text = note_text(origin, head);
    let mut blob = key_hash(origin, &VerifyKey::of(key)).to_vec();
    blob.extend_from_slice(&keys::sign(key, text.as_bytes()));
    format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(blob))
}

/// Reads a checkpoint of the log `origin` and checks that `key` signed it. Signatures by others (witnesses) are not looked at.
pub fn verify(note: &str, origin: &str, key: &VerifyKey) -> Result<TreeHead, CheckpointError> {
    if note.len() > limits::CHECKPOINT_BYTES {
        return Err(CheckpointError::TooLarge);
    }
    let (text, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Malformed)?;
    let (found_origin, head) = read_text(text)?;
    if found_origin != origin {
        return Err(CheckpointError::OtherOrigin);
    }
    let signature = find_signature(signatures, origin, key)?;
    let signed = note_text(origin, head);
    if key.verifies(signed.as_bytes(), &signature) { Ok(head) } else { Err(CheckpointError::BadSignature) }
}

fn note_text(origin: &str, head: TreeHead) -> String {
    format!("{origin}\n{}\n{}\n", head.size, STANDARD.encode(head.root.as_bytes()))
}

/// SHA-256(name || 0x0A || algorithm || key), first 4 bytes.
fn key_hash(origin: &str, key: &VerifyKey) -> [u8; 4] {
    let digest = sha256(&[origin.as_bytes(), b"\n", &[ED25519], key.as_bytes()]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

fn read_text(text: &str) -> Result<(&str, TreeHead), CheckpointError> {
    let mut lines = text.split('\n');
    let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
        return Err(CheckpointError::Malformed);
    };
    let root = <[u8; 32]>::try_from(decode(root)?).map_err(|_| CheckpointError::Malformed)?;
    Ok((origin, TreeHead { size: read_size(size)?, root: Digest::from_bytes(root) }))
}

/// Decimal without sign or leading zeros.
fn read_size(text: &str) -> Result<u64, CheckpointError> {
    let size: u64 = text.parse().map_err(|_| CheckpointError::Malformed)?;
    if size.to_string() == text { Ok(size) } else { Err(CheckpointError::Malformed) }
}

fn decode(text: &str) -> Result<Vec<u8>, CheckpointError> {
    STANDARD.decode(text).map_err(|_| CheckpointError::Malformed)
}

fn find_signature(lines: &str, origin: &str, key: &VerifyKey) -> Result<Vec<u8>, CheckpointError> {
    let lines = lines.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
    let wanted = key_hash(origin, key);
    let mut found = None;
    for line in lines.split('\n') {
        let (name, blob) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(CheckpointError::Malformed)?;
        let blob = decode(blob)?;
        let (hash, signature) = blob.split_at_checked(4).ok_or(CheckpointError::Malformed)?;
        if name == origin && hash == wanted && found.replace(signature.to_vec()).is_some() {
            return Err(CheckpointError::Malformed);
        }
    }
    found.ok_or(CheckpointError::Unsigned)
}
