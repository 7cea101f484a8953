//! The queue: what is due, taken before it is sent, and what became of it.

use sallyport_decide::webhooks::{EventKind, Next};
use sallyport_model::{EventId, Timestamp, WebhookId};
use serde_json::json;

use super::hooks::{PausedWhy, webhook};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A delivery that is due.
#[derive(Debug, Clone)]
pub struct Due {
    pub webhook: WebhookId,
    pub event: EventId,
    pub kind: EventKind,
    pub at: Timestamp,
    /// JSON.
    pub data: String,
    pub made: u32,
    pub tries: u32,
}

/// Webhooks that work and have something due.
pub async fn with_due(reader: &mut Reader, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
    let sql = "SELECT w.id FROM webhooks w WHERE w.state = 'active' AND EXISTS \
               (SELECT 1 FROM webhook_deliveries d WHERE d.webhook = w.id AND d.state = 'waiting' AND d.next_try <= $1) ORDER BY w.id";
    reader.fetch_all(sql, values![now]).await?.iter().map(|row| row.get("id")).collect()
}

/// What is due of one of them, what waits longest first.
pub async fn due_of(reader: &mut Reader, id: WebhookId, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT webhook, event, kind, at, data, made, tries FROM webhook_deliveries \
               WHERE webhook = $1 AND state = 'waiting' AND next_try <= $2 ORDER BY next_try, event LIMIT $3";
    let read = |row: &Row| {
        Ok(Due {
            webhook: row.get("webhook")?,
            event: row.get("event")?,
            kind: row.parse("kind")?,
            at: row.time("at")?,
            data: row.text("data")?,
            made: row.get("made")?,
            tries: row.get("tries")?,
        })
    };
    reader.fetch_all(sql, values![id, now, limit]).await?.iter().map(read).collect()
}

/// Takes a delivery before it is sent, so that several processes do not send it at once; whoever comes second gets nothing. Where nothing
/// more is heard of it, it is due again.
pub struct TakeDelivery {
    pub webhook: WebhookId,
    pub event: EventId,
    pub made: u32,
    pub at: Timestamp,
    pub again: Timestamp,
}

impl Change for TakeDelivery {
    type Out = bool;
    const AUDIT: Audit = Audit::Exempt("a delivery is not an act of anybody; what it tells is in the log");

    async fn apply(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let sql = "UPDATE webhook_deliveries SET made = made + 1, tries = tries + 1, first_try = COALESCE(first_try, $4), next_try = $5 \
                   WHERE webhook = $1 AND event = $2 AND made = $3 AND state = 'waiting'";
        Ok(tx.execute(sql, values![self.webhook, self.event, self.made, self.at, self.again]).await? == 1)
    }
}

/// What one attempt came to.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    pub number: u32,
    pub at: Timestamp,
    pub status: Option<u16>,
    /// A stable word, where nothing counted as an answer.
    pub error: Option<&'static str>,
    pub answer: String,
    pub millis: u64,
}

/// Writes down an attempt, and pauses a webhook that nothing reaches. Says whether it did.
pub struct TriedDelivery {
    pub webhook: WebhookId,
    pub event: EventId,
    pub attempt: NewAttempt,
    pub next: Next,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for TriedDelivery {
    type Out = bool;
    const AUDIT: Audit = Audit::Exempt("a delivery is not an act of anybody; that a webhook is paused is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        // Its webhook may be gone meanwhile.
        if webhook(tx, self.webhook).await?.is_none() {
            return Ok(false);
        }
        self.note(tx).await?;
        let ended = "UPDATE webhook_deliveries SET state = $3, ended = $4 WHERE webhook = $1 AND event = $2 AND state = 'waiting'";
        match self.next {
            Next::Delivered => {
                tx.execute(ended, values![self.webhook, self.event, "delivered", self.at]).await?;
                tx.execute("UPDATE webhooks SET last_arrival = $2 WHERE id = $1", values![self.webhook, self.at]).await?;
                Ok(false)
            }
            Next::Again(secs) => {
                let sql = "UPDATE webhook_deliveries SET next_try = $3 WHERE webhook = $1 AND event = $2 AND state = 'waiting'";
                tx.execute(sql, values![self.webhook, self.event, self.at.plus_secs(secs)]).await?;
                Ok(false)
            }
            Next::GivenUp => {
                tx.execute(ended, values![self.webhook, self.event, "failed", self.at]).await?;
                self.pause(tx).await
            }
        }
    }
}

impl TriedDelivery {
    async fn note(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "INSERT INTO webhook_attempts (webhook, event, number, at, status, error, answer, millis) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (webhook, event, number) DO NOTHING";
        let NewAttempt { number, at, status, error, answer, millis } = &self.attempt;
        tx.execute(sql, values![self.webhook, self.event, number, at, status, error, answer, millis]).await.map(|_| ())
    }

    async fn pause(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let Some(row) = webhook(tx, self.webhook).await? else { return Ok(false) };
        let sql = "SELECT first_try FROM webhook_deliveries WHERE webhook = $1 AND event = $2";
        let first = tx.fetch_one(sql, values![self.webhook, self.event]).await?.time_opt("first_try")?.unwrap_or(self.at);
        if !self.next.pauses(first, row.last_arrival) {
            return Ok(false);
        }
        let why = if self.attempt.status == Some(410) { PausedWhy::Gone } else { PausedWhy::Failing };
        let sql = "UPDATE webhooks SET state = 'paused', paused_why = $2, version = version + 1 WHERE id = $1 AND state = 'active'";
        if tx.execute(sql, values![self.webhook, why.as_str()]).await? == 0 {
            return Ok(false);
        }
        let payload = json!({ "webhook": row.id, "name": row.endpoint.name, "user": row.owner, "reason": why.as_str() });
        tx.append(row.tenant, Entry::new("webhook.paused", Actor::System, self.at, self.salt, payload)).await?;
        Ok(true)
    }
}

/// A delivery that its webhook's owner may not see now: it is never sent.
pub struct WithholdDelivery {
    pub webhook: WebhookId,
    pub event: EventId,
    pub at: Timestamp,
}

impl Change for WithholdDelivery {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("nothing was told to anybody");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE webhook_deliveries SET state = 'withheld', ended = $3 WHERE webhook = $1 AND event = $2 AND state = 'waiting'";
        tx.execute(sql, values![self.webhook, self.event, self.at]).await.map(|_| ())
    }
}
