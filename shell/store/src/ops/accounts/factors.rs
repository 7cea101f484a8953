//! Authenticators and recovery codes: charged before they are judged, used up when they are accepted.

use sallyport_decide::accounts::throttle::{Charged, FactorCounter};
use sallyport_decide::accounts::totp::Step;
use sallyport_model::{Digest, FactorId, SessionId, TenantId, Timestamp, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{ChargedCredential, NewFactor, NewSession};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, Value, values};

/// An authenticator whose counter was charged.
pub struct ChargedTotp {
    pub factor: FactorId,
    /// The secret, sealed with the master key.
    pub sealed: Vec<u8>,
    pub last_step: Option<Step>,
    pub charged: Charged,
    /// From when it counts for guarded actions, where that is later than its enrolment.
    pub counts_from: Option<Timestamp>,
}

/// Charges a user's authenticators outside of sign-in: for proofs of authorization requests.
pub struct ChargeTotp {
    pub user: UserId,
}

impl Change for ChargeTotp {
    type Out = Vec<ChargedTotp>;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; a lock is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<ChargedTotp>, StoreError> {
        charge_totp(tx, self.user).await
    }
}

/// The counters go up and are durable before anything is compared. A code may be of any of a user's authenticators, so each of them is
/// charged: several authenticators give nobody more guesses.
pub(super) async fn charge_totp(tx: &mut Tx, user: UserId) -> Result<Vec<ChargedTotp>, StoreError> {
    let sql = "UPDATE factors SET failures = failures + 1 WHERE user_id = $1 AND kind = 'totp' \
               RETURNING id, sealed, last_step, failures, counts_from";
    let mut charged: Vec<ChargedTotp> = tx.fetch_all(sql, values![user]).await?.iter().map(charged).collect::<Result<_, _>>()?;
    charged.sort_by_key(|factor| factor.factor);
    Ok(charged)
}

fn charged(row: &Row) -> Result<ChargedTotp, StoreError> {
    Ok(ChargedTotp {
        factor: row.id("id")?,
        sealed: row.bytes("sealed")?,
        last_step: row.int_opt("last_step")?.map(Step::from_stored),
        charged: outcome(row.get("failures")?),
        counts_from: row.time_opt("counts_from")?,
    })
}

/// Counted, and never locked: 120 bits are not guessed, and a lock would only let whoever has the password keep the owner out for good.
pub(super) async fn charge_recovery(tx: &mut Tx, user: UserId, hash: Digest) -> Result<ChargedCredential, StoreError> {
    let sql = "UPDATE factors SET failures = failures + 1 WHERE user_id = $1 AND kind = 'recovery' RETURNING id";
    let Some(row) = tx.fetch_optional(sql, values![user]).await? else { return Ok(ChargedCredential::None) };
    let held = "SELECT hash FROM recovery_codes WHERE user_id = $1 AND hash = $2 AND used_at IS NULL";
    let held = tx.fetch_optional(held, values![user, hash]).await?.is_some();
    Ok(ChargedCredential::Recovery { factor: row.id("id")?, charged: Charged::Open, held })
}

/// `failures` counts this attempt already.
fn outcome(failures: u32) -> Charged {
    FactorCounter { failures: failures.saturating_sub(1) }.charge().1
}

/// Uses a time step up and sets the factor's own counter to zero. [`StoreError::Conflict`] where this step or a later one was used.
/// The owner's other authenticators, charged for the same code, get this charge back and no other.
pub async fn use_totp_step(tx: &mut Tx, factor: FactorId, step: Step, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE factors SET last_step = $2, last_used = $3, failures = 0, locked_at = NULL \
               WHERE id = $1 AND (last_step IS NULL OR last_step < $2)";
    tx.execute_versioned(sql, values![factor, step.to_stored(), at]).await?;
    let others = "UPDATE factors SET failures = failures - 1 WHERE kind = 'totp' AND failures > 0 AND locked_at IS NULL AND id <> $1 \
                  AND user_id = (SELECT user_id FROM factors WHERE id = $1)";
    tx.execute(others, values![factor]).await.map(|_| ())
}

/// Uses a recovery code up and sets all of its owner's counters to zero: with the password it stands for two factors, so that it opens an
/// authenticator again that the password alone was enough to lock. [`StoreError::Conflict`] where it was used meanwhile.
pub async fn use_recovery_code(tx: &mut Tx, user: UserId, factor: FactorId, hash: Digest, session: &NewSession) -> Result<(), StoreError> {
    let at = session.at;
    let sql = "UPDATE recovery_codes SET used_at = $3, used_in = $4 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL";
    tx.execute_versioned(sql, values![user, hash, at, session.id]).await?;
    tx.execute("UPDATE factors SET failures = 0, locked_at = NULL WHERE user_id = $1", values![user]).await?;
    tx.execute("UPDATE factors SET last_used = $2 WHERE id = $1", values![factor, at]).await.map(|_| ())
}

pub(super) async fn lock(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    factor: FactorId,
    at: Timestamp,
    salt: [u8; 32],
) -> Result<(), StoreError> {
    let sql = "UPDATE factors SET locked_at = $3 WHERE id = $1 AND user_id = $2 AND locked_at IS NULL AND failures > 0";
    if tx.execute(sql, values![factor, user, at]).await? > 0 {
        let payload = json!({ "user": user, "factor": factor });
        tx.append(tenant, Entry::new("factor.locked", Actor::System, at, salt, payload)).await?;
    }
    Ok(())
}

/// Tells that a factor is locked, where the last attempt was not part of a sign-in.
pub struct LockFactor {
    pub tenant: TenantId,
    pub user: UserId,
    pub factor: FactorId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for LockFactor {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tells the log once; who comes second has nothing to tell");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        lock(tx, self.tenant, self.user, self.factor, self.at, self.salt).await
    }
}

/// The stored forms of a user's new recovery codes.
pub type RecoveryHashes = Vec<Digest>;

/// Puts new codes in place of all old ones, used or not, and unlocks recovery: old guesses say nothing of new codes.
pub(crate) async fn replace_recovery_codes(tx: &mut Tx, user: UserId, hashes: &RecoveryHashes, at: Timestamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM recovery_codes WHERE user_id = $1", values![user]).await?;
    let rows: Vec<Vec<Value>> = hashes.iter().map(|hash| values![user, hash, at].to_vec()).collect();
    tx.insert_rows("recovery_codes", &["user_id", "hash", "created"], &rows).await?;
    let reset = "UPDATE factors SET failures = 0, locked_at = NULL WHERE user_id = $1 AND kind = 'recovery'";
    tx.execute(reset, values![user]).await.map(|_| ())
}

/// A code that takes the place of the one that a session was opened with.
#[derive(Debug, Clone, Copy)]
pub struct Replacement {
    pub session: SessionId,
    pub hash: Digest,
}

impl Replacement {
    /// Issues it, once for each used code; false where there is none to replace. It comes with the factor that ends a recovery and not with
    /// the session that begins one: whoever has stolen a code gains nothing by it that the factor does not give, and leaves its trace.
    pub(super) async fn issue(&self, tx: &mut Tx, to: &NewFactor) -> Result<bool, StoreError> {
        let sql = "DELETE FROM recovery_codes WHERE user_id = $1 AND used_in = $2 AND used_at IS NOT NULL";
        if tx.execute(sql, values![to.user, self.session]).await? == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO recovery_codes (user_id, hash, created) VALUES ($1, $2, $3)";
        tx.execute(sql, values![to.user, self.hash, to.at]).await?;
        // Each entry has a salt of its own.
        let salt = Sha256::new().chain_update(to.salt).chain_update(b"recovery_code.issued").finalize().into();
        let payload = json!({ "user": to.user, "session": self.session, "factor": to.factor });
        tx.append(to.tenant, Entry::new("recovery_code.issued", Actor::User(to.user), to.at, salt, payload)).await?;
        Ok(true)
    }
}

/// How many recovery codes a user still has.
pub async fn recovery_codes_left(reader: &mut Reader, user: UserId) -> Result<u32, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL";
    reader.fetch_one(sql, values![user]).await?.get("n")
}

/// A factor as its owner sees it: no secret.
pub struct FactorRow {
    pub id: FactorId,
    pub kind: String,
    pub name: String,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
    pub counts_from: Option<Timestamp>,
    pub counter: FactorCounter,
}

/// A user's authenticators and passkeys.
pub async fn factors(reader: &mut Reader, user: UserId) -> Result<Vec<FactorRow>, StoreError> {
    let sql = "SELECT id, kind, name, created, last_used, failures, counts_from FROM factors WHERE user_id = $1 AND kind <> 'recovery' \
               ORDER BY created, id LIMIT 100";
    let rows = reader.fetch_all(sql, values![user]).await?;
    let read = |row: &Row| {
        let counter = FactorCounter { failures: row.get("failures")? };
        Ok(FactorRow {
            id: row.id("id")?,
            kind: row.text("kind")?,
            name: row.text("name")?,
            created: row.time("created")?,
            last_used: row.time_opt("last_used")?,
            counts_from: row.time_opt("counts_from")?,
            counter,
        })
    };
    rows.iter().map(read).collect()
}
