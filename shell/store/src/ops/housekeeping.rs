//! What the server tidies by itself.

use sallyport_model::Timestamp;

use super::runs::silent_since;
use crate::{Audit, Change, Reader, StoreError, Tx, values};

/// Whether a request has lapsed or a run's grant has: asked before anything is written.
pub async fn work_is_due(reader: &mut Reader, now: Timestamp) -> Result<bool, StoreError> {
    let lapsed = "SELECT 1 AS due FROM requests WHERE state = 'open' AND expires <= $1 LIMIT 1";
    if reader.fetch_optional(lapsed, values![now]).await?.is_some() {
        return Ok(true);
    }
    let expired = "SELECT 1 AS due FROM jobs j WHERE j.left_runs > 0 AND j.expires <= $1 \
                   AND (j.expires <= $2 OR EXISTS (SELECT 1 FROM runs r WHERE r.job = j.id AND r.state = 'waiting')) LIMIT 1";
    Ok(reader.fetch_optional(expired, values![now, silent_since(now)]).await?.is_some())
}

/// Which devices a person reached is kept for the hour's sum and for what is unusual; not for ever.
pub struct ForgetOldTouches {
    pub before: Timestamp,
}

impl Change for ForgetOldTouches {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("what the actions did is in the log; this is the counter for sums");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        tx.execute("DELETE FROM touches WHERE at < $1", values![self.before]).await
    }
}
