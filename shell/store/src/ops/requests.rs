//! Authorization requests: freezing, proving, denying. Executing is in `execute`.

use std::collections::BTreeSet;

use sallyport_decide::actions::approvals::{NotNow, Pressure, may_ask_others};
use sallyport_decide::actions::{Action, Eligible, Frozen, Hour, Method, Proof, RequestState, Requirement};
use sallyport_decide::policy::{self, Rights, Stage};
use sallyport_grant::body::Class;
use sallyport_model::{
    ApiClientId, ConnectionId, DeviceId, Digest, GrantId, JobId, RequestId, SessionId, TenantId, Timestamp, UserId, limits,
};
use serde_json::json;

use super::accounts::UsedFactor;
use super::bridge::{SealedSecret, keep_asked};
use super::people::{eligible_others, rights_of};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Devices that a person's actions reached since `since`.
async fn hour(reader: &mut Reader, tenant: TenantId, person: UserId, since: Timestamp) -> Result<Hour, StoreError> {
    let sql = "SELECT DISTINCT device FROM touches WHERE tenant = $1 AND person = $2 AND at > $3";
    let rows = reader.fetch_all(sql, values![tenant, person, since]).await?;
    let touched: BTreeSet<DeviceId> = rows.iter().map(|row| row.get("device")).collect::<Result<_, _>>()?;
    Ok(Hour { touched })
}

/// What a person reached within the hour: their action's class stands on it.
pub async fn hour_of(reader: &mut Reader, tenant: TenantId, person: UserId, now: Timestamp) -> Result<Hour, StoreError> {
    hour(reader, tenant, person, now.plus_secs(-limits::SUM_WINDOW_SECS)).await
}

/// How many others could be the second person. Only class 3 asks for one, so nobody else's roles are read for less.
pub async fn eligible(
    reader: &mut Reader,
    asker: (TenantId, UserId),
    action: &Action,
    class: Class,
    now: Timestamp,
) -> Result<Eligible, StoreError> {
    let others = match class {
        Class::Mass => eligible_others(reader, asker.0, asker.1, action, now).await?,
        Class::Read | Class::OneDevice | Class::Fleet => 0,
    };
    Ok(Eligible { others })
}

/// Whether a request's class and requirement are still high enough for what is true now.
pub async fn still_suffices(reader: &mut Reader, frozen: &Frozen, now: Timestamp) -> Result<bool, StoreError> {
    let (tenant, asker) = (frozen.asker.tenant, frozen.asker.user);
    let hour = hour_of(reader, tenant, asker, now).await?;
    let eligible = eligible(reader, (tenant, asker), &frozen.action, frozen.class, now).await?;
    Ok(frozen.still_suffices(&hour, eligible))
}

/// A secret variable, sealed to one device.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub device: DeviceId,
    pub name: String,
    pub sealed: Vec<u8>,
}

/// Keeps a frozen action until people have proved it.
pub struct Freeze {
    pub frozen: Frozen,
    pub grant: Option<GrantId>,
    pub secrets: Vec<Sealed>,
    /// The sealed credential of a connection.
    pub credential: Option<(ConnectionId, SealedSecret)>,
    pub waits: Waits,
    pub salt: [u8; 32],
}

/// Whether a frozen action waits for anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// For people's proofs.
    ForPeople,
    /// For nobody: an open step-up window releases it at once.
    ForNobody,
}

/// What freezing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frost {
    /// It waits.
    Kept,
    /// The session has as many open requests as it may have.
    TooMany,
    /// It takes two people, and others are not to be asked now.
    NotNow(NotNow),
}

impl Change for Freeze {
    type Out = Frost;

    async fn apply(&self, tx: &mut Tx) -> Result<Frost, StoreError> {
        let frozen = &self.frozen;
        let asker = &frozen.asker;
        let sql = "SELECT COUNT(*) AS open FROM requests WHERE session = $1 AND state = 'open' AND expires > $2";
        let open = tx.fetch_one(sql, values![asker.session, frozen.created]).await?.uint("open")?;
        if open >= limits::OPEN_REQUESTS_PER_SESSION as u64 {
            self.tell_refused(tx, "too_many_open_requests").await?;
            return Ok(Frost::TooMany);
        }
        if let (Requirement::TwoPeople, Err(not_now)) =
            (frozen.requirement, may_ask_others(pressure(tx, asker, frozen.created).await?, frozen.created))
        {
            self.tell_refused(tx, "others_not_asked_now").await?;
            return Ok(Frost::NotNow(not_now));
        }
        insert(tx, frozen, self.grant).await?;
        let columns = &["grant_id", "device", "name", "sealed"];
        if let Some(grant) = self.grant {
            let rows: Vec<_> =
                self.secrets.iter().map(|secret| values![grant, secret.device, secret.name, secret.sealed].to_vec()).collect();
            tx.insert_rows("sealed_secrets", columns, &rows).await?;
        }
        if let Some((connection, secret)) = &self.credential {
            keep_asked(tx, (*connection, frozen.id), secret, frozen.created).await?;
        }
        let mut payload = json!({ "request": frozen.id, "kind": frozen.action.kind().as_str(), "summary": frozen.action.sentence(),
            "class": u8::from(frozen.class), "digest": frozen.digest, "targets": frozen.action.targets().len() });
        if self.waits == Waits::ForNobody {
            payload["released"] = json!("at_once");
        }
        tx.append(asker.tenant, Entry::new("request.created", Actor::of(asker), frozen.created, self.salt, payload)).await?;
        Ok(Frost::Kept)
    }
}

impl Freeze {
    async fn tell_refused(&self, tx: &mut Tx, reason: &'static str) -> Result<(), StoreError> {
        let (frozen, asker) = (&self.frozen, &self.frozen.asker);
        let payload = json!({ "kind": frozen.action.kind().as_str(), "reason": reason });
        tx.append(asker.tenant, Entry::new("request.refused", Actor::of(asker), frozen.created, self.salt, payload)).await.map(|_| ())
    }
}

/// What a person has put before others: from all of their sessions and tools.
async fn pressure(tx: &mut Tx, asker: &policy::Actor, now: Timestamp) -> Result<Pressure, StoreError> {
    let sql =
        "SELECT COUNT(*) AS open FROM requests WHERE tenant = $1 AND asker = $2 AND requirement = $3 AND state = 'open' AND expires > $4";
    let open = tx.fetch_one(sql, values![asker.tenant, asker.user, word(Requirement::TwoPeople), now]).await?.uint("open")?;
    let muted = tx.fetch_optional("SELECT until FROM approval_mutes WHERE asker = $1", values![asker.user]).await?;
    Ok(Pressure { open, muted_until: muted.map(|row| row.time("until")).transpose()? })
}

async fn insert(tx: &mut Tx, frozen: &Frozen, grant: Option<GrantId>) -> Result<(), StoreError> {
    let sql = "INSERT INTO requests (id, tenant, session, asker, asker_email, asker_name, kind, state, class, class_reason, hour_devices, requirement, \
               digest, action, created, expires, grant_id, client) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let asker = &frozen.asker;
    let action = serde_json::to_string(&frozen.action).map_err(|_| StoreError::Corrupt("action"))?;
    let args = values![
        frozen.id,
        asker.tenant,
        asker.session,
        asker.user,
        asker.email,
        asker.name,
        frozen.action.kind().as_str(),
        u8::from(frozen.class),
        frozen.class_reason,
        frozen.hour_devices,
        word(frozen.requirement),
        frozen.digest,
        action,
        frozen.created,
        frozen.expires,
        grant,
        asker.client(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

fn word(requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::StepUp => "step_up",
        Requirement::FreshCode => "fresh_code",
        Requirement::TwoPeople => "two_people",
    }
}

fn requirement(word: &str) -> Result<Requirement, StoreError> {
    [Requirement::StepUp, Requirement::FreshCode, Requirement::TwoPeople]
        .into_iter()
        .find(|known| self::word(*known) == word)
        .ok_or(StoreError::Corrupt("requirement"))
}

/// A request with all that belongs to it.
#[derive(Debug, Clone)]
pub struct StoredRequest {
    pub frozen: Frozen,
    pub state: RequestState,
    pub proofs: Vec<Proof>,
    pub grant: Option<GrantId>,
    pub job: Option<JobId>,
    pub log_index: Option<u64>,
}

/// One request of the tenant.
pub async fn request(reader: &mut Reader, tenant: TenantId, id: RequestId) -> Result<StoredRequest, StoreError> {
    let sql = "SELECT r.* FROM requests r WHERE r.tenant = $1 AND r.id = $2";
    let row = reader.fetch_one(sql, values![tenant, id]).await?;
    stored(reader, &row).await
}

/// Requests of the tenant that still wait, the newest first, from the one after `after` on.
pub async fn open_requests(
    reader: &mut Reader,
    tenant: TenantId,
    now: Timestamp,
    (after, limit): (Option<RequestId>, u32),
) -> Result<Vec<StoredRequest>, StoreError> {
    let after = after.unwrap_or(RequestId::from_bytes([0xff; 16]));
    let sql =
        "SELECT r.* FROM requests r WHERE r.tenant = $1 AND r.state = 'open' AND r.expires > $2 AND r.id < $3 ORDER BY r.id DESC LIMIT $4";
    let rows = reader.fetch_all(sql, values![tenant, now, after, limit]).await?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in &rows {
        requests.push(stored(reader, row).await?);
    }
    Ok(requests)
}

async fn stored(reader: &mut Reader, row: &Row) -> Result<StoredRequest, StoreError> {
    let id: RequestId = row.get("id")?;
    let sql = "SELECT prover, prover_email, method, at FROM request_proofs WHERE request = $1 ORDER BY at";
    let proofs = reader.fetch_all(sql, values![id]).await?.iter().map(proof).collect::<Result<_, _>>()?;
    let rights = rights_of(reader, row.get("asker")?).await?;
    Ok(StoredRequest {
        frozen: frozen(row, id, rights)?,
        state: RequestState::parse(&row.text("state")?).ok_or(StoreError::Corrupt("state"))?,
        proofs,
        grant: row.get_opt("grant_id")?,
        job: row.get_opt("job")?,
        log_index: row.uint_opt("log_index")?,
    })
}

fn frozen(row: &Row, id: RequestId, rights: Rights) -> Result<Frozen, StoreError> {
    let action: Action = serde_json::from_str(&row.text("action")?).map_err(|_| StoreError::Corrupt("action"))?;
    let class = u8::try_from(row.int("class")?).map_err(|_| StoreError::Corrupt("class"))?;
    let digest: Digest = row.digest("digest")?;
    // What is stored must still be what was frozen: a changed row authorizes nothing.
    if action.digest(id.as_bytes()) != digest {
        return Err(StoreError::Corrupt("action"));
    }
    Ok(Frozen {
        id,
        asker: asker(row, rights)?,
        action,
        class: class.try_into().map_err(|_| StoreError::Corrupt("class"))?,
        class_reason: row.text("class_reason")?,
        hour_devices: row.uint("hour_devices")? as usize,
        digest,
        requirement: requirement(&row.text("requirement")?)?,
        created: row.time("created")?,
        expires: row.time("expires")?,
    })
}

/// The asker as far as a request remembers them: their step-up window is a fact of a live session alone.
fn asker(row: &Row, rights: Rights) -> Result<policy::Actor, StoreError> {
    Ok(policy::Actor {
        tenant: row.get::<TenantId>("tenant")?,
        user: row.get::<UserId>("asker")?,
        email: row.text("asker_email")?,
        name: row.text("asker_name")?,
        rights,
        session: row.get::<SessionId>("session")?,
        stage: if row.get_opt::<ApiClientId>("client")?.is_some() { Stage::Client } else { Stage::Full },
        step_up_until: None,
        step_up_kind: None,
    })
}

fn proof(row: &Row) -> Result<Proof, StoreError> {
    let method = Method::parse(&row.text("method")?).ok_or(StoreError::Corrupt("method"))?;
    Ok(Proof { user: row.get("prover")?, email: row.text("prover_email")?, method, at: row.time("at")? })
}

/// A person proved a request that still needs others.
pub struct AddProof {
    pub tenant: TenantId,
    pub request: RequestId,
    pub proof: Proof,
    pub used: UsedFactor,
    pub salt: [u8; 32],
}

impl Change for AddProof {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.used.use_up(tx, self.proof.at).await?;
        still_open(tx, self.tenant, self.request, self.proof.at).await?;
        insert_proof(tx, self.request, &self.proof).await?;
        let payload = json!({ "request": self.request, "method": self.proof.method.as_str() });
        tx.append(self.tenant, Entry::new("request.proved", Actor::User(self.proof.user), self.proof.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Conflict unless the request waits. The caller's next statement decides on the same snapshot.
async fn still_open(tx: &mut Tx, tenant: TenantId, request: RequestId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE requests SET state = state WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires > $3";
    tx.execute_versioned(sql, values![tenant, request, now]).await
}

pub(super) async fn insert_proof(tx: &mut Tx, request: RequestId, proof: &Proof) -> Result<(), StoreError> {
    let sql = "INSERT INTO request_proofs (request, prover, prover_email, method, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request, prover) DO NOTHING";
    tx.execute(sql, values![request, proof.user, proof.email, proof.method.as_str(), proof.at]).await?;
    Ok(())
}

/// Charges a try at the number on the asker's screen, before it is compared; gives how many there were with this one.
pub struct ChargeNumber {
    pub tenant: TenantId,
    pub request: RequestId,
}

impl Change for ChargeNumber {
    type Out = u32;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; the last one is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<u32, StoreError> {
        let sql = "UPDATE requests SET number_failures = number_failures + 1 WHERE tenant = $1 AND id = $2 AND state = 'open' \
                   RETURNING number_failures";
        tx.fetch_optional(sql, values![self.tenant, self.request]).await?.ok_or(StoreError::Conflict)?.get("number_failures")
    }
}

/// Gives the charge back: the number was right.
pub struct RefundNumber {
    pub tenant: TenantId,
    pub request: RequestId,
}

impl Change for RefundNumber {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; what follows on a right number is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET number_failures = number_failures - 1 WHERE tenant = $1 AND id = $2 AND number_failures > 0";
        tx.execute(sql, values![self.tenant, self.request]).await.map(|_| ())
    }
}

/// Somebody guessed at the number too often: the request is over.
pub struct EndGuessed {
    pub tenant: TenantId,
    pub request: RequestId,
    pub by: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndGuessed {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET state = 'denied' WHERE tenant = $1 AND id = $2 AND state = 'open'";
        tx.execute_versioned(sql, values![self.tenant, self.request]).await?;
        forget_secrets(tx, self.request).await?;
        let payload = json!({ "request": self.request });
        tx.append(self.tenant, Entry::new("request.guessed", Actor::User(self.by), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// Somebody said no: the request is over. Where another person was asked, its asker asks nobody for a while.
pub struct Deny {
    pub tenant: TenantId,
    pub request: RequestId,
    pub by: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Deny {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE requests SET state = 'denied' WHERE tenant = $1 AND id = $2 AND state = 'open' AND expires > $3";
        tx.execute_versioned(sql, values![self.tenant, self.request, self.at]).await?;
        forget_secrets(tx, self.request).await?;
        let sql = "INSERT INTO approval_mutes (asker, until) SELECT asker, $3 FROM requests WHERE id = $1 AND asker <> $2 AND requirement = $4 \
                   ON CONFLICT (asker) DO UPDATE SET until = excluded.until";
        let until = self.at.plus_secs(limits::APPROVAL_MUTE_SECS);
        tx.execute(sql, values![self.request, self.by, until, word(Requirement::TwoPeople)]).await?;
        let payload = json!({ "request": self.request });
        tx.append(self.tenant, Entry::new("request.denied", Actor::User(self.by), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

async fn forget_secrets(tx: &mut Tx, request: RequestId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE id = $1)", values![request]).await?;
    Ok(())
}

/// Requests that waited too long are over, and their sealed secrets gone.
pub struct LapseRequests {
    pub at: Timestamp,
}

impl Change for LapseRequests {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("lapsing is what the request's own entry announced");

    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let sql = "DELETE FROM sealed_secrets WHERE grant_id IN (SELECT grant_id FROM requests WHERE state = 'open' AND expires <= $1)";
        tx.execute(sql, values![self.at]).await?;
        tx.execute("UPDATE requests SET state = 'expired' WHERE state = 'open' AND expires <= $1", values![self.at]).await
    }
}
