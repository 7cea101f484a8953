//! Who came and went, for the tenants that have a webhook which wants to know. Presence is not durable by itself: what was told last is
//! kept, so that a restart tells nobody that all devices came back, and a device that did not come back is told of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sallyport_decide::webhooks::EventKind;
use sallyport_model::{DeviceId, TenantId, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::targets::devices_by_id;
use sallyport_store::ops::webhooks::{TellPresence, presence, wants_presence};

use crate::App;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until the process ends.
pub(crate) async fn run(app: App) {
    let mut missing = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&app, &mut missing).await {
            tracing::warn!(%error, "who came and went could not be told; it is tried again");
        }
    }
}

async fn round(app: &App, missing: &mut BTreeMap<DeviceId, Timestamp>) -> Result<(), StoreError> {
    let tenants = wants_presence(&mut app.store.read().await?).await?;
    for tenant in tenants {
        let told = presence(&mut app.store.read().await?, tenant).await?;
        let online = app.hub.online(tenant);
        let changes = changes(&told, &online, missing, app.clock.now());
        if changes.is_empty() {
            continue;
        }
        let devices: Vec<DeviceId> = changes.iter().map(|(device, _)| *device).collect();
        let facts = devices_by_id(&mut app.store.read().await?, tenant, &devices).await?;
        let managed: BTreeSet<DeviceId> = facts.iter().filter(|facts| facts.state == "approved").map(|facts| facts.device).collect();
        for (device, kind) in changes.into_iter().filter(|(device, _)| managed.contains(device)) {
            tell(app, tenant, device, kind).await?;
        }
    }
    Ok(())
}

async fn tell(app: &App, tenant: TenantId, device: DeviceId, kind: EventKind) -> Result<(), StoreError> {
    app.store.reserve(TellPresence { tenant, device, kind, at: app.clock.now() }).await
}

/// What is to be told: who is there and was not, and who was there and has been missing for a while.
fn changes(
    told: &BTreeMap<DeviceId, bool>,
    online: &BTreeSet<DeviceId>,
    missing: &mut BTreeMap<DeviceId, Timestamp>,
    now: Timestamp,
) -> Vec<(DeviceId, EventKind)> {
    let came = online.iter().filter(|device| told.get(device) != Some(&true)).map(|device| (*device, EventKind::DeviceOnline));
    let mut changes: Vec<_> = came.collect();
    for device in told.iter().filter(|(_, was)| **was).map(|(device, _)| *device) {
        if online.contains(&device) {
            missing.remove(&device);
            continue;
        }
        let since = *missing.entry(device).or_insert(now);
        if now.micros_since(since) >= limits::PRESENCE_GRACE_SECS * 1_000_000 {
            missing.remove(&device);
            changes.push((device, EventKind::DeviceOffline));
        }
    }
    changes.sort_unstable();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_back_within_the_grace_is_not_told_of() {
        let (device, mut missing) = (DeviceId::from_bytes([1; 16]), BTreeMap::new());
        let at = |secs: i64| Timestamp::from_secs(1_790_000_000 + secs);
        let (here, nobody) = (BTreeSet::from([device]), BTreeSet::new());
        assert_eq!(changes(&BTreeMap::new(), &here, &mut missing, at(0)), [(device, EventKind::DeviceOnline)]);
        let told = BTreeMap::from([(device, true)]);
        assert_eq!(changes(&told, &here, &mut missing, at(1)), []);
        assert_eq!(changes(&told, &nobody, &mut missing, at(2)), []);
        assert_eq!(changes(&told, &here, &mut missing, at(50)), []);
        assert_eq!(changes(&told, &nobody, &mut missing, at(60)), [], "missing anew");
        assert_eq!(changes(&told, &nobody, &mut missing, at(119)), []);
        assert_eq!(changes(&told, &nobody, &mut missing, at(120)), [(device, EventKind::DeviceOffline)]);
        assert_eq!(changes(&BTreeMap::from([(device, false)]), &nobody, &mut missing, at(300)), []);
    }
}
