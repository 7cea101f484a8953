//! Requests as they are kept: what was frozen is read back only where it is still what was frozen.

use sallyport_decide::actions::{Action, Frozen, Method, Proof, RequestState, Requirement};
use sallyport_decide::policy::{self, Rights, Stage};
use sallyport_model::{ApiClientId, Digest, GrantId, JobId, RequestId, SessionId, TenantId, Timestamp, UserId};

use super::word;
use crate::ops::people::rights_of;
use crate::{Reader, Row, StoreError, values};

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
    let nonce = row.get_opt("nonce")?;
    if action.digest(id, nonce) != digest {
        return Err(StoreError::Corrupt("action"));
    }
    Ok(Frozen {
        id,
        nonce,
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

fn requirement(stored: &str) -> Result<Requirement, StoreError> {
    [Requirement::StepUp, Requirement::FreshCode, Requirement::TwoPeople]
        .into_iter()
        .find(|known| word(*known) == stored)
        .ok_or(StoreError::Corrupt("requirement"))
}
