//! What people change about their own factors, password and session, each with the factor that it was proved by.

use sallyport_decide::accounts::session::Method;
use sallyport_decide::accounts::throttle::{Charged, FactorCounter};
use sallyport_decide::accounts::totp::Step;
use sallyport_decide::policy::{self, Stage};
use sallyport_model::{Digest, FactorId, Name, SessionId, TenantId, Timestamp, UserId};
use serde_json::json;

use super::passkeys::{Added, NewFactor, PasskeyUse, use_passkey};
use super::sessions::end_others;
use super::{StoredPassword, stage_word, use_totp_step};
use crate::{Actor, Audit, Change, Entry, StoreError, Tx, values};

/// A factor that was proved: used up in the transaction that acts on it, for all routes together.
#[derive(Debug, Clone, Copy)]
pub enum UsedFactor {
    /// A code of an authenticator.
    Totp { factor: FactorId, step: Step },
    /// A passkey's answer.
    Passkey(PasskeyUse),
}

impl UsedFactor {
    /// [`StoreError::Conflict`] where this code or a later one, or the passkey, was used meanwhile.
    pub(in crate::ops) async fn use_up(&self, tx: &mut Tx, at: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Totp { factor, step } => use_totp_step(tx, *factor, *step, at).await,
            Self::Passkey(used) => use_passkey(tx, used, at).await,
        }
    }

    /// How it was proved.
    pub fn method(&self) -> Method {
        match self {
            Self::Totp { .. } => Method::Totp,
            Self::Passkey(_) => Method::Passkey,
        }
    }
}

/// Who does it, in which session, and when.
#[derive(Debug, Clone, Copy)]
pub struct Doing {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Doing {
    fn entry(&self, kind: &'static str, payload: serde_json::Value) -> Entry {
        Entry::new(kind, Actor::User(self.user), self.at, self.salt, payload)
    }
}

/// Keeps an authenticator that waits for its first code; one that waited before is gone. The factor that allowed it is used up.
pub struct SaveTotpDraft {
    pub by: Doing,
    pub used: Option<UsedFactor>,
    pub token: Digest,
    pub factor: FactorId,
    pub sealed: Vec<u8>,
}

impl Change for SaveTotpDraft {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("an authenticator that waits for its first code is none yet; adding it is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if let Some(used) = &self.used {
            used.use_up(tx, self.by.at).await?;
        }
        let sql = "INSERT INTO totp_drafts (user_id, token, session, factor, sealed, failures, created) VALUES ($1, $2, $3, $4, $5, 0, $6) \
                   ON CONFLICT (user_id) DO UPDATE SET token = excluded.token, session = excluded.session, factor = excluded.factor, \
                   sealed = excluded.sealed, failures = 0, created = excluded.created";
        tx.execute(sql, values![self.by.user, self.token, self.by.session, self.factor, self.sealed, self.by.at]).await.map(|_| ())
    }
}

/// Uses up a factor that allowed what happens outside of the store: the start of a passkey's registration.
pub struct UseFactor {
    pub used: UsedFactor,
    pub at: Timestamp,
}

impl Change for UseFactor {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("using a factor up changes nothing by itself; what it allows is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.used.use_up(tx, self.at).await
    }
}

/// An authenticator that waits for its first code.
pub struct TotpDraftRow {
    pub factor: FactorId,
    pub sealed: Vec<u8>,
    pub charged: Charged,
    pub created: Timestamp,
}

/// Charges a draft before its code is judged: of this session alone.
pub struct ChargeTotpDraft {
    pub token: Digest,
    pub user: UserId,
    pub session: SessionId,
}

impl Change for ChargeTotpDraft {
    type Out = Option<TotpDraftRow>;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; adding the authenticator is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Option<TotpDraftRow>, StoreError> {
        let sql = "UPDATE totp_drafts SET failures = failures + 1 WHERE user_id = $1 AND token = $2 AND session = $3 \
                   RETURNING factor, sealed, failures, created";
        let Some(row) = tx.fetch_optional(sql, values![self.user, self.token, self.session]).await? else { return Ok(None) };
        let failures: u32 = row.get("failures")?;
        let (_, charged) = FactorCounter { failures: failures.saturating_sub(1) }.charge();
        Ok(Some(TotpDraftRow { factor: row.id("factor")?, sealed: row.bytes("sealed")?, charged, created: row.time("created")? }))
    }
}

/// Adds an authenticator; the code that confirmed it is used up by it. [`StoreError::Conflict`] where the draft is gone.
pub struct AddTotp {
    pub factor: NewFactor,
    pub token: Digest,
    pub sealed: Vec<u8>,
    pub step: Step,
}

impl Change for AddTotp {
    type Out = Added;

    async fn apply(&self, tx: &mut Tx) -> Result<Added, StoreError> {
        let sql = "DELETE FROM totp_drafts WHERE user_id = $1 AND token = $2";
        tx.execute_versioned(sql, values![self.factor.user, self.token]).await?;
        self.factor.insert(tx, "totp", Some(&self.sealed), Some(self.step.to_stored())).await
    }
}

/// Gives a factor another name; [`StoreError::NotFound`] where it is not theirs.
pub struct RenameFactor {
    pub by: Doing,
    pub factor: FactorId,
    pub name: Name,
}

impl Change for RenameFactor {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE factors SET name = $3 WHERE id = $1 AND user_id = $2 AND kind <> 'recovery'";
        if tx.execute(sql, values![self.factor, self.by.user, self.name]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let payload = json!({ "factor": self.factor, "name": self.name.as_str() });
        tx.append(self.by.tenant, self.by.entry("factor.renamed", payload)).await.map(|_| ())
    }
}

/// Removes a factor inside the execution of its action, and ends the person's other sessions: any of them may have begun with it.
/// [`StoreError::Conflict`] where it is gone, or the last one.
pub(crate) async fn remove_factor(
    tx: &mut Tx,
    asker: &policy::Actor,
    factor: FactorId,
    at: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let user = asker.user;
    let others = "SELECT id FROM factors WHERE user_id = $1 AND id <> $2 AND kind <> 'recovery' LIMIT 1";
    if tx.fetch_optional(others, values![user, factor]).await?.is_none() {
        return Err(StoreError::Conflict);
    }
    tx.execute("DELETE FROM passkeys WHERE factor IN (SELECT id FROM factors WHERE id = $1 AND user_id = $2)", values![factor, user])
        .await?;
    let sql = "DELETE FROM factors WHERE id = $1 AND user_id = $2 AND kind <> 'recovery'";
    tx.execute_versioned(sql, values![factor, user]).await?;
    end_others(tx, user, asker.session, at).await
}

/// A factor was proved in a session: it is a full one, its step-up window opens, and its old token is dead.
pub struct ElevateSession {
    pub by: Doing,
    pub used: UsedFactor,
    pub token: Digest,
    /// None for a factor that does not count for guarded actions yet.
    pub step_up: Option<Timestamp>,
}

impl Change for ElevateSession {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.used.use_up(tx, self.by.at).await?;
        let sql = "UPDATE sessions SET stage = CASE WHEN stage = $3 THEN $4 ELSE stage END, token = $2, former_token = NULL, former_until = NULL, auth_time = $5, method = $6, \
                   step_up_at = COALESCE($7, step_up_at), challenged_at = NULL WHERE id = $1 AND ended_at IS NULL";
        let (from, to) = (stage_word(Stage::Factorless), stage_word(Stage::Full));
        let method = self.used.method().as_str();
        tx.execute_versioned(sql, values![self.by.session, self.token, from, to, self.by.at, method, self.step_up]).await?;
        let payload = json!({ "session": self.by.session, "method": method });
        tx.append(self.by.tenant, self.by.entry("session.elevated", payload)).await.map(|_| ())
    }
}

/// A factor still works.
pub struct CheckFactor {
    pub by: Doing,
    pub used: UsedFactor,
}

impl Change for CheckFactor {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.used.use_up(tx, self.by.at).await?;
        let payload = json!({ "method": self.used.method().as_str() });
        tx.append(self.by.tenant, self.by.entry("factor.checked", payload)).await.map(|_| ())
    }
}

/// What becomes of other sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherSessions {
    /// They end.
    End,
    /// They go on.
    Keep,
}

/// Changes a password; the session goes on under another token. [`StoreError::Conflict`] where it was changed meanwhile.
pub struct ChangePassword {
    pub by: Doing,
    pub used: UsedFactor,
    pub old: StoredPassword,
    pub new: StoredPassword,
    pub token: Digest,
    pub others: OtherSessions,
}

impl Change for ChangePassword {
    type Out = Vec<SessionId>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<SessionId>, StoreError> {
        let (by, new) = (&self.by, &self.new);
        self.used.use_up(tx, by.at).await?;
        let sql = "UPDATE passwords SET salt = $3, hash = $4, memory_kib = $5, passes = $6, lanes = $7, changed = $8 \
                   WHERE user_id = $1 AND hash = $2";
        let args = values![by.user, self.old.hash, new.salt, new.hash, new.memory_kib, new.passes, new.lanes, by.at];
        tx.execute_versioned(sql, args).await?;
        // What a breached password kept shut opens now, as far as it would have without the breach.
        let sql = "UPDATE sessions SET token = $2, former_token = NULL, former_until = NULL, auth_time = $3, stage = CASE WHEN stage <> $4 THEN stage \
                   WHEN (SELECT codes_kept FROM users WHERE id = $5) = 1 THEN $6 ELSE $7 END WHERE id = $1 AND ended_at IS NULL";
        let [waits, full, codes] = [Stage::NewPassword, Stage::Full, Stage::Codes].map(stage_word);
        tx.execute_versioned(sql, values![by.session, self.token, by.at, waits, by.user, full, codes]).await?;
        let ended = match self.others {
            OtherSessions::Keep => Vec::new(),
            OtherSessions::End => end_others(tx, by.user, by.session, by.at).await?,
        };
        let payload = json!({ "user": by.user, "sessions": ended });
        tx.append(by.tenant, by.entry("password.changed", payload)).await?;
        Ok(ended)
    }
}
