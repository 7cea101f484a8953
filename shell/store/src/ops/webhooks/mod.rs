//! Webhooks: what they are, their outbox and the log of their deliveries, and what was told of devices' presence.

mod deliver;
mod hooks;
mod log;
mod presence;

pub use deliver::{Due, NewAttempt, TakeDelivery, TriedDelivery, WithholdDelivery, due_of, with_due};
pub(crate) use hooks::apply;
pub use hooks::{ControlWebhook, PausedWhy, RemoveWebhook, SealedSecret, WebhookOrder, WebhookRow, webhook, webhooks};
pub use log::{AttemptRow, DeliveryFilter, DeliveryRow, ForgetDeliveries, Redeliver, TestWebhook, attempts, deliveries, delivery};
pub use presence::{TellPresence, presence, wants_presence};
