//! Webhooks and deliveries as the API says them.

use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::webhooks::{ChangeWebhook, Endpoint, RotateWebhook};
use sallyport_model::{TenantId, Timestamp};
use sallyport_store::ops::webhooks::{AttemptRow, DeliveryRow, WebhookRow};

use crate::Refusal;

pub(super) fn webhook(row: &WebhookRow, now: Timestamp) -> api::Webhook {
    let state = match (row.owner_works(now), row.paused) {
        (false, _) => api::WebhookState::OwnerOver,
        (true, Some(_)) => api::WebhookState::Paused,
        (true, None) => api::WebhookState::Active,
    };
    api::Webhook {
        id: row.id,
        state,
        paused_why: row.paused.map(|why| why.as_str().to_owned()),
        shape: shape(&row.endpoint),
        owner: row.owner,
        owner_name: row.owner_name.clone(),
        created: row.created,
        last_arrival: row.last_arrival,
        former_secret_until: row.former.as_ref().map(|(_, until)| *until).filter(|until| now < *until),
        waiting: row.waiting,
    }
}

fn shape(endpoint: &Endpoint) -> api::WebhookShape {
    api::WebhookShape { name: endpoint.name.clone(), url: endpoint.url.clone(), events: endpoint.events.clone() }
}

/// A webhook that somebody asks for, as it is shown before it is proved.
pub(crate) fn details(change: &ChangeWebhook) -> api::WebhookDetails {
    api::WebhookDetails { webhook: change.webhook, before: change.before.as_ref().map(shape), after: shape(&change.after) }
}

pub(crate) fn rotate_details(rotate: &RotateWebhook) -> api::RotateWebhookDetails {
    api::RotateWebhookDetails { webhook: rotate.webhook, name: rotate.name.clone() }
}

pub(super) fn state(word: &str) -> Option<api::DeliveryState> {
    Some(match word {
        "waiting" => api::DeliveryState::Waiting,
        "delivered" => api::DeliveryState::Delivered,
        "failed" => api::DeliveryState::Failed,
        "withheld" => api::DeliveryState::Withheld,
        _ => return None,
    })
}

pub(super) fn delivery(row: &DeliveryRow) -> Result<api::WebhookDelivery, Refusal> {
    let state = state(&row.state).ok_or(Code::Internal)?;
    Ok(api::WebhookDelivery {
        event: row.event,
        kind: row.kind.as_str().to_owned(),
        at: row.at,
        state,
        attempts: row.made,
        next_attempt: (state == api::DeliveryState::Waiting).then_some(row.next_try),
        ended: row.ended,
        last_status: row.last_status,
        last_error: row.last_error.clone(),
    })
}

pub(super) fn delivery_details(tenant: TenantId, row: &DeliveryRow, attempts: Vec<AttemptRow>) -> Result<api::DeliveryDetails, Refusal> {
    let data = serde_json::from_str(&row.data).map_err(|_| Refusal::from(Code::Internal))?;
    let payload = api::WebhookEvent { id: row.event, kind: row.kind.as_str().to_owned(), timestamp: row.at, tenant, data };
    let tries = attempts.into_iter().map(attempt).collect();
    Ok(api::DeliveryDetails { delivery: delivery(row)?, payload, tries })
}

fn attempt(row: AttemptRow) -> api::DeliveryAttempt {
    let AttemptRow { number, at, status, error, answer, millis } = row;
    api::DeliveryAttempt { number, at, status, error, answer, millis }
}
