//! The log of deliveries: read page by page, sent once more by a click, forgotten after its time.

use sallyport_decide::policy::{ManageWebhooks, Permit};
use sallyport_decide::webhooks::{Event, EventKind};
use sallyport_model::{EventId, TenantId, Timestamp, WebhookId, limits};
use serde_json::json;

use super::hooks::{WebhookRow, webhook};
use crate::outbox::{Announced, write_for};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A delivery as people see it.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    pub event: EventId,
    pub kind: EventKind,
    pub at: Timestamp,
    /// JSON.
    pub data: String,
    /// waiting, delivered, failed or withheld.
    pub state: String,
    pub made: u32,
    pub next_try: Timestamp,
    pub ended: Option<Timestamp>,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<String>,
    pub kind: Option<EventKind>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.*, a.status AS last_status, a.error AS last_error FROM webhook_deliveries d \
             LEFT JOIN webhook_attempts a ON a.webhook = d.webhook AND a.event = d.event AND a.number = d.made WHERE ",
            $rest
        )
    };
}

/// Those of a webhook, the newest first, from the one after `after` on.
pub async fn deliveries(
    reader: &mut Reader,
    (tenant, id): (TenantId, WebhookId),
    filter: &DeliveryFilter,
    after: Option<EventId>,
    limit: u32,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let sql = select!(
        "d.tenant = $1 AND d.webhook = $2 AND d.event < $3 AND ($4 IS NULL OR d.state = $4) AND ($5 IS NULL OR d.kind = $5) \
         ORDER BY d.event DESC LIMIT $6"
    );
    let after = after.unwrap_or(EventId::from_bytes([0xff; 16]));
    let args = values![tenant, id, after, filter.state, filter.kind.map(EventKind::as_str), limit];
    reader.fetch_all(sql, args).await?.iter().map(read).collect()
}

/// One of them.
pub async fn delivery(reader: &mut Reader, (tenant, id): (TenantId, WebhookId), event: EventId) -> Result<DeliveryRow, StoreError> {
    read(&reader.fetch_one(select!("d.tenant = $1 AND d.webhook = $2 AND d.event = $3"), values![tenant, id, event]).await?)
}

fn read(row: &Row) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        event: row.get("event")?,
        kind: row.parse("kind")?,
        at: row.time("at")?,
        data: row.text("data")?,
        state: row.text("state")?,
        made: row.get("made")?,
        next_try: row.time("next_try")?,
        ended: row.time_opt("ended")?,
        last_status: row.get_opt("last_status")?,
        last_error: row.text_opt("last_error")?,
    })
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub number: u32,
    pub at: Timestamp,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub answer: String,
    pub millis: u64,
}

/// All attempts of a delivery, the newest first.
pub async fn attempts(reader: &mut Reader, id: WebhookId, event: EventId) -> Result<Vec<AttemptRow>, StoreError> {
    let sql = "SELECT number, at, status, error, answer, millis FROM webhook_attempts WHERE webhook = $1 AND event = $2 \
               ORDER BY number DESC LIMIT 100";
    let read = |row: &Row| {
        Ok(AttemptRow {
            number: row.get("number")?,
            at: row.time("at")?,
            status: row.get_opt("status")?,
            error: row.text_opt("error")?,
            answer: row.text("answer")?,
            millis: row.uint("millis")?,
        })
    };
    reader.fetch_all(sql, values![id, event]).await?.iter().map(read).collect()
}

async fn own(tx: &mut Tx, permit: &Permit<ManageWebhooks>, id: WebhookId) -> Result<WebhookRow, StoreError> {
    webhook(tx, id).await?.filter(|row| row.tenant == permit.actor().tenant).ok_or(StoreError::NotFound)
}

/// Puts a delivery that is over into the queue once more; [`StoreError::Conflict`] where it still waits.
pub struct Redeliver {
    pub permit: Permit<ManageWebhooks>,
    pub webhook: WebhookId,
    pub event: EventId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for Redeliver {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let row = own(tx, &self.permit, self.webhook).await?;
        delivery(tx, (row.tenant, self.webhook), self.event).await?;
        let sql = "UPDATE webhook_deliveries SET state = 'waiting', tries = 0, first_try = NULL, next_try = $3, ended = NULL \
                   WHERE webhook = $1 AND event = $2 AND state <> 'waiting'";
        tx.execute_versioned(sql, values![self.webhook, self.event, self.at]).await?;
        let payload = json!({ "webhook": self.webhook, "name": row.endpoint.name, "event": self.event });
        let entry = Entry::new("webhook.redelivered", Actor::of(self.permit.actor()), self.at, self.salt, payload);
        tx.append(row.tenant, entry).await.map(|_| ())
    }
}

/// Queues a test for one webhook; says which event it is.
pub struct TestWebhook {
    pub permit: Permit<ManageWebhooks>,
    pub webhook: WebhookId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for TestWebhook {
    type Out = EventId;

    async fn apply(&self, tx: &mut Tx) -> Result<EventId, StoreError> {
        let row = own(tx, &self.permit, self.webhook).await?;
        let data = json!({ "webhook": self.webhook, "name": row.endpoint.name });
        let test = Announced::new(row.tenant, self.at, &self.salt, Event { kind: EventKind::WebhookTest, data });
        let event = write_for(tx, self.webhook, &test).await?;
        let payload = json!({ "webhook": self.webhook, "name": row.endpoint.name, "event": event });
        tx.append(row.tenant, Entry::new("webhook.tested", Actor::of(self.permit.actor()), self.at, self.salt, payload)).await?;
        Ok(event)
    }
}

/// Forgets deliveries that are older than the log is kept, and the oldest of a webhook that has more than are kept.
pub struct ForgetDeliveries {
    pub at: Timestamp,
}

impl Change for ForgetDeliveries {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("what was told is in the log; this is the log of deliveries");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let before = EventId::new(self.at.plus_secs(-limits::WEBHOOK_LOG_SECS), [0; 10]);
        for hook in &tx.fetch_all("SELECT id FROM webhooks", &[]).await? {
            let id: WebhookId = hook.get("id")?;
            forget(tx, id, before).await?;
            let sql = "SELECT event FROM webhook_deliveries WHERE webhook = $1 ORDER BY event DESC LIMIT 1 OFFSET $2";
            if let Some(row) = tx.fetch_optional(sql, values![id, limits::WEBHOOK_DELIVERIES - 1]).await? {
                forget(tx, id, row.get("event")?).await?;
            }
        }
        let sql = "DELETE FROM webhook_presence WHERE device NOT IN (SELECT id FROM devices WHERE state = 'approved')";
        tx.execute(sql, &[]).await.map(|_| ())
    }
}

/// Events sort by their time.
async fn forget(tx: &mut Tx, id: WebhookId, before: EventId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM webhook_attempts WHERE webhook = $1 AND event < $2", values![id, before]).await?;
    tx.execute("DELETE FROM webhook_deliveries WHERE webhook = $1 AND event < $2", values![id, before]).await.map(|_| ())
}
