//! One agent link, from the first byte to the last.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_channel::mpsc;
use futures_util::{SinkExt as _, StreamExt as _};
use sallyport_model::{DeviceId, TenantId, limits};
use sallyport_store::ops::enrolment::Seen;
use sallyport_wire::{DeviceState, Hello, LinkSecret, Responder, ServerLink, ToAgent, UnsignedToAgent};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::reports::ClockSeen;
use super::{Order, enrol, offers, reports, tell_presence};
use crate::App;
use crate::keys::TenantKeys;

/// A peer that does not take a frame for so long is cut off.
const SENDING: Duration = Duration::from_secs(30);

/// Why a link ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    #[error("the agent went away")]
    Gone,
    #[error("the agent was silent for too long")]
    Silent,
    #[error("the agent broke the protocol: {0}")]
    Wire(#[from] sallyport_wire::LinkError),
    #[error("the store failed: {0}")]
    Store(#[from] sallyport_store::StoreError),
    #[error("the server ended it")]
    Ended,
}

/// A link whose agent is known.
pub(super) struct Linked {
    pub(super) app: App,
    pub(super) tenant: TenantId,
    pub(super) device: DeviceId,
    pub(super) number: u64,
    pub(super) key: sallyport_grant::VerifyKey,
    link: ServerLink,
    socket: WebSocket,
    probe: Option<oneshot::Sender<()>>,
    pub(super) last_inventory: Option<tokio::time::Instant>,
    pub(super) clock: ClockSeen,
}

/// Serves a link until it ends.
///
/// Tens of thousands of links wait at the same time, so each costs only what waiting needs: getting acquainted, and everything that is
/// done for a message, lives in memory of its own that goes when it is done.
pub(super) async fn serve(app: App, tenant: TenantId, keys: Arc<TenantKeys>, from: IpAddr, socket: WebSocket) {
    if let Some(known) = Box::pin(welcome(app, tenant, keys, from, socket)).await {
        tokio::spawn(stay(known));
    }
}

/// An agent that was identified and told what it is.
struct Known {
    app: App,
    tenant: TenantId,
    device: DeviceId,
    key: sallyport_grant::VerifyKey,
    state: DeviceState,
    from: IpAddr,
    link: ServerLink,
    socket: WebSocket,
}

/// Finds out who dials and answers; nothing where the link is not to last.
async fn welcome(app: App, tenant: TenantId, keys: Arc<TenantKeys>, from: IpAddr, mut socket: WebSocket) -> Option<Known> {
    let opened = timeout(Duration::from_secs(limits::HANDSHAKE_SECS), handshake(&keys, app.random(), &mut socket)).await;
    let Ok(Ok((hello, mut link))) = opened else {
        metrics::counter!("sallyport_link_refused_total").increment(1);
        return None;
    };
    let known = match enrol::identify(&app, tenant, &hello, from).await {
        Ok(known) => known,
        Err(error) => {
            tracing::error!(%error, "a device could not be identified");
            return None;
        }
    };
    let state = known.map_or(DeviceState::Unknown, |(_, state)| state);
    let welcome = UnsignedToAgent::Welcome {
        state,
        server_time: app.clock.now(),
        device: known.map(|(device, _)| device),
        tenant: known.map(|_| tenant),
    };
    for frame in link.send(&welcome.into()).ok()? {
        socket.send(Message::Binary(Bytes::from(frame))).await.ok()?;
    }
    let (device, state) = known.filter(|(_, state)| !matches!(state, DeviceState::Removed | DeviceState::Quarantined))?;
    Some(Known { app, tenant, device, key: *hello.device_key(), state, from, link, socket })
}

/// Serves an agent that is known. What it holds as long as the link lasts is made before it, so that it is there once.
fn stay(known: Known) -> impl Future<Output = ()> {
    let Known { app, tenant, device, key, state, from, link, socket } = known;
    let (number, mut orders) = app.hub.enter(tenant, device, from);
    let mut linked =
        Linked { app, tenant, device, number, key, link, socket, probe: None, last_inventory: None, clock: ClockSeen::default() };
    async move {
        tell_presence(&linked.app, tenant, device, true);
        metrics::gauge!("sallyport_links").increment(1.0);
        let end = linked.run(state, &mut orders).await.err().unwrap_or(LinkEnd::Ended);
        tracing::debug!(%device, %end, "a link ended");
        metrics::gauge!("sallyport_links").decrement(1.0);
        Box::pin(linked.leave()).await;
    }
}

async fn handshake(keys: &TenantKeys, random: [u8; 32], socket: &mut WebSocket) -> Result<(Hello, ServerLink), LinkEnd> {
    let first = frame(socket).await?;
    let (awaiting, reply) = Responder::new(&LinkSecret::from_bytes(*keys.link), random).answer(&first)?;
    socket.send(Message::Binary(Bytes::from(reply))).await.map_err(|_| LinkEnd::Gone)?;
    let hello = frame(socket).await?;
    Ok(awaiting.open_hello(&hello)?)
}

async fn frame(socket: &mut WebSocket) -> Result<Bytes, LinkEnd> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Binary(frame))) => return Ok(frame),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(LinkEnd::Gone),
        }
    }
}

impl Linked {
    async fn run(&mut self, told: DeviceState, orders: &mut mpsc::Receiver<Order>) -> Result<(), LinkEnd> {
        Box::pin(self.begin(told)).await?;
        let silence = Duration::from_secs(limits::SILENCE_SECS as u64);
        let deadline = tokio::time::sleep(silence);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                received = self.socket.recv() => {
                    deadline.as_mut().reset(tokio::time::Instant::now() + silence);
                    Box::pin(self.received(received)).await?;
                }
                order = orders.next() => Box::pin(self.obey(order.unwrap_or(Order::Close))).await?,
                () = &mut deadline => return Err(LinkEnd::Silent),
            }
        }
    }

    /// What has waited for the device.
    async fn begin(&mut self, told: DeviceState) -> Result<(), LinkEnd> {
        let state = {
            let _turn = self.app.hub.turn().await;
            Box::pin(seen(&self.app, self.tenant, self.device, &self.key)).await?
        };
        if state != told {
            self.send(&UnsignedToAgent::StateChanged { state }.into()).await?;
        }
        if matches!(state, DeviceState::Removed | DeviceState::Quarantined) {
            return Err(LinkEnd::Ended);
        }
        if state == DeviceState::Approved {
            Box::pin(offers::deliver_device(self)).await?;
        }
        Ok(())
    }

    /// Leaves the hub, unless a newer link of the device has taken the place.
    async fn leave(self) {
        let Self { app, tenant, device, number, .. } = self;
        if app.hub.leave(device, number) {
            let at = app.clock.now();
            if let Err(error) = app.store.commit(Seen { device, at }).await {
                tracing::warn!(%error, %device, "when a device was last seen could not be kept");
            }
            tell_presence(&app, tenant, device, false);
        }
    }

    async fn received(&mut self, received: Option<Result<Message, axum::Error>>) -> Result<(), LinkEnd> {
        match received {
            Some(Ok(Message::Binary(frame))) => match self.link.receive(&frame)? {
                Some(message) => reports::take(self, message).await,
                None => Ok(()),
            },
            Some(Ok(Message::Pong(_))) => {
                if let Some(probe) = self.probe.take() {
                    let _ = probe.send(());
                }
                Ok(())
            }
            Some(Ok(Message::Ping(_))) => Ok(()),
            _ => Err(LinkEnd::Gone),
        }
    }

    async fn obey(&mut self, order: Order) -> Result<(), LinkEnd> {
        match order {
            Order::Send(message) => self.send(&message).await,
            Order::Probe(probe) => {
                self.probe = Some(probe);
                self.socket.send(Message::Ping(Bytes::new())).await.map_err(|_| LinkEnd::Gone)
            }
            Order::Close => Err(LinkEnd::Ended),
        }
    }

    /// Sends a message; a peer that does not read for a while is cut off.
    pub(super) async fn send(&mut self, message: &ToAgent) -> Result<(), LinkEnd> {
        let frames = self.link.send(message)?;
        for frame in frames {
            in_time(self.socket.feed(Message::Binary(Bytes::from(frame)))).await?;
        }
        in_time(self.socket.flush()).await
    }
}

async fn in_time(sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), LinkEnd> {
    timeout(SENDING, sending).await.map_err(|_| LinkEnd::Silent)?.map_err(|_| LinkEnd::Gone)
}

/// Keeps when it came, and says what it is now: between the welcome and the place in the hub somebody may have approved or removed it.
async fn seen(app: &App, tenant: TenantId, device: DeviceId, key: &sallyport_grant::VerifyKey) -> Result<DeviceState, LinkEnd> {
    app.store.commit(Seen { device, at: app.clock.now() }).await?;
    Ok(enrol::state_now(app, tenant, key).await?)
}
