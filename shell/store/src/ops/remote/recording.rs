//! Recordings: pieces as the device sends them, and their digest once the last one came.

use sallyport_model::{DeviceId, Digest, RemoteSessionId, TenantId, Timestamp, limits};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A device sent a piece of a recording; [`StoreError::NotFound`] where it has no such session.
pub struct KeepPiece {
    pub tenant: TenantId,
    pub device: DeviceId,
    pub session: RemoteSessionId,
    pub seq: u64,
    pub content: Vec<u8>,
    pub is_last: bool,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

/// Where a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub next_piece: u64,
}

impl Change for KeepPiece {
    type Out = Kept;
    const AUDIT: Audit =
        Audit::Exempt("pieces of a recording whose session is in the log; the digest of the whole is logged with the last one");

    async fn apply(&self, tx: &mut Tx) -> Result<Kept, StoreError> {
        let sql = "SELECT * FROM remote_sessions WHERE tenant = $1 AND id = $2 AND device = $3 AND is_recorded = 1";
        let row = tx.fetch_one(sql, values![self.tenant, self.session, self.device]).await?;
        let (next, bytes) = (row.uint("next_piece")?, row.uint("recording_bytes")? + self.content.len() as u64);
        // A repetition is acknowledged again; a gap, or more than any recording may have, is not stored.
        if self.seq != next || row.get_opt::<Digest>("recording_sha256")?.is_some() || bytes > limits::RECORDING_BYTES {
            return Ok(Kept { next_piece: next });
        }
        let sql = "INSERT INTO recording_pieces (remote_session, seq, content) VALUES ($1, $2, $3)";
        tx.execute(sql, values![self.session, self.seq, self.content]).await?;
        let sql = "UPDATE remote_sessions SET next_piece = $2, recording_bytes = $3 WHERE id = $1";
        tx.execute(sql, values![self.session, next + 1, bytes]).await?;
        if self.is_last {
            self.finish(tx, &row, next + 1, bytes).await?;
        }
        Ok(Kept { next_piece: next + 1 })
    }
}

impl KeepPiece {
    async fn finish(&self, tx: &mut Tx, row: &Row, pieces: u64, bytes: u64) -> Result<(), StoreError> {
        let mut hash = Sha256::new();
        for seq in 0..pieces {
            hash.update(recording_piece(tx, self.session, seq).await?);
        }
        let sha256 = Digest::from_bytes(hash.finalize().into());
        tx.execute("UPDATE remote_sessions SET recording_sha256 = $2 WHERE id = $1", values![self.session, sha256]).await?;
        let payload = json!({ "remote_session": self.session, "device": self.device, "session_kind": row.text("kind")?, "sha256": sha256,
            "bytes": bytes });
        tx.append(self.tenant, Entry::new("remote_session.recorded", Actor::Device(self.device), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// One piece of a recording.
pub async fn recording_piece(reader: &mut Reader, session: RemoteSessionId, seq: u64) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT content FROM recording_pieces WHERE remote_session = $1 AND seq = $2";
    reader.fetch_one(sql, values![session, seq]).await?.bytes("content")
}
