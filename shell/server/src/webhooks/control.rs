//! What is done to webhooks by a click, and the log of their deliveries.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_decide::policy::{ManageWebhooks, Permit, ReadWebhooks};
use sallyport_decide::webhooks::EventKind;
use sallyport_model::{EventId, WebhookId};
use sallyport_store::ops::webhooks::{self as store, ControlWebhook, DeliveryFilter, Redeliver, RemoveWebhook, TestWebhook, WebhookOrder};
use serde::Deserialize;

use super::{find, shown};
use crate::asking::conditional::Expected;
use crate::{Allowed, App, Id, Ids, Json, Query, Refusal, paging};

/// Pauses a webhook: what happens waits.
pub(crate) async fn pause(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
) -> Result<StatusCode, Refusal> {
    order(&app, permit, webhook, WebhookOrder::Pause).await
}

/// Lets a paused webhook go on, with what waited.
pub(crate) async fn resume(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
) -> Result<StatusCode, Refusal> {
    order(&app, permit, webhook, WebhookOrder::Resume).await
}

async fn order(app: &App, permit: Permit<ManageWebhooks>, webhook: WebhookId, order: WebhookOrder) -> Result<StatusCode, Refusal> {
    app.store.commit(ControlWebhook { permit, webhook, order, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a webhook with its secret, its queue and its log.
pub(crate) async fn remove(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
    condition: Expected,
) -> Result<StatusCode, Refusal> {
    let (row, at) = (find(&app, permit.actor().tenant, webhook).await?, app.clock.now());
    condition.is(&shown::webhook(&row, at))?;
    let expected = condition.is_stated().then_some((row.owner, row.endpoint));
    app.store.commit(RemoveWebhook { permit, webhook, expected, at, salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test, whatever the webhook is told otherwise.
pub(crate) async fn test(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
) -> Result<Response, Refusal> {
    let tenant = permit.actor().tenant;
    let event = app.store.commit(TestWebhook { permit, webhook, at: app.clock.now(), salt: app.random() }).await?;
    let row = store::delivery(&mut app.store.read().await?, (tenant, webhook), event).await?;
    Ok((StatusCode::CREATED, Json(shown::delivery(&row)?)).into_response())
}

/// Which deliveries, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListDeliveries {
    cursor: Option<String>,
    limit: Option<u32>,
    state: Option<String>,
    r#type: Option<String>,
}

/// What became of events, the newest first.
pub(crate) async fn deliveries(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadWebhooks>,
    Id(webhook): Id<WebhookId>,
    Query(query): Query<ListDeliveries>,
) -> Result<Json<api::Page<api::WebhookDelivery>>, Refusal> {
    let limit = paging::limit(query.limit)?;
    let state = query.state.filter(|state| !state.is_empty());
    if state.as_deref().is_some_and(|state| shown::state(state).is_none()) {
        return Err(Refusal::field("state", "must be waiting, delivered, failed or withheld"));
    }
    let filter = DeliveryFilter { state, kind: paging::parsed::<EventKind>("type", query.r#type.as_deref())? };
    let after = paging::parsed("cursor", query.cursor.as_deref())?;
    let row = find(&app, permit.actor().tenant, webhook).await?;
    let mut reader = app.store.read().await?;
    let rows = store::deliveries(&mut reader, (row.tenant, webhook), &filter, after, limit + 1).await?;
    let shown = rows.iter().map(|row| Ok((row.event, shown::delivery(row)?))).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(Json(paging::page(shown, limit, |(event, _)| event.to_string(), |(_, delivery)| delivery)))
}

/// One delivery: what is sent, and every attempt.
pub(crate) async fn delivery(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadWebhooks>,
    Ids(webhook, event): Ids<WebhookId, EventId>,
) -> Result<Json<api::DeliveryDetails>, Refusal> {
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    let row = store::delivery(&mut reader, (tenant, webhook), event).await?;
    let attempts = store::attempts(&mut reader, webhook, event).await?;
    shown::delivery_details(tenant, &row, attempts).map(Json)
}

/// Sends a delivery that is over once more.
pub(crate) async fn redeliver(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Ids(webhook, event): Ids<WebhookId, EventId>,
) -> Result<StatusCode, Refusal> {
    app.store.commit(Redeliver { permit, webhook, event, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
