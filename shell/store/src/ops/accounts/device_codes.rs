//! Programs that wait for their person by a device code: asked for by strangers, polled for by the key that asked, answered once.

use sallyport_decide::accounts::device_code::{Answered, DeviceRequest, Guesses, MustWait, Poll, Polled};
use sallyport_decide::accounts::proof::{ProvenKey, Thumbprint};
use sallyport_model::{Digest, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::{Value as Json, json};

use super::programs::{lives, opened};
use super::{Doing, NewSession, UsedFactor};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Whether any tenant of this server lets programs in by device codes.
pub async fn any_allows_device_codes(reader: &mut Reader) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM tenants WHERE device_codes = 1 LIMIT 1";
    Ok(reader.fetch_optional(sql, values![]).await?.is_some())
}

/// Writes down that a program waits. [`StoreError::Busy`] where too many do.
pub struct AskByCode {
    pub request: DeviceRequest,
    pub user_code: Digest,
    /// What its address is counted as.
    pub network: String,
}

impl Change for AskByCode {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a stranger asked; what a person answers, and what comes of it, is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let DeviceRequest { code, key, program, address, user_agent, asked, expires } = &self.request;
        let waiting = Answered::Waiting.as_str();
        let sql = "SELECT COUNT(*) AS waiting FROM device_codes WHERE expires > $1 AND answered = $2";
        let all = tx.fetch_one(sql, values![*asked, waiting]).await?.uint("waiting")?;
        let sql = "SELECT COUNT(*) AS waiting FROM device_codes WHERE expires > $1 AND answered = $2 AND network = $3";
        let near = tx.fetch_one(sql, values![*asked, waiting, self.network]).await?.uint("waiting")?;
        if all >= limits::DEVICE_REQUESTS || near >= limits::DEVICE_REQUESTS_PER_ADDRESS {
            return Err(StoreError::Busy);
        }
        let sql = "INSERT INTO device_codes (code, user_code, jkt, program, address, network, user_agent, asked, expires, interval_secs, answered) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let (who, what) = ((*code, self.user_code, *key.as_bytes()), (program, address, &self.network, user_agent));
        let args = values![who.0, who.1, who.2, what.0, what.1, what.2, what.3, *asked, *expires, limits::DEVICE_POLL_SECS, waiting];
        tx.execute(sql, args).await.map(|_| ())
    }
}

/// The program that waits under this code, if one does.
pub async fn waiting_program(reader: &mut Reader, user_code: Digest, now: Timestamp) -> Result<Option<DeviceRequest>, StoreError> {
    let sql = "SELECT code, jkt, program, address, user_agent, asked, expires FROM device_codes \
               WHERE user_code = $1 AND answered = $2 AND expires > $3";
    let row = reader.fetch_optional(sql, values![user_code, Answered::Waiting.as_str(), now]).await?;
    row.as_ref().map(read_request).transpose()
}

fn read_request(row: &Row) -> Result<DeviceRequest, StoreError> {
    Ok(DeviceRequest {
        code: row.get("code")?,
        key: Thumbprint::from_bytes(row.get("jkt")?),
        program: row.text("program")?,
        address: row.text("address")?,
        user_agent: row.text("user_agent")?,
        asked: row.time("asked")?,
        expires: row.time("expires")?,
    })
}

/// Charges a typed code to whoever typed it and to where they are, before it is looked up.
pub struct ChargeGuess {
    pub user: UserId,
    pub network: String,
    pub at: Timestamp,
}

impl Change for ChargeGuess {
    type Out = Result<(), MustWait>;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; what follows on a right code is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<Result<(), MustWait>, StoreError> {
        let mut charged = Vec::new();
        for (who, most) in counted(self.user, &self.network) {
            let sql = "SELECT guesses, since FROM device_code_guesses WHERE who = $1";
            let before = tx.fetch_optional(sql, values![who]).await?;
            let before =
                before.map(|row| Ok::<_, StoreError>(Guesses { count: row.get("guesses")?, since: row.time("since")? })).transpose()?;
            match Guesses::charge(before, most, self.at) {
                Ok(guesses) => charged.push((who, guesses)),
                Err(wait) => return Ok(Err(wait)),
            }
        }
        for (who, Guesses { count, since }) in charged {
            let sql = "INSERT INTO device_code_guesses (who, guesses, since) VALUES ($1, $2, $3) \
                       ON CONFLICT (who) DO UPDATE SET guesses = excluded.guesses, since = excluded.since";
            tx.execute(sql, values![who, count, since]).await?;
        }
        Ok(Ok(()))
    }
}

/// Gives a charge back: the code was right.
pub struct RefundGuess {
    pub user: UserId,
    pub network: String,
}

impl Change for RefundGuess {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; what follows on a right code is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for (who, _) in counted(self.user, &self.network) {
            let sql = "UPDATE device_code_guesses SET guesses = guesses - 1 WHERE who = $1 AND guesses > 0";
            tx.execute(sql, values![who]).await?;
        }
        Ok(())
    }
}

fn counted(user: UserId, network: &str) -> [(String, u32); 2] {
    [(user.to_string(), limits::DEVICE_GUESSES_PER_USER), (format!("network {network}"), limits::DEVICE_GUESSES_PER_ADDRESS)]
}

/// A person says yes, by a passkey over exactly this request. [`StoreError::Conflict`] where somebody answered before, it expired, the tenant
/// switched device codes off meanwhile, or the session that says it has ended.
pub struct AllowByCode {
    pub by: Doing,
    pub request: DeviceRequest,
    /// The session that will be.
    pub session: SessionId,
    pub used: UsedFactor,
}

impl Change for AllowByCode {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (by, request) = (&self.by, &self.request);
        lives(tx, by.session).await?;
        still_allowed(tx, by.tenant).await?;
        self.used.use_up(tx, by.at).await?;
        let sql = "UPDATE device_codes SET answered = $2, tenant = $3, user_id = $4, approver = $5, session = $6, answered_at = $7 \
                   WHERE code = $1 AND answered = $8 AND expires > $7 AND jkt = $9";
        let (yes, waiting) = (Answered::Yes.as_str(), Answered::Waiting.as_str());
        let args = values![request.code, yes, by.tenant, by.user, by.session, self.session, by.at, waiting, *request.key.as_bytes()];
        tx.execute_versioned(sql, args).await?;
        let mut payload = told(request);
        payload["session"] = json!(self.session);
        payload["approver"] = json!(by.session);
        tx.append(by.tenant, Entry::new("device_code.approved", Actor::User(by.user), by.at, by.salt, payload)).await.map(|_| ())
    }
}

/// A person says no. [`StoreError::Conflict`] where somebody answered before, or it expired.
pub struct DenyByCode {
    pub by: Doing,
    pub request: DeviceRequest,
}

impl Change for DenyByCode {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (by, request) = (&self.by, &self.request);
        let sql = "UPDATE device_codes SET answered = $2, answered_at = $3 WHERE code = $1 AND answered = $4 AND expires > $3";
        let (no, waiting) = (Answered::No.as_str(), Answered::Waiting.as_str());
        tx.execute_versioned(sql, values![request.code, no, by.at, waiting]).await?;
        tx.append(by.tenant, Entry::new("device_code.denied", Actor::User(by.user), by.at, by.salt, told(request))).await.map(|_| ())
    }
}

fn told(request: &DeviceRequest) -> Json {
    json!({ "program": request.program, "address": request.address, "user_agent": request.user_agent })
}

async fn still_allowed(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    let sql = "SELECT id FROM tenants WHERE id = $1 AND device_codes = 1";
    tx.fetch_optional(sql, values![tenant]).await?.map(|_| ()).ok_or(StoreError::Conflict)
}

/// A yes that nothing came of yet is a no from now on: switching device codes on again brings none of them back.
pub(crate) async fn refuse_approved_programs(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    let sql = "UPDATE device_codes SET answered = $2 WHERE tenant = $1 AND answered = $3";
    tx.execute(sql, values![tenant, Answered::No.as_str(), Answered::Yes.as_str()]).await.map(|_| ())
}

/// What a person said yes to.
#[derive(Debug, Clone)]
pub struct AllowedProgram {
    pub tenant: TenantId,
    pub user: UserId,
    pub approver: SessionId,
    pub session: SessionId,
    pub program: String,
    /// Where the program asked from.
    pub address: String,
    /// When its person proved a passkey for it.
    pub at: Timestamp,
}

/// A poll that was judged.
#[derive(Debug, Clone)]
pub struct JudgedPoll {
    pub poll: Poll,
    /// Comes with a yes, once.
    pub allowed: Option<AllowedProgram>,
}

/// A program polls: what it is told is remembered, and a yes is used up by it.
pub struct PollByCode {
    pub code: Digest,
    pub proof: ProvenKey,
    pub at: Timestamp,
}

impl Change for PollByCode {
    type Out = JudgedPoll;
    const AUDIT: Audit = Audit::Exempt("codes are used up before they are judged; what follows is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<JudgedPoll, StoreError> {
        let sql = "SELECT jkt, answered, expires, interval_secs, last_poll, tenant, user_id, approver, session, program, address, answered_at \
                   FROM device_codes WHERE code = $1";
        let Some(row) = tx.fetch_optional(sql, values![self.code]).await? else {
            return Ok(JudgedPoll { poll: Poll::Nothing, allowed: None });
        };
        let polled = read_polled(&row)?;
        let poll = polled.judge(&self.proof, self.at);
        let allowed = match poll {
            Poll::Pending | Poll::TooFast => {
                let sql = "UPDATE device_codes SET last_poll = $2, interval_secs = $3 WHERE code = $1";
                tx.execute(sql, values![self.code, self.at, polled.interval_after(poll)]).await?;
                None
            }
            Poll::Approved => {
                let sql = "UPDATE device_codes SET answered = $2 WHERE code = $1 AND answered = $3";
                tx.execute_versioned(sql, values![self.code, Answered::Spent.as_str(), Answered::Yes.as_str()]).await?;
                Some(read_allowed(&row)?)
            }
            Poll::Denied | Poll::Expired | Poll::Nothing => None,
        };
        Ok(JudgedPoll { poll, allowed })
    }
}

fn read_polled(row: &Row) -> Result<Polled, StoreError> {
    Ok(Polled {
        key: Thumbprint::from_bytes(row.get("jkt")?),
        answered: Answered::parse(&row.text("answered")?).ok_or(StoreError::Corrupt("answered"))?,
        expires: row.time("expires")?,
        interval_secs: row.int("interval_secs")?,
        last_poll: row.time_opt("last_poll")?,
    })
}

fn read_allowed(row: &Row) -> Result<AllowedProgram, StoreError> {
    Ok(AllowedProgram {
        tenant: row.id("tenant")?,
        user: row.id("user_id")?,
        approver: row.id("approver")?,
        session: row.id("session")?,
        program: row.text("program")?,
        address: row.text("address")?,
        at: row.time("answered_at")?,
    })
}

/// Opens the session that a yes was for. [`StoreError::Conflict`] where it was opened before, the tenant switched device codes off meanwhile, the
/// session that said yes has ended, or the account does not work any more.
pub struct OpenByCode {
    pub code: Digest,
    pub allowed: AllowedProgram,
    pub session: NewSession,
}

impl Change for OpenByCode {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (allowed, session) = (&self.allowed, &self.session);
        lives(tx, allowed.approver).await?;
        still_allowed(tx, allowed.tenant).await?;
        let sql = "SELECT code FROM device_codes WHERE code = $1 AND session = $2 AND answered = $3 \
                   AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = $2)";
        tx.fetch_optional(sql, values![self.code, session.id, Answered::Spent.as_str()]).await?.ok_or(StoreError::Conflict)?;
        opened(tx, allowed.tenant, session, (&allowed.program, allowed.at)).await
    }
}

/// Forgets programs that wait no longer, and wrong codes that count no longer.
pub struct ForgetDeviceCodes {
    pub at: Timestamp,
}

impl Change for ForgetDeviceCodes {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a code that expired is refused for its time alone");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("DELETE FROM device_codes WHERE expires <= $1", values![self.at]).await?;
        let counted = self.at.plus_secs(-limits::DEVICE_GUESS_WINDOW_SECS);
        tx.execute("DELETE FROM device_code_guesses WHERE since <= $1", values![counted]).await.map(|_| ())
    }
}
