//! Passkeys: found by their credential, used once for each challenge, added and named by their owners.

use sallyport_decide::accounts::sign_in::{Account, CodesKept, UserState};
use sallyport_decide::accounts::webauthn::{Asserted, Backup, Eligibility, PublicKey, Registered, Stored};
use sallyport_model::{Digest, FactorId, Name, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::Replacement;
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Spends a challenge before its answer is verified.
pub struct SpendChallenge {
    pub challenge: Digest,
    pub expires: Timestamp,
}

/// Whether a challenge could be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Now, by this answer.
    Now,
    /// An answer was here before.
    Before,
}

impl Change for SpendChallenge {
    type Out = Spent;
    const AUDIT: Audit = Audit::Exempt("challenges are spent before they are judged; what follows is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Spent, StoreError> {
        let sql = "INSERT INTO spent_challenges (challenge, expires) VALUES ($1, $2) ON CONFLICT (challenge) DO NOTHING";
        let spent = tx.execute(sql, values![self.challenge, self.expires]).await?;
        Ok(if spent == 1 { Spent::Now } else { Spent::Before })
    }
}

/// Forgets challenges that expired: they are refused for their time.
pub struct ForgetChallenges {
    pub at: Timestamp,
}

impl Change for ForgetChallenges {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("a challenge that expired is refused for its time alone");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        tx.execute("DELETE FROM spent_challenges WHERE expires < $1", values![self.at]).await
    }
}

/// A credential with its account, as facts.
pub struct PasskeyFacts {
    pub factor: FactorId,
    pub tenant: TenantId,
    pub account: Account,
    pub stored: Stored,
    /// From when it counts for guarded actions, where that is later than its enrolment.
    pub counts_from: Option<Timestamp>,
}

/// Finds a credential, whoever it belongs to.
pub async fn passkey(reader: &mut Reader, credential: &[u8]) -> Result<Option<PasskeyFacts>, StoreError> {
    let sql = "SELECT p.factor, p.cose, p.sign_count, p.synced, f.counts_from, u.id AS user_id, u.tenant, u.state, u.codes_kept \
               FROM passkeys p JOIN factors f ON f.id = p.factor JOIN users u ON u.id = f.user_id WHERE p.credential = $1";
    let row = reader.fetch_optional(sql, values![credential]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<PasskeyFacts, StoreError> {
    let codes_kept = if row.flag("codes_kept")? { CodesKept::Confirmed } else { CodesKept::Unconfirmed };
    Ok(PasskeyFacts {
        factor: row.id("factor")?,
        tenant: row.id("tenant")?,
        account: Account { user: row.id("user_id")?, state: UserState::from_stored(&row.text("state")?), codes_kept },
        stored: Stored {
            key: PublicKey::from_cose(&row.bytes("cose")?).map_err(|_| StoreError::Corrupt("cose"))?,
            sign_count: row.get("sign_count")?,
            eligibility: eligibility(row)?,
        },
        counts_from: row.time_opt("counts_from")?,
    })
}

fn eligibility(row: &Row) -> Result<Eligibility, StoreError> {
    Ok(if row.flag("synced")? { Eligibility::Synced } else { Eligibility::DeviceBound })
}

/// A passkey as its owner and their browsers see it.
pub struct PasskeyRow {
    pub factor: FactorId,
    pub credential: Vec<u8>,
    pub transports: Vec<String>,
    pub eligibility: Eligibility,
    pub backup: Backup,
    pub aaguid: [u8; 16],
}

/// A user's passkeys, oldest first.
pub async fn passkeys(reader: &mut Reader, user: UserId) -> Result<Vec<PasskeyRow>, StoreError> {
    let sql = "SELECT p.factor, p.credential, p.transports, p.synced, p.backed_up, p.aaguid FROM passkeys p \
               JOIN factors f ON f.id = p.factor WHERE f.user_id = $1 ORDER BY f.created, f.id LIMIT 100";
    let rows = reader.fetch_all(sql, values![user]).await?;
    let read = |row: &Row| {
        Ok(PasskeyRow {
            factor: row.id("factor")?,
            credential: row.bytes("credential")?,
            transports: row.text("transports")?.split_ascii_whitespace().map(str::to_owned).collect(),
            eligibility: eligibility(row)?,
            backup: if row.flag("backed_up")? { Backup::Done } else { Backup::None },
            aaguid: row.get("aaguid")?,
        })
    };
    rows.iter().map(read).collect()
}

/// An answer by a passkey that held: stored in the transaction that acts on it.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyUse {
    pub factor: FactorId,
    /// The counter that it was judged by.
    pub before: u32,
    pub asserted: Asserted,
}

/// Stores the counter. [`StoreError::Conflict`] where the credential was used or removed meanwhile.
pub(super) async fn use_passkey(tx: &mut Tx, used: &PasskeyUse, at: Timestamp) -> Result<(), StoreError> {
    let backed_up = used.asserted.backup == Backup::Done;
    let sql = "UPDATE passkeys SET sign_count = $3, backed_up = $4 WHERE factor = $1 AND sign_count = $2";
    tx.execute_versioned(sql, values![used.factor, used.before, used.asserted.sign_count, backed_up]).await?;
    tx.execute("UPDATE factors SET last_used = $2 WHERE id = $1", values![used.factor, at]).await.map(|_| ())
}

/// A factor that begins.
#[derive(Clone)]
pub struct NewFactor {
    pub tenant: TenantId,
    pub user: UserId,
    pub factor: FactorId,
    pub name: Name,
    pub counts_from: Option<Timestamp>,
    /// The code that comes with a factor which ends a recovery.
    pub replacement: Option<Replacement>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

/// What adding a factor came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Done,
    /// It is there, and [`NewFactor::replacement`] holds in place of the code that was used.
    WithCode,
    /// The user has as many as they may have.
    TooMany,
}

impl NewFactor {
    /// Inserts the row that all kinds have, with its entry.
    pub(super) async fn insert(
        &self,
        tx: &mut Tx,
        kind: &'static str,
        sealed: Option<&Vec<u8>>,
        last_step: Option<i64>,
    ) -> Result<Added, StoreError> {
        let payload = json!({ "factor": self.factor, "kind": kind, "name": self.name.as_str(), "user": self.user });
        let sql = "SELECT COUNT(*) AS n FROM factors WHERE user_id = $1 AND kind <> 'recovery'";
        if tx.fetch_one(sql, values![self.user]).await?.uint("n")? >= limits::FACTORS_PER_USER as u64 {
            tx.append(self.tenant, Entry::new("factor.refused", Actor::User(self.user), self.at, self.salt, payload)).await?;
            return Ok(Added::TooMany);
        }
        let last_used = last_step.map(|_| self.at);
        let sql = "INSERT INTO factors (id, user_id, kind, name, sealed, last_step, failures, last_used, created, counts_from) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9)";
        tx.execute(sql, values![self.factor, self.user, kind, self.name, sealed, last_step, last_used, self.at, self.counts_from]).await?;
        tx.append(self.tenant, Entry::new("factor.added", Actor::User(self.user), self.at, self.salt, payload)).await?;
        match &self.replacement {
            Some(replacement) if replacement.issue(tx, self).await? => Ok(Added::WithCode),
            Some(_) | None => Ok(Added::Done),
        }
    }
}

/// Adds a passkey. [`StoreError::Exists`] where the credential is registered already, whoever it belongs to.
pub struct AddPasskey {
    pub factor: NewFactor,
    pub registered: Registered,
    pub transports: Vec<String>,
}

impl Change for AddPasskey {
    type Out = Added;

    async fn apply(&self, tx: &mut Tx) -> Result<Added, StoreError> {
        let added = self.factor.insert(tx, "passkey", None, None).await?;
        if added == Added::TooMany {
            return Ok(added);
        }
        let new = &self.registered;
        let (synced, backed_up) = (new.eligibility == Eligibility::Synced, new.backup == Backup::Done);
        let sql = "INSERT INTO passkeys (factor, credential, cose, sign_count, synced, backed_up, transports, aaguid) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (factor, transports) = (self.factor.factor, self.transports.join(" "));
        let credential = new.credential.as_bytes();
        tx.execute(sql, values![factor, credential, new.cose, new.sign_count, synced, backed_up, transports, new.aaguid]).await?;
        Ok(added)
    }
}

/// Tells that a passkey's counter did not go forward: somebody has a copy of its key.
pub struct ReportCopy {
    pub tenant: TenantId,
    pub user: UserId,
    pub factor: FactorId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ReportCopy {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let payload = json!({ "user": self.user, "factor": self.factor });
        tx.append(self.tenant, Entry::new("factor.copied", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}
