//! Programs that sign in as a person: a code is issued by a browser's session, spent once, and becomes a session of its own.

use sallyport_decide::accounts::program::IssuedCode;
use sallyport_decide::accounts::proof::Thumbprint;
use sallyport_decide::accounts::sign_in::UserState;
use sallyport_model::{Digest, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::NewSession;
use crate::{Actor, Audit, Change, Entry, Row, StoreError, Tx, values};

/// Writes down a code that was given to a program. [`StoreError::Busy`] where the person has too many that are not used;
/// [`StoreError::Conflict`] where the session that said yes has ended.
pub struct IssueCode {
    pub tenant: TenantId,
    pub user: UserId,
    /// The session that said yes.
    pub approver: SessionId,
    /// The session that will be.
    pub session: SessionId,
    pub code: Digest,
    pub asked: IssuedCode,
    pub program: String,
    pub address: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for IssueCode {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        lives(tx, self.approver).await?;
        let sql = "SELECT COUNT(*) AS waiting FROM program_codes WHERE user_id = $1 AND spent IS NULL AND expires > $2";
        if tx.fetch_one(sql, values![self.user, self.at]).await?.uint("waiting")? >= limits::PROGRAM_CODES_PER_USER {
            return Err(StoreError::Busy);
        }
        let sql = "INSERT INTO program_codes (code, tenant, user_id, approver, session, program, address, jkt, challenge, redirect, issued, \
                   expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let IssuedCode { key, challenge, redirect, expires } = &self.asked;
        let (who, what) = ((self.tenant, self.user, self.approver), (&self.program, &self.address));
        tx.execute(
            sql,
            values![
                self.code,
                who.0,
                who.1,
                who.2,
                self.session,
                what.0,
                what.1,
                *key.as_bytes(),
                *challenge,
                redirect,
                self.at,
                *expires,
            ],
        )
        .await?;
        let payload = json!({ "program": self.program, "session": self.session, "approver": self.approver, "address": self.address });
        tx.append(self.tenant, Entry::new("program.approved", Actor::User(self.user), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// [`StoreError::Conflict`] where the session that says yes to a program has ended.
pub(super) async fn lives(tx: &mut Tx, session: SessionId) -> Result<(), StoreError> {
    let sql = "SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL";
    tx.fetch_optional(sql, values![session]).await?.map(|_| ()).ok_or(StoreError::Conflict)
}

/// A code that was shown for the first time.
#[derive(Debug, Clone)]
pub struct SpentCode {
    pub tenant: TenantId,
    pub user: UserId,
    pub approver: SessionId,
    pub session: SessionId,
    pub program: String,
    /// Where the yes was said.
    pub address: String,
    pub issued: IssuedCode,
}

/// What became of a code that was shown.
#[derive(Debug, Clone)]
pub enum Shown {
    /// It is used up now, and may be judged.
    First(Box<SpentCode>),
    /// It was used before: what it gave must end.
    Again { tenant: TenantId, user: UserId, session: SessionId },
    /// There is none, or its second use was noticed before.
    Unknown,
}

/// Uses a code up, whoever shows it.
pub struct SpendCode {
    pub code: Digest,
    pub at: Timestamp,
}

impl Change for SpendCode {
    type Out = Shown;
    const AUDIT: Audit = Audit::Exempt("codes are used up before they are judged; what follows is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Shown, StoreError> {
        let sql = "UPDATE program_codes SET spent = $2 WHERE code = $1 AND spent IS NULL \
                   RETURNING tenant, user_id, approver, session, program, address, jkt, challenge, redirect, expires";
        if let Some(row) = tx.fetch_optional(sql, values![self.code, self.at]).await? {
            return read_spent(&row).map(|spent| Shown::First(Box::new(spent)));
        }
        let sql = "UPDATE program_codes SET reused = $2 WHERE code = $1 AND reused IS NULL RETURNING tenant, user_id, session";
        let Some(row) = tx.fetch_optional(sql, values![self.code, self.at]).await? else { return Ok(Shown::Unknown) };
        Ok(Shown::Again { tenant: row.id("tenant")?, user: row.id("user_id")?, session: row.id("session")? })
    }
}

fn read_spent(row: &Row) -> Result<SpentCode, StoreError> {
    Ok(SpentCode {
        tenant: row.id("tenant")?,
        user: row.id("user_id")?,
        approver: row.id("approver")?,
        session: row.id("session")?,
        program: row.text("program")?,
        address: row.text("address")?,
        issued: IssuedCode {
            key: Thumbprint::from_bytes(row.get("jkt")?),
            challenge: row.get("challenge")?,
            redirect: row.text("redirect")?,
            expires: row.time("expires")?,
        },
    })
}

/// A code was used twice: somebody copied it. What it gave ends, if it gave anything yet.
pub struct EndReused {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndReused {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
        tx.execute(sql, values![self.session, self.at]).await?;
        let payload = json!({ "user": self.user, "session": self.session });
        tx.append(self.tenant, Entry::new("program.code_reused", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// Opens the session of a code that holds. [`StoreError::Conflict`] where the code was used again meanwhile, the session that said yes has
/// ended, or the account does not work any more.
pub struct OpenProgram {
    pub tenant: TenantId,
    pub code: Digest,
    pub approver: SessionId,
    pub program: String,
    /// When the person last proved a factor, in the session that said yes: no window opens by this.
    pub auth_time: Timestamp,
    pub session: NewSession,
}

impl Change for OpenProgram {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        lives(tx, self.approver).await?;
        let sql = "SELECT code FROM program_codes WHERE code = $1 AND session = $2 AND spent IS NOT NULL AND reused IS NULL";
        tx.fetch_optional(sql, values![self.code, self.session.id]).await?.ok_or(StoreError::Conflict)?;
        opened(tx, self.tenant, &self.session, (&self.program, self.auth_time)).await
    }
}

/// Opens a program's session in the name of an account that works; `auth_time` is when its person last proved a factor.
pub(super) async fn opened(
    tx: &mut Tx,
    tenant: TenantId,
    session: &NewSession,
    (program, auth_time): (&str, Timestamp),
) -> Result<(), StoreError> {
    let sql = "SELECT id FROM users WHERE id = $1 AND state = $2 AND (expires IS NULL OR expires > $3)";
    let active = UserState::Active.as_str();
    tx.fetch_optional(sql, values![session.user, active, session.at]).await?.ok_or(StoreError::Conflict)?;
    session.insert(tx, tenant).await?;
    let sql = "UPDATE sessions SET program = $2, auth_time = $3 WHERE id = $1";
    tx.execute(sql, values![session.id, program, auth_time]).await.map(|_| ())
}
