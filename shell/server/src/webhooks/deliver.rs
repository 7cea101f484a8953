//! The courier: looks what is due, takes it, sends it, writes down what became of it. Each endpoint has places of its own, so that a slow
//! or dead one delays nobody else; one that failed last gets a single place until something arrives again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sallyport_decide::webhooks::{Next, next, wait_secs};
use sallyport_model::{WebhookId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::webhooks::{
    Due, ForgetDeliveries, TakeDelivery, TriedDelivery, WebhookRow, WithholdDelivery, due_of, webhook, with_due,
};

use super::{send, told};
use crate::App;

const EVERY: Duration = Duration::from_millis(250);
/// Rounds between two cleanings: a quarter of an hour.
const CLEAN_EVERY: u64 = 3_600;
/// An attempt that nothing more is heard of is made again, at the earliest after its own time and this.
const GRACE_SECS: i64 = 15;

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    let busy = Busy::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0u64.. {
        ticks.tick().await;
        if let Err(error) = round(&app, &busy, number).await {
            tracing::warn!(%error, "the queue of webhooks cannot be read; it is tried again");
        }
    }
}

async fn round(app: &App, busy: &Busy, number: u64) -> Result<(), StoreError> {
    let hooks = with_due(&mut app.store.read().await?, app.clock.now()).await?;
    for id in hooks {
        let free = busy.free(id);
        if free == 0 {
            continue;
        }
        let mut reader = app.store.read().await?;
        let Some(hook) = webhook(&mut reader, id).await? else { continue };
        let due = due_of(&mut reader, id, app.clock.now(), free).await?;
        drop(reader);
        for due in due {
            let (app, hook, place) = (app.clone(), hook.clone(), busy.take(id));
            tokio::spawn(async move {
                if let Err(error) = deliver(&app, &hook, &due, &place).await {
                    tracing::warn!(%error, webhook = %hook.id, "a delivery could not be made or written down; it is tried again");
                }
            });
        }
    }
    if number % CLEAN_EVERY == CLEAN_EVERY - 1 {
        app.store.reserve(ForgetDeliveries { at: app.clock.now() }).await?;
    }
    Ok(())
}

/// Takes a delivery durably, then sends it: a server that dies in between sends it again, with the same id.
async fn deliver(app: &App, hook: &WebhookRow, due: &Due, place: &Place) -> Result<(), StoreError> {
    let at = app.clock.now();
    let patience = i64::try_from(limits::WEBHOOK_PATIENCE_SECS).unwrap_or(i64::MAX);
    let wait = wait_secs(due.tries + 1, random_number(app)).max(patience + GRACE_SECS);
    let take = TakeDelivery { webhook: hook.id, event: due.event, made: due.made, at, again: at.plus_secs(wait) };
    if !may_be_told(app, hook, due).await? {
        return app.store.reserve(WithholdDelivery { webhook: hook.id, event: due.event, at }).await;
    }
    if !app.store.reserve(take).await? {
        return Ok(());
    }
    let (outcome, attempt) = send::attempt(app, hook, due).await;
    let next = next(due.tries + 1, outcome, random_number(app));
    place.went(next);
    let tried = TriedDelivery { webhook: hook.id, event: due.event, attempt, next, at: app.clock.now(), salt: app.random() };
    if app.store.reserve(tried).await? {
        tracing::info!(webhook = %hook.id, "a webhook is paused: nothing reaches it");
    }
    Ok(())
}

async fn may_be_told(app: &App, hook: &WebhookRow, due: &Due) -> Result<bool, StoreError> {
    let data = serde_json::from_str(&due.data).unwrap_or_default();
    told::may_be_told(&mut app.store.read().await?, hook, due.kind, &data, app.clock.now()).await
}

fn random_number(app: &App) -> u64 {
    u64::from_be_bytes(app.random())
}

/// Which deliveries are under way, and which endpoints failed last.
#[derive(Clone, Default)]
struct Busy(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    under_way: BTreeMap<WebhookId, usize>,
    failing: BTreeSet<WebhookId>,
}

impl Busy {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more deliveries an endpoint may have under way.
    fn free(&self, id: WebhookId) -> usize {
        let state = self.state();
        let places = if state.failing.contains(&id) { 1 } else { limits::WEBHOOK_AT_ONCE };
        places.saturating_sub(state.under_way.get(&id).copied().unwrap_or(0))
    }

    fn take(&self, id: WebhookId) -> Place {
        *self.state().under_way.entry(id).or_default() += 1;
        Place { busy: self.clone(), id }
    }
}

/// The place of a delivery under way, free again once this is dropped.
struct Place {
    busy: Busy,
    id: WebhookId,
}

impl Place {
    fn went(&self, next: Next) {
        let mut state = self.busy.state();
        match next {
            Next::Delivered => state.failing.remove(&self.id),
            Next::Again(_) | Next::GivenUp => state.failing.insert(self.id),
        };
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.busy.state();
        if let Some(count) = state.under_way.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.under_way.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_places_of_its_own_and_a_failing_one_has_one() {
        let (busy, one, other) = (Busy::default(), WebhookId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let places: Vec<Place> = (0..limits::WEBHOOK_AT_ONCE).map(|_| busy.take(one)).collect();
        assert_eq!((busy.free(one), busy.free(other)), (0, limits::WEBHOOK_AT_ONCE));
        places[0].went(Next::Again(10));
        drop(places);
        assert_eq!((busy.free(one), busy.free(other)), (1, limits::WEBHOOK_AT_ONCE));
        let place = busy.take(one);
        assert_eq!(busy.free(one), 0);
        place.went(Next::Delivered);
        drop(place);
        assert_eq!(busy.free(one), limits::WEBHOOK_AT_ONCE);
    }
}
