//! What webhooks are told: collected while changes run, and written beside them in the same transaction, a row for each webhook that
//! wants it. What is announced by a change that is rolled back is never told.

use std::collections::BTreeSet;

use sallyport_decide::webhooks::Event;
use sallyport_grant::sha256;
use sallyport_model::{EventId, TenantId, Timestamp, WebhookId};

use crate::{StoreError, Tx, Value, values};

/// An event that waits for its transaction to be sealed.
pub(crate) struct Announced {
    tenant: TenantId,
    id: EventId,
    at: Timestamp,
    event: Event,
}

impl Announced {
    /// `key` tells it from every other event of the tenant: the id is made of it, and so the same when the transaction is made again.
    pub(crate) fn new(tenant: TenantId, at: Timestamp, key: &[u8], event: Event) -> Self {
        let digest = sha256(&[b"sallyport.event/1\n", tenant.as_bytes(), event.kind.as_str().as_bytes(), b"\n", key]);
        let mut random = [0; 10];
        random.copy_from_slice(&digest.as_bytes()[..10]);
        Self { tenant, id: EventId::new(at, random), at, event }
    }

    fn row(&self, webhook: WebhookId) -> Vec<Value> {
        let data = self.event.data.to_string();
        values![webhook, self.id, self.tenant, self.event.kind.as_str(), self.at, data, "waiting", 0i64, 0i64, self.at].to_vec()
    }
}

const COLUMNS: &[&str] = &["webhook", "event", "tenant", "kind", "at", "data", "state", "made", "tries", "next_try"];

/// Writes what was announced for every webhook that wants it, paused ones included: for them it waits.
pub(crate) async fn write(tx: &mut Tx, announced: &[Announced]) -> Result<(), StoreError> {
    let tenants: BTreeSet<TenantId> = announced.iter().map(|one| one.tenant).collect();
    let mut rows = Vec::new();
    for tenant in tenants {
        for hook in &tx.fetch_all("SELECT id, events FROM webhooks WHERE tenant = $1", values![tenant]).await? {
            let (id, events): (WebhookId, String) = (hook.get("id")?, hook.text("events")?);
            let wanted = |one: &&Announced| one.tenant == tenant && events.split(' ').any(|word| word == one.event.kind.as_str());
            rows.extend(announced.iter().filter(wanted).map(|one| one.row(id)));
        }
    }
    tx.insert_rows("webhook_deliveries", COLUMNS, &rows).await
}

/// Puts an event into the queue of one webhook, whatever it wants: a test of it.
pub(crate) async fn write_for(tx: &mut Tx, webhook: WebhookId, announced: &Announced) -> Result<EventId, StoreError> {
    tx.insert_rows("webhook_deliveries", COLUMNS, &[announced.row(webhook)]).await?;
    Ok(announced.id)
}

#[cfg(test)]
mod tests {
    use sallyport_decide::webhooks::EventKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_events_id_is_the_same_whenever_it_is_made_and_no_others() {
        let (tenant, at) = (TenantId::from_bytes([1; 16]), Timestamp::from_secs(1_790_000_000));
        let of = |tenant, kind, key: &[u8]| Announced::new(tenant, at, key, Event { kind, data: json!({}) }).id;
        let id = of(tenant, EventKind::JobFinished, b"1");
        assert_eq!(id, of(tenant, EventKind::JobFinished, b"1"));
        assert_ne!(id, of(tenant, EventKind::JobFinished, b"2"));
        assert_ne!(id, of(tenant, EventKind::JobCreated, b"1"));
        assert_ne!(id, of(TenantId::from_bytes([2; 16]), EventKind::JobFinished, b"1"));
    }
}
