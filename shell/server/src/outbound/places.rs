//! How many requests are under way at once: to one target, of one tenant, and in all. The narrowest is taken first, so that one slow
//! vendor's callers wait for each other and hold nobody else up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sallyport_model::{TenantId, WebhookId, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Entries that nobody uses are dropped when there are so many.
const KEPT: usize = 1_024;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Payer {
    /// The server's own.
    Server,
    /// A tenant's.
    Tenant(TenantId),
    /// A webhook's own, so that one that hangs holds none of its tenant's other places.
    Webhook(WebhookId),
}

/// What is counted by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    Payer(Payer),
    Target(Payer, String),
}

/// Places in use; dropped, they are free again.
pub(super) struct Taken(#[allow(dead_code, reason = "it is held, not read")] [OwnedSemaphorePermit; 3]);

/// The places.
pub(super) struct Places {
    all: Arc<Semaphore>,
    counted: Mutex<BTreeMap<Counted, Arc<Semaphore>>>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(limits::OUTBOUND_AT_ONCE)), counted: Mutex::default() }
    }

    /// Waits for a place of each kind.
    pub(super) async fn take(&self, payer: Payer, origin: String) -> Option<Taken> {
        let target = self.of(Counted::Target(payer, origin), limits::OUTBOUND_PER_TARGET).acquire_owned().await.ok()?;
        let payer = self.of(Counted::Payer(payer), limits::OUTBOUND_PER_TENANT).acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(Taken([target, payer, all]))
    }

    fn of(&self, key: Counted, places: usize) -> Arc<Semaphore> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= KEPT {
            counted.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        counted.entry(key).or_insert_with(|| Arc::new(Semaphore::new(places))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(places: &Places, payer: Payer, origin: &str) -> Vec<Taken> {
        let mut taken = Vec::new();
        while let Some(one) = at_once(places, payer, origin) {
            taken.push(one);
        }
        taken
    }

    /// A place, where none has to be waited for.
    fn at_once(places: &Places, payer: Payer, origin: &str) -> Option<Taken> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            tokio::select! { biased; taken = places.take(payer, origin.to_owned()) => taken, () = std::future::ready(()) => None }
        })
    }

    #[test]
    fn one_target_takes_no_place_from_another() {
        let (places, tenant) = (Places::new(), Payer::Tenant(TenantId::from_bytes([1; 16])));
        let slow = full(&places, tenant, "https://slow.example");
        assert_eq!(slow.len(), limits::OUTBOUND_PER_TARGET);
        let other = full(&places, tenant, "https://other.example");
        assert_eq!(other.len(), limits::OUTBOUND_PER_TENANT - limits::OUTBOUND_PER_TARGET);
        assert_eq!(full(&places, Payer::Server, "https://slow.example").len(), limits::OUTBOUND_PER_TARGET, "another tenant has its own");
        drop(slow);
        assert_eq!(full(&places, tenant, "https://slow.example").len(), limits::OUTBOUND_PER_TARGET, "places come back");
    }
}
