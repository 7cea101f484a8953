//! Keys of creations that are done once: claimed before anything is done, with the sealed answer once there is one.

use sallyport_model::{Digest, Timestamp, limits};

use crate::{Audit, Change, StoreError, Tx, values};

/// Whose key, and which: its hash, so that it can be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOf {
    /// A user's or an API client's id.
    pub caller: [u8; 16],
    pub key: Digest,
}

impl KeyOf {
    /// What its answer is sealed to.
    pub fn place(&self) -> Vec<u8> {
        [self.caller.as_slice(), self.key.as_bytes()].concat()
    }
}

/// What claiming a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is new: do it.
    Now,
    /// It was done: this is the sealed answer.
    Before(Vec<u8>),
    /// The first one has no answer yet, or never got one.
    UnderWay,
    /// It was used for another request.
    ForAnother,
}

/// Claims a key. What is older than a day is forgotten, and the oldest of a caller who has too many.
pub struct ClaimKey {
    pub of: KeyOf,
    /// SHA-256 of the request.
    pub request: Digest,
    pub at: Timestamp,
}

impl Change for ClaimKey {
    type Out = Claimed;
    const AUDIT: Audit = Audit::Exempt("a key is claimed before its request is judged; what follows is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Claimed, StoreError> {
        let KeyOf { caller, key } = &self.of;
        let before = self.at.plus_secs(-limits::IDEMPOTENCY_SECS);
        tx.execute("DELETE FROM idempotency WHERE caller = $1 AND at <= $2", values![caller, before]).await?;
        let sql = "SELECT request, answer FROM idempotency WHERE caller = $1 AND key = $2";
        if let Some(row) = tx.fetch_optional(sql, values![caller, key]).await? {
            return Ok(match (row.digest("request")? == self.request, row.bytes_opt("answer")?) {
                (false, _) => Claimed::ForAnother,
                (true, Some(answer)) => Claimed::Before(answer),
                (true, None) => Claimed::UnderWay,
            });
        }
        let sql = "SELECT at FROM idempotency WHERE caller = $1 ORDER BY at DESC LIMIT 1 OFFSET $2";
        if let Some(row) = tx.fetch_optional(sql, values![caller, limits::IDEMPOTENCY_KEYS - 1]).await? {
            tx.execute("DELETE FROM idempotency WHERE caller = $1 AND at <= $2", values![caller, row.time("at")?]).await?;
        }
        let sql = "INSERT INTO idempotency (caller, key, request, at) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, values![caller, key, self.request, self.at]).await?;
        Ok(Claimed::Now)
    }
}

/// Keeps the answer.
pub struct KeepAnswer {
    pub of: KeyOf,
    pub answer: Vec<u8>,
}

impl Change for KeepAnswer {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a copy of an answer, for whoever asked; what was done is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE idempotency SET answer = $3 WHERE caller = $1 AND key = $2";
        tx.execute(sql, values![self.of.caller, self.of.key, self.answer]).await.map(|_| ())
    }
}

/// Forgets the keys of callers who do not come back.
pub struct ForgetOldKeys {
    pub at: Timestamp,
}

impl Change for ForgetOldKeys {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a key counts for a day");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let before = self.at.plus_secs(-limits::IDEMPOTENCY_SECS);
        tx.execute("DELETE FROM idempotency WHERE at <= $1", values![before]).await.map(|_| ())
    }
}

/// Gives a key back: its request was refused.
pub struct ForgetKey {
    pub of: KeyOf,
}

impl Change for ForgetKey {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("nothing was done with it");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "DELETE FROM idempotency WHERE caller = $1 AND key = $2";
        tx.execute(sql, values![self.of.caller, self.of.key]).await.map(|_| ())
    }
}
