//! Where a webhook sends and what: frozen when somebody asks for it.

use std::collections::BTreeSet;

use sallyport_model::{Name, WebhookId, limits};
use serde::{Deserialize, Serialize};

use super::EventKind;
use crate::policy::Rights;

/// A webhook's name, address and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What people call it.
    pub name: String,
    /// Where it sends.
    pub url: String,
    /// Words of [`EventKind`].
    pub events: BTreeSet<String>,
}

/// A webhook is made, or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeWebhook {
    /// Which.
    pub webhook: WebhookId,
    /// What it was; none where it is made.
    pub before: Option<Endpoint>,
    /// What it becomes.
    pub after: Endpoint,
}

/// A webhook gets another secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateWebhook {
    /// Which.
    pub webhook: WebhookId,
    /// What people call it.
    pub name: String,
}

/// Why an endpoint is not taken. Whether its address may be dialled is found out where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The name is none.
    #[error("must be 1 to 100 characters on one line")]
    Name,
    /// No event at all.
    #[error("name at least one")]
    NoEvents,
    /// Not an event that can be asked for.
    #[error("{0} is not an event")]
    Event(String),
    /// The asker could not read it.
    #[error("you may not read {0} yourself")]
    NotYours(String),
    /// The address is too long.
    #[error("must be at most {} bytes", limits::WEBHOOK_URL_BYTES)]
    Long,
}

impl Endpoint {
    /// Checks what somebody wants, by their rights of this moment; what is sent is asked anew at each delivery.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, asker: &Rights) -> Result<(), EndpointError> {
        Name::parse(&self.name).map_err(|_| EndpointError::Name)?;
        if self.url.len() > limits::WEBHOOK_URL_BYTES {
            return Err(EndpointError::Long);
        }
        if self.events.is_empty() {
            return Err(EndpointError::NoEvents);
        }
        for word in &self.events {
            let kind = EventKind::subscribable().find(|kind| kind.as_str() == word).ok_or_else(|| EndpointError::Event(word.clone()))?;
            asker.reach(kind.needs()).ok_or_else(|| EndpointError::NotYours(word.clone()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    fn endpoint(events: &[&str]) -> Endpoint {
        let events = events.iter().map(|word| (*word).to_owned()).collect();
        Endpoint { name: "Tickets".into(), url: "https://psa.example/hook".into(), events }
    }

    #[test]
    fn nobody_asks_for_events_that_they_could_not_read() {
        assert_eq!(endpoint(&["job.finished", "client.stopped"]).check(&Rights::of(Role::Owner)), Ok(()));
        assert_eq!(endpoint(&["job.finished"]).check(&Rights::of(Role::Technician)), Ok(()));
        let refused = endpoint(&["client.stopped"]).check(&Rights::of(Role::Technician));
        assert_eq!(refused, Err(EndpointError::NotYours("client.stopped".into())));
    }

    #[test]
    fn names_events_and_lengths_are_checked() {
        let owner = Rights::of(Role::Owner);
        assert_eq!(endpoint(&[]).check(&owner), Err(EndpointError::NoEvents));
        for word in ["webhook.test", "device.*", ""] {
            assert_eq!(endpoint(&[word]).check(&owner), Err(EndpointError::Event(word.into())));
        }
        let good = endpoint(&["job.finished"]);
        assert_eq!(Endpoint { name: "\n".into(), ..good.clone() }.check(&owner), Err(EndpointError::Name));
        let long = "x".repeat(limits::WEBHOOK_URL_BYTES + 1);
        assert_eq!(Endpoint { url: long, ..good }.check(&owner), Err(EndpointError::Long));
    }
}
