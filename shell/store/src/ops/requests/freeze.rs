//! What was asked is frozen: with its class, its grant's secrets and its entry, or refused where too much waits.

use sallyport_decide::actions::approvals::{NotNow, Pressure, may_ask_others};
use sallyport_decide::actions::{Frozen, Requirement};
use sallyport_decide::policy;
use sallyport_model::{ConnectionId, DeviceId, GrantId, Timestamp, limits};
use serde_json::json;

use super::word;
use crate::ops::bridge::{SealedSecret, keep_asked};
use crate::{Actor, Change, Entry, StoreError, Tx, values};

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

/// Why an action was not frozen. That it was asked for is in the log all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFrozen {
    /// The session has as many open requests as it may have.
    TooMany,
    /// It takes two people, and others are not to be asked now.
    NotNow(NotNow),
}

impl Change for Freeze {
    type Out = Result<(), NotFrozen>;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Out, StoreError> {
        let frozen = &self.frozen;
        let asker = &frozen.asker;
        let sql = "SELECT COUNT(*) AS open FROM requests WHERE session = $1 AND state = 'open' AND expires > $2";
        let open = tx.fetch_one(sql, values![asker.session, frozen.created]).await?.uint("open")?;
        if open >= limits::OPEN_REQUESTS_PER_SESSION as u64 {
            self.tell_refused(tx, "too_many_open_requests").await?;
            return Ok(Err(NotFrozen::TooMany));
        }
        if let (Requirement::TwoPeople, Err(not_now)) =
            (frozen.requirement, may_ask_others(pressure(tx, asker, frozen.created).await?, frozen.created))
        {
            self.tell_refused(tx, "others_not_asked_now").await?;
            return Ok(Err(NotFrozen::NotNow(not_now)));
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
        Ok(Ok(()))
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
               digest, action, created, expires, grant_id, client, nonce) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
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
        frozen.nonce,
    ];
    tx.execute(sql, args).await?;
    Ok(())
}
