//! Webhooks as people see them, and what executing an action does to them.

use std::collections::BTreeSet;

use sallyport_decide::actions::{Action, Released};
use sallyport_decide::policy::{ManageWebhooks, Permit};
use sallyport_decide::webhooks::{ChangeWebhook, Endpoint};
use sallyport_model::{TenantId, Timestamp, UserId, WebhookId, limits};
use serde_json::{Value as Json, json};

use super::super::people::{rights_of, words};
use crate::{Actor, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A sealed secret: it opens with the master key, in this webhook's place.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(pub Vec<u8>);

/// Why a webhook is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PausedWhy {
    /// Somebody paused it.
    ByPerson,
    /// Nothing arrived for about a day.
    Failing,
    /// It answered that it is gone (410).
    Gone,
}

impl PausedWhy {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByPerson => "by_person",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::ByPerson, Self::Failing, Self::Gone].into_iter().find(|why| why.as_str() == word)
    }
}

/// A webhook with everything that sending stands on.
#[derive(Clone)]
pub struct WebhookRow {
    pub id: WebhookId,
    pub tenant: TenantId,
    pub owner: UserId,
    pub owner_name: String,
    pub owner_state: String,
    pub owner_ends: Option<Timestamp>,
    pub endpoint: Endpoint,
    /// `None` where it works.
    pub paused: Option<PausedWhy>,
    pub secret: SealedSecret,
    /// The secret before, with the moment until which it signs too.
    pub former: Option<(SealedSecret, Timestamp)>,
    pub created: Timestamp,
    pub last_arrival: Option<Timestamp>,
    /// Deliveries that wait.
    pub waiting: u64,
}

impl WebhookRow {
    /// Whether its owner's account works.
    pub fn owner_works(&self, now: Timestamp) -> bool {
        self.owner_state == "active" && self.owner_ends.is_none_or(|ends| now < ends)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT w.*, u.name AS owner_name, u.state AS owner_state, u.expires AS owner_expires, \
             (SELECT COUNT(*) FROM webhook_deliveries d WHERE d.webhook = w.id AND d.state = 'waiting') AS waiting \
             FROM webhooks w JOIN users u ON u.id = w.owner WHERE ",
            $rest
        )
    };
}

/// All of a tenant, the newest first.
pub async fn webhooks(reader: &mut Reader, tenant: TenantId) -> Result<Vec<WebhookRow>, StoreError> {
    reader.fetch_all(select!("w.tenant = $1 ORDER BY w.id DESC"), values![tenant]).await?.iter().map(read).collect()
}

/// One of them, whoever's it is: the caller compares the tenant.
pub async fn webhook(reader: &mut Reader, id: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
    reader.fetch_optional(select!("w.id = $1"), values![id]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<WebhookRow, StoreError> {
    let paused = row.text_opt("paused_why")?;
    let paused = paused.map(|word| PausedWhy::parse(&word).ok_or(StoreError::Corrupt("paused_why"))).transpose()?;
    Ok(WebhookRow {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        owner: row.get("owner")?,
        owner_name: row.text("owner_name")?,
        owner_state: row.text("owner_state")?,
        owner_ends: row.time_opt("owner_expires")?,
        endpoint: Endpoint { name: row.text("name")?, url: row.text("url")?, events: words(&row.text("events")?) },
        paused,
        secret: SealedSecret(row.bytes("secret")?),
        former: row.bytes_opt("former_secret")?.map(SealedSecret).zip(row.time_opt("former_until")?),
        created: row.time("created")?,
        last_arrival: row.time_opt("last_arrival")?,
        waiting: row.uint("waiting")?,
    })
}

fn text(events: &BTreeSet<String>) -> String {
    events.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Does what was released to a webhook; says which entry tells of it.
pub(crate) async fn apply(tx: &mut Tx, released: &Released, action: &Action, secret: &[u8]) -> Result<(&'static str, Json), StoreError> {
    let asker = &released.frozen().asker;
    match action {
        Action::CreateWebhook(new) => create(tx, (asker.tenant, asker.user), new, secret, released.at()).await,
        Action::ChangeWebhook(change) => changed(tx, (asker.tenant, asker.user), change).await,
        Action::RotateWebhook(rotate) => {
            let sql = "UPDATE webhooks SET former_secret = secret, former_until = $3, secret = $4, version = version + 1 \
                       WHERE tenant = $1 AND id = $2";
            let until = released.at().plus_secs(limits::WEBHOOK_OVERLAP_SECS);
            tx.execute_versioned(sql, values![asker.tenant, rotate.webhook, until, secret]).await?;
            Ok(("webhook.rotated", json!({ "webhook": rotate.webhook, "name": rotate.name, "former_until": until })))
        }
        _ => Err(StoreError::Corrupt("action")),
    }
}

async fn create(
    tx: &mut Tx,
    (tenant, user): (TenantId, UserId),
    new: &ChangeWebhook,
    secret: &[u8],
    at: Timestamp,
) -> Result<(&'static str, Json), StoreError> {
    new.after.check(&rights_of(tx, user).await?).map_err(|_| StoreError::Conflict)?;
    let count = tx.fetch_one("SELECT COUNT(*) AS n FROM webhooks WHERE tenant = $1", values![tenant]).await?.uint("n")?;
    if count >= limits::WEBHOOKS as u64 {
        return Err(StoreError::Conflict);
    }
    let sql = "INSERT INTO webhooks (id, tenant, owner, name, url, events, state, secret, created, version) \
               VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8, 1)";
    let Endpoint { name, url, events } = &new.after;
    tx.execute(sql, values![new.webhook, tenant, user, name, url, text(events), secret, at]).await?;
    Ok(("webhook.created", json!({ "webhook": new.webhook, "name": name, "user": user, "url": url, "events": events })))
}

/// Whoever changes it owns it from then on: what it sends is what they may see.
async fn changed(tx: &mut Tx, (tenant, user): (TenantId, UserId), change: &ChangeWebhook) -> Result<(&'static str, Json), StoreError> {
    let row = webhook(tx, change.webhook).await?.filter(|row| row.tenant == tenant).ok_or(StoreError::NotFound)?;
    let may = change.after.check(&rights_of(tx, user).await?).is_ok();
    if !may || change.before.as_ref() != Some(&row.endpoint) {
        return Err(StoreError::Conflict);
    }
    let sql = "UPDATE webhooks SET owner = $2, name = $3, url = $4, events = $5, version = version + 1 WHERE id = $1";
    let Endpoint { name, url, events } = &change.after;
    tx.execute_versioned(sql, values![change.webhook, user, name, url, text(events)]).await?;
    let payload = json!({ "webhook": change.webhook, "name": name, "user": user, "url": url, "events": events, "before": change.before });
    Ok(("webhook.changed", payload))
}

/// What a person tells a webhook by a click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOrder {
    /// Keep what happens until it goes on.
    Pause,
    /// Go on, with what was kept.
    Resume,
}

/// Pauses a webhook or lets it go on; [`StoreError::Conflict`] where it is so already.
pub struct ControlWebhook {
    pub permit: Permit<ManageWebhooks>,
    pub webhook: WebhookId,
    pub order: WebhookOrder,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ControlWebhook {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let row = webhook(tx, self.webhook).await?.filter(|row| row.tenant == actor.tenant).ok_or(StoreError::NotFound)?;
        let (from, to, why, kind) = match self.order {
            WebhookOrder::Pause => ("active", "paused", Some(PausedWhy::ByPerson.as_str()), "webhook.paused"),
            WebhookOrder::Resume => ("paused", "active", None, "webhook.resumed"),
        };
        let sql = "UPDATE webhooks SET state = $3, paused_why = $4, version = version + 1 WHERE id = $1 AND state = $2";
        tx.execute_versioned(sql, values![self.webhook, from, to, why]).await?;
        let payload = json!({ "webhook": self.webhook, "name": row.endpoint.name, "user": row.owner, "reason": why });
        tx.append(actor.tenant, Entry::new(kind, Actor::of(actor), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// Removes a webhook with its secret, its queue and its log.
pub struct RemoveWebhook {
    pub permit: Permit<ManageWebhooks>,
    pub webhook: WebhookId,
    /// Its owner and what it must still be, where that matters; anything else is a [`StoreError::Conflict`].
    pub expected: Option<(UserId, Endpoint)>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RemoveWebhook {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        let row = webhook(tx, self.webhook).await?.filter(|row| row.tenant == actor.tenant).ok_or(StoreError::NotFound)?;
        if self.expected.as_ref().is_some_and(|(owner, endpoint)| *owner != row.owner || *endpoint != row.endpoint) {
            return Err(StoreError::Conflict);
        }
        tx.execute("DELETE FROM webhook_attempts WHERE webhook = $1", values![self.webhook]).await?;
        tx.execute("DELETE FROM webhook_deliveries WHERE webhook = $1", values![self.webhook]).await?;
        tx.execute_versioned("DELETE FROM webhooks WHERE id = $1", values![self.webhook]).await?;
        let payload = json!({ "webhook": self.webhook, "name": row.endpoint.name, "user": row.owner, "url": row.endpoint.url });
        tx.append(actor.tenant, Entry::new("webhook.removed", Actor::of(actor), self.at, self.salt, payload)).await.map(|_| ())
    }
}
