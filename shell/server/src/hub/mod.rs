//! Agents that are connected: one link each, and the only way to reach a device.

mod enrol;
mod link;
mod offers;
mod reports;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures_channel::mpsc;
use sallyport_api::Code;
use sallyport_decide::networks::{Capability, Rules};
use sallyport_model::{DeviceId, GrantId, TenantId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::networks::rules;
use sallyport_wire::{DeviceState, Heartbeat, ToAgent, UnsignedToAgent};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use crate::events::Event;
use crate::{App, Query, Refusal};

pub(crate) use offers::{deliver_job, deliver_to};

/// Orders that wait for one slow link before offers to it are left for its next connection.
const ORDERS: usize = 64;
/// Devices that the store may be busy with at once because they came back or told what they are: in a storm, the others wait in line,
/// and what is needed for one device is not in memory for ten thousand.
const TURNS: usize = 64;
/// What a link reads at once, and keeps as long as it lasts: one frame.
const READ_BYTES: usize = 512;
/// What is collected of a message before it is written. A link to which little is sent never has so much.
const WRITE_BYTES: usize = 4 * limits::CUT_FRAME_BYTES;
/// How long the older of two links has to show that it lives.
const PROBE: Duration = Duration::from_secs(2);

/// What the server's other parts ask of a link.
pub(crate) enum Order {
    /// Send this.
    Send(Box<ToAgent>),
    /// Show that the other end lives.
    Probe(oneshot::Sender<()>),
    /// End.
    Close,
}

struct Link {
    number: u64,
    tenant: TenantId,
    from: IpAddr,
    /// Of a kind that keeps no room for orders that nobody gave: most links wait most of the time.
    orders: mpsc::Sender<Order>,
    figures: Option<Box<Heartbeat>>,
}

impl Link {
    /// Whether the order waits for the link now.
    fn order(&mut self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

/// Every live agent link.
#[derive(Clone, Default)]
pub struct Hub(Arc<Links>);

struct Links {
    by_device: Mutex<HashMap<DeviceId, Link>>,
    next_number: AtomicU64,
    turns: Semaphore,
}

impl Default for Links {
    fn default() -> Self {
        Self { by_device: Mutex::default(), next_number: AtomicU64::default(), turns: Semaphore::new(TURNS) }
    }
}

impl Hub {
    fn links(&self) -> MutexGuard<'_, HashMap<DeviceId, Link>> {
        self.0.by_device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a device's agent is connected to this process.
    pub fn is_online(&self, device: DeviceId) -> bool {
        self.links().contains_key(&device)
    }

    /// The connected devices of a tenant.
    pub fn online(&self, tenant: TenantId) -> BTreeSet<DeviceId> {
        self.links().iter().filter(|(_, link)| link.tenant == tenant).map(|(device, _)| *device).collect()
    }

    /// One of [`TURNS`]; for what depends on the store alone and never on a peer.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turns.acquire().await.ok()
    }

    /// How many links there are.
    pub fn count(&self) -> usize {
        self.links().len()
    }

    /// The figures of a connected device's last heartbeat.
    pub fn figures(&self, device: DeviceId) -> Option<Heartbeat> {
        self.links().get(&device)?.figures.as_deref().cloned()
    }

    /// Ends every link.
    pub fn close_all(&self) {
        for link in self.links().values_mut() {
            link.order(Order::Close);
        }
    }

    /// Sends a message to a device; false where it is not connected or does not keep up.
    pub(crate) fn send(&self, device: DeviceId, message: ToAgent) -> bool {
        self.links().get_mut(&device).is_some_and(|link| link.order(Order::Send(Box::new(message))))
    }

    /// Tells a device that one of its runs is cancelled; after a reconnect it is told again.
    pub(crate) fn cancel(&self, device: DeviceId, grant: GrantId) {
        self.send(device, UnsignedToAgent::CancelRun { grant }.into());
    }

    /// Tells devices what they are now. Removed ones are told and then cut off.
    pub(crate) fn state_changed(&self, devices: &[DeviceId], state: DeviceState) {
        for device in devices {
            self.send(*device, UnsignedToAgent::StateChanged { state }.into());
            if state == DeviceState::Removed || state == DeviceState::Quarantined {
                self.close(*device);
            }
        }
    }

    fn close(&self, device: DeviceId) {
        let mut links = self.links();
        // A peer that does not read cannot keep its link by that: without its sender, the link ends after what waits already.
        if links.get_mut(&device).is_some_and(|link| !link.order(Order::Close)) {
            links.remove(&device);
        }
    }

    /// The tenants that have links here.
    pub(crate) fn tenants(&self) -> BTreeSet<TenantId> {
        self.links().values().map(|link| link.tenant).collect()
    }

    /// Ends the links of a tenant from addresses where they may no longer be.
    fn close_outside(&self, tenant: TenantId, rules: &Rules) {
        let outside = |link: &Link| link.tenant == tenant && !rules.allows(Capability::AgentLink, link.from);
        let devices: Vec<DeviceId> = self.links().iter().filter(|(_, link)| outside(link)).map(|(device, _)| *device).collect();
        for device in devices {
            tracing::info!(%device, "a link ends: its address is no longer within the ranges for agents");
            self.close(device);
        }
    }

    /// Takes the place of a device's link; returns its number and what its orders come from.
    fn enter(&self, tenant: TenantId, device: DeviceId, from: IpAddr) -> (u64, mpsc::Receiver<Order>) {
        // Each sender has a place of its own beside these.
        let (orders, inbox) = mpsc::channel(ORDERS - 1);
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        if let Some(mut old) = self.links().insert(device, Link { number, tenant, from, orders, figures: None }) {
            old.order(Order::Close);
        }
        (number, inbox)
    }

    /// Leaves the place, unless a newer link has it.
    fn leave(&self, device: DeviceId, number: u64) -> bool {
        let mut links = self.links();
        let is_mine = links.get(&device).is_some_and(|link| link.number == number);
        if is_mine {
            links.remove(&device);
        }
        is_mine
    }

    fn keep_figures(&self, device: DeviceId, number: u64, figures: Heartbeat) {
        if let Some(link) = self.links().get_mut(&device).filter(|link| link.number == number) {
            link.figures = Some(Box::new(figures));
        }
    }

    /// Whether another link of the device is there and alive: two machines with one key.
    async fn has_living_twin(&self, device: DeviceId) -> bool {
        let (answer, alive) = oneshot::channel();
        if !self.links().get_mut(&device).is_some_and(|link| link.order(Order::Probe(answer))) {
            return false;
        }
        matches!(tokio::time::timeout(PROBE, alive).await, Ok(Ok(())))
    }
}

/// The route of the agent link.
pub(crate) fn accept_route() -> MethodRouter<App> {
    get(accept)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialled {
    tenant: String,
}

/// Any machine may dial; who it is shows inside the link. The tenant says only whose link key answers.
async fn accept(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    // Agents send neither; a page that makes somebody's browser dial cannot leave them out.
    if parts.headers.contains_key(header::ORIGIN) || parts.headers.contains_key("sec-fetch-site") {
        return Err(Code::OriginRefused.into());
    }
    let Query(Dialled { tenant }) = Query::from_request_parts(&mut parts, &app).await?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await.map_err(|_| Refusal::from(Code::Malformed))?;
    let tenant: TenantId = tenant.parse().map_err(|_| Refusal::from(Code::NotFound))?;
    let keys = app.keys.of(tenant).ok_or(Code::NotFound)?;
    if !may_dial(&app, tenant, peer.ip()).await? {
        return Err(Code::NetworkRefused.into());
    }
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(limits::FRAME_BYTES)
        .max_frame_size(limits::FRAME_BYTES);
    Ok(upgrade.on_upgrade(move |socket| link::serve(app, tenant, keys, peer.ip(), socket)).into_response())
}

async fn may_dial(app: &App, tenant: TenantId, from: IpAddr) -> Result<bool, StoreError> {
    let _turn = app.hub.turn().await;
    // Of its own, so that those who wait for their turn do not hold the place for it.
    let rules = Box::pin(async { rules(&mut app.store.read().await?, tenant).await }).await?;
    Ok(rules.rules.allows(Capability::AgentLink, from))
}

/// Ends a tenant's links from outside of the ranges that are required for agents now.
pub(crate) async fn keep_inside(app: &App, tenant: TenantId) -> Result<(), StoreError> {
    let rules = rules(&mut app.store.read().await?, tenant).await?.rules;
    app.hub.close_outside(tenant, &rules);
    Ok(())
}

fn tell_presence(app: &App, tenant: TenantId, device: DeviceId, online: bool) {
    app.events.tell(tenant, Event::Device { device: device.to_string(), online });
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    #[test]
    fn a_link_that_does_not_keep_up_is_ended_too() {
        let (hub, device) = (Hub::default(), DeviceId::from_bytes([1; 16]));
        let (_, mut orders) = hub.enter(TenantId::from_bytes([2; 16]), device, std::net::Ipv4Addr::LOCALHOST.into());
        while hub.send(device, UnsignedToAgent::CancelRun { grant: GrantId::from_bytes([3; 16]) }.into()) {}
        hub.state_changed(&[device], DeviceState::Removed);
        for _ in 0..ORDERS {
            assert!(matches!(orders.next().now_or_never(), Some(Some(Order::Send(_)))));
        }
        assert!(matches!(orders.next().now_or_never(), Some(Some(Order::Close) | None)));
        assert!(!hub.is_online(device));
    }
}
