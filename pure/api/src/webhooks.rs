//! Webhooks: addresses that are told what happens, and the log of what became of it.

use std::collections::BTreeSet;

use sallyport_model::{EventId, TenantId, Timestamp, UserId, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Webhooks of a tenant, and what can be told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Webhooks {
    /// The webhooks, the newest first.
    pub items: Vec<Webhook>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The events that the reader could ask for.
    pub events: Vec<WebhookEventKind>,
}

/// An event that can be told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookEventKind {
    /// Its word, like `job.finished`.
    pub name: String,
    /// What happened.
    pub about: String,
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It is told what happens.
    Active,
    /// What happens waits until it goes on.
    Paused,
    /// Its owner may no longer sign in: nothing is sent.
    OwnerOver,
}

/// An address that is told what happens.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    #[schema(value_type = String)]
    pub id: WebhookId,
    /// Where it stands.
    pub state: WebhookState,
    /// Why it is paused: `by_person`, `failing` (nothing arrived for about a day) or `gone` (it answered 410).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_why: Option<String>,
    /// Name, address and events.
    #[serde(flatten)]
    pub shape: WebhookShape,
    /// In whose name it sends: never more than they may see when it is sent.
    #[schema(value_type = String)]
    pub owner: UserId,
    /// Their name.
    pub owner_name: String,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When something arrived last.
    #[schema(value_type = Option<String>)]
    pub last_arrival: Option<Timestamp>,
    /// Until when the secret before the present one signs too.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_secret_until: Option<Timestamp>,
    /// Deliveries that wait.
    pub waiting: u64,
}

/// A webhook's name, address and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookShape {
    /// What people call it.
    pub name: String,
    /// Where it sends: `https://...`.
    pub url: String,
    /// What it is told.
    pub events: BTreeSet<String>,
}

/// A webhook that somebody wants.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedWebhook {
    /// What people call it.
    pub name: String,
    /// Where it sends: `https://...`.
    pub url: String,
    /// What it is told.
    pub events: BTreeSet<String>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecret {
    /// Which.
    #[schema(value_type = String)]
    pub webhook: WebhookId,
    /// `whsec_` and base64, as the libraries of Standard Webhooks take it.
    pub secret: String,
    /// The audit log's entry.
    pub log_index: u64,
}

/// A webhook that is made or changed, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookDetails {
    /// Which.
    #[schema(value_type = String)]
    pub webhook: WebhookId,
    /// What it was; absent where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<WebhookShape>,
    /// What it becomes.
    pub after: WebhookShape,
}

/// A webhook that gets another secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotateWebhookDetails {
    /// Which.
    #[schema(value_type = String)]
    pub webhook: WebhookId,
    /// What people call it.
    pub name: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is sent, or sent again, at `next_attempt`.
    Waiting,
    /// It arrived: the endpoint answered 200 to 299.
    Delivered,
    /// It was tried for about a day.
    Failed,
    /// The webhook's owner could not see it when it was to be sent.
    Withheld,
}

/// One event for one webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    /// The event's id: the same at every attempt, and in the header `webhook-id`.
    #[schema(value_type = String)]
    pub event: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, where it waits.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// When it was over.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// Why the last attempt had no answer that counts, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A delivery with what is sent and every attempt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetails {
    /// What the list says of it.
    #[serde(flatten)]
    pub delivery: WebhookDelivery,
    /// What is sent.
    pub payload: WebhookEvent,
    /// The attempts, the newest first.
    pub tries: Vec<DeliveryAttempt>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryAttempt {
    /// Which: from 1 on.
    pub number: u32,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The first bytes of the answer, as text.
    pub answer: String,
    /// How long it took.
    pub millis: u64,
}

/// What a webhook is sent: the body of the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookEvent {
    /// The same at every attempt: whoever has seen it can leave it.
    #[schema(value_type = String)]
    pub id: EventId,
    /// What happened, like `job.finished`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    #[schema(value_type = String)]
    pub timestamp: Timestamp,
    /// Whose it is.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// Ids, names and numbers, by the event: never a secret, a script or its output.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}
