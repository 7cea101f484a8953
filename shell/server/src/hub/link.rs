//! One agent link, from the first byte to the last.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use sallyport_model::{DeviceId, TenantId, limits};
use sallyport_store::ops::enrolment::Seen;
use sallyport_wire::{DeviceState, Hello, LinkSecret, Responder, ServerLink, ToAgent, UnsignedToAgent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Order, enrol, offers, reports, tell_presence};
use crate::App;
use crate::clock::random;
use crate::keys::TenantKeys;

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
}

/// Serves a link until it ends.
pub(super) async fn serve(app: App, tenant: TenantId, keys: Arc<TenantKeys>, from: IpAddr, mut socket: WebSocket) {
    let opened = timeout(Duration::from_secs(limits::HANDSHAKE_SECS), handshake(&keys, &mut socket)).await;
    let Ok(Ok((hello, mut link))) = opened else {
        metrics::counter!("sallyport_link_refused_total").increment(1);
        return;
    };
    let known = match enrol::identify(&app, tenant, &hello, from).await {
        Ok(known) => known,
        Err(error) => return tracing::error!(%error, "a device could not be identified"),
    };
    let state = known.map_or(DeviceState::Unknown, |(_, state)| state);
    let welcome = UnsignedToAgent::Welcome {
        state,
        server_time: app.clock.now(),
        device: known.map(|(device, _)| device),
        tenant: known.map(|_| tenant),
    };
    let Ok(frames) = link.send(&welcome.into()) else { return };
    for frame in frames {
        if socket.send(Message::Binary(Bytes::from(frame))).await.is_err() {
            return;
        }
    }
    let Some((device, state)) = known else { return };
    if matches!(state, DeviceState::Removed | DeviceState::Quarantined) {
        return;
    }
    // Boxed: what a link needs while it waits should be the only memory that it costs.
    Box::pin(stay(app, tenant, device, state, hello, link, socket)).await;
}

async fn stay(app: App, tenant: TenantId, device: DeviceId, state: DeviceState, hello: Hello, link: ServerLink, socket: WebSocket) {
    let (number, mut orders) = app.hub.enter(tenant, device);
    let key = *hello.device_key();
    drop(hello);
    let mut linked = Linked { app, tenant, device, number, key, link, socket, probe: None, last_inventory: None };
    tell_presence(&linked.app, tenant, device, true);
    metrics::gauge!("sallyport_links").increment(1.0);
    let end = linked.run(state, &mut orders).await.err().unwrap_or(LinkEnd::Ended);
    tracing::debug!(%device, %end, "a link ended");
    metrics::gauge!("sallyport_links").decrement(1.0);
    if linked.app.hub.leave(device, number) {
        let at = linked.app.clock.now();
        if let Err(error) = linked.app.store.commit(Seen { device, at }).await {
            tracing::warn!(%error, %device, "when a device was last seen could not be kept");
        }
        tell_presence(&linked.app, tenant, device, false);
    }
}

async fn handshake(keys: &TenantKeys, socket: &mut WebSocket) -> Result<(Hello, ServerLink), LinkEnd> {
    let first = frame(socket).await?;
    let (awaiting, reply) = Responder::new(&LinkSecret::from_bytes(*keys.link), random()).answer(&first)?;
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
        self.app.store.commit(Seen { device: self.device, at: self.app.clock.now() }).await?;
        // Between the welcome and the place in the hub somebody may have approved or removed the device.
        let state = enrol::state_now(&self.app, self.tenant, &self.key).await?;
        if state != told {
            self.send(&UnsignedToAgent::StateChanged { state }.into()).await?;
        }
        if matches!(state, DeviceState::Removed | DeviceState::Quarantined) {
            return Err(LinkEnd::Ended);
        }
        if state == DeviceState::Approved {
            offers::deliver_device(self).await?;
        }
        let silence = Duration::from_secs(limits::SILENCE_SECS as u64);
        let deadline = tokio::time::sleep(silence);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                received = self.socket.recv() => {
                    deadline.as_mut().reset(tokio::time::Instant::now() + silence);
                    self.received(received).await?;
                }
                order = orders.recv() => self.obey(order.unwrap_or(Order::Close)).await?,
                () = &mut deadline => return Err(LinkEnd::Silent),
            }
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
        for frame in self.link.send(message)? {
            let sent = timeout(Duration::from_secs(30), self.socket.send(Message::Binary(Bytes::from(frame)))).await;
            sent.map_err(|_| LinkEnd::Silent)?.map_err(|_| LinkEnd::Gone)?;
        }
        Ok(())
    }
}
