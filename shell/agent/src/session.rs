//! What happens on one link: everything that can, in one loop.

use std::time::Duration;

use sallyport_model::{GrantId, RemoteSessionId};
use sallyport_wire::{DeviceState, GrantOffer, Inventory, Place, ToAgent, ToServer, UnsignedToAgent};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::agent::Agent;
use crate::desk::{Answer, Desk};
use crate::gate::Refusal;
use crate::inventory_mark;
use crate::link::{Connection, Event, LinkEnd};
use crate::remote::recording::Piece;
use crate::remote::{Host, Why};
use crate::status::{LinkState, Refused};
use crate::trust::{ENROLMENT_FILE, Trust};

/// A link that lasted so long was no failure.
const STABLE: Duration = Duration::from_secs(10);

pub(crate) struct Session<'a> {
    agent: &'a mut Agent,
    connection: Connection,
    trust: &'a Trust,
    /// The token was shown and not yet answered.
    enrolling: bool,
    /// When the server answered the hello.
    welcome: Option<Instant>,
    heard: Instant,
    heartbeat_at: Instant,
    inventory_at: Instant,
    inventory_told: Option<Instant>,
    collecting: Option<JoinHandle<Inventory>>,
}

/// Everything that can happen on a link.
enum Happening {
    Wire(Event),
    Woken,
    Collected(Option<Box<Inventory>>),
    Timer,
}

impl<'a> Session<'a> {
    pub(crate) fn new(agent: &'a mut Agent, connection: Connection, trust: &'a Trust, enrolling: bool) -> Self {
        let now = Instant::now();
        let heartbeat_at = now + agent.jitter.below(agent.config.timing.heartbeat);
        let inventory_at = now + agent.config.timing.inventory;
        Self {
            agent,
            connection,
            trust,
            enrolling,
            welcome: None,
            heard: now,
            heartbeat_at,
            inventory_at,
            inventory_told: None,
            collecting: None,
        }
    }

    /// Lasts as long as the link.
    pub(crate) async fn last(mut self) -> LinkEnd {
        loop {
            let stepped = match self.wait().await {
                Ok(happening) => self.step(happening),
                Err(end) => Err(end),
            };
            if let Err(end) = stepped.and_then(|()| self.pump()) {
                // A server that welcomes and hangs up must not be dialled in a hurry.
                if self.welcome.is_some_and(|since| since.elapsed() >= STABLE) {
                    self.agent.backoff.reset();
                }
                return end;
            }
        }
    }

    async fn wait(&mut self) -> Result<Happening, LinkEnd> {
        let timer = self.heartbeat_at.min(self.inventory_at).min(self.heard + self.patience());
        tokio::select! {
            event = self.connection.next() => event.map(Happening::Wire),
            () = self.agent.wake.notified() => Ok(Happening::Woken),
            inventory = collected(&mut self.collecting) => Ok(Happening::Collected(inventory)),
            () = tokio::time::sleep_until(timer) => Ok(Happening::Timer),
        }
    }

    /// How long nothing may be heard.
    fn patience(&self) -> Duration {
        if self.welcome.is_some() { self.agent.config.timing.silence } else { self.agent.config.timing.handshake }
    }

    fn step(&mut self, happening: Happening) -> Result<(), LinkEnd> {
        match happening {
            Happening::Wire(Event::Drained) => Ok(()),
            Happening::Wire(Event::Heard) => {
                self.heard = Instant::now();
                Ok(())
            }
            Happening::Wire(Event::Received(message)) => {
                self.heard = Instant::now();
                self.received(message)
            }
            Happening::Woken => self.tidy(),
            Happening::Collected(inventory) => self.send_inventory(inventory),
            Happening::Timer => self.timer(),
        }
    }

    fn received(&mut self, message: ToAgent) -> Result<(), LinkEnd> {
        match message {
            ToAgent::GrantOffer(offer) => self.offered(*offer),
            ToAgent::Unsigned(UnsignedToAgent::Welcome { state, device, .. }) => {
                self.agent.status.device = device.map(|device| device.to_string());
                self.welcomed(state)
            }
            ToAgent::Unsigned(UnsignedToAgent::StateChanged { state }) => self.state_is(state),
            ToAgent::Unsigned(UnsignedToAgent::CancelRun { grant }) => {
                let answer = self.agent.desk.as_mut().and_then(|desk| desk.cancel(grant));
                answer.map_or(Ok(()), |answer| self.answer(answer))
            }
            ToAgent::Unsigned(UnsignedToAgent::OutputAck { grant, next_seq }) => {
                self.agent.uplink.output_stored(grant, next_seq);
                Ok(())
            }
            ToAgent::Unsigned(UnsignedToAgent::ReceiptAck { grant }) => {
                self.receipt_stored(grant);
                Ok(())
            }
            ToAgent::Unsigned(UnsignedToAgent::HeartbeatAck { .. }) => Ok(()),
            ToAgent::Unsigned(UnsignedToAgent::EndRemoteSession { session, grant }) => {
                self.with_sessions(|sessions| sessions.end(session, grant))
            }
            ToAgent::Unsigned(UnsignedToAgent::StreamTicket { grant, ticket }) => {
                self.with_sessions(|sessions| sessions.ticket(grant, ticket))
            }
            ToAgent::Unsigned(UnsignedToAgent::InventoryWanted) => {
                self.hurry_inventory();
                Ok(())
            }
            ToAgent::Unsigned(UnsignedToAgent::RecordingAck { session, next_seq }) => {
                self.with_sessions(|sessions| recording_stored(sessions, session, next_seq))
            }
        }
    }

    /// Nothing happens before the agent sat down; there is no session either.
    fn with_sessions(&self, act: impl FnOnce(&Host)) -> Result<(), LinkEnd> {
        if let Some(desk) = &self.agent.desk {
            act(desk.sessions());
        }
        Ok(())
    }

    fn welcomed(&mut self, state: DeviceState) -> Result<(), LinkEnd> {
        self.state_is(state)?;
        if self.welcome.is_some() {
            return Ok(());
        }
        self.welcome = Some(Instant::now());
        self.agent.uplink = self.agent.uplink.resume();
        self.with_sessions(|sessions| sessions.recordings().resume())?;
        tracing::info!(?state, "linked");
        if self.enrolling && !matches!(state, DeviceState::Removed) {
            self.enrolling = false;
            match self.trust.keep(&*self.agent.ports.disk) {
                Ok(()) => inventory_mark::forget(&*self.agent.ports.disk),
                Err(error) => tracing::error!(%error, "the enrolment cannot be stored"),
            }
        }
        self.collect();
        Ok(())
    }

    fn state_is(&mut self, state: DeviceState) -> Result<(), LinkEnd> {
        self.agent.status.link_trouble = None;
        if state != DeviceState::Approved {
            self.with_sessions(|sessions| sessions.end_all(Why::Revoked))?;
        }
        self.agent.show(match state {
            DeviceState::Pending => LinkState::Pending,
            DeviceState::Approved => LinkState::Approved,
            DeviceState::Removed => LinkState::Removed,
            DeviceState::Quarantined => LinkState::Quarantined,
            DeviceState::Unknown => return Err(LinkEnd::NotKnown),
        });
        Ok(())
    }

    fn offered(&mut self, offer: GrantOffer) -> Result<(), LinkEnd> {
        let answer = self.agent.desk.as_mut().map(|desk| desk.offered(offer));
        answer.map_or(Ok(()), |answer| self.answer(answer))
    }

    fn answer(&mut self, answer: Answer) -> Result<(), LinkEnd> {
        match answer {
            Answer::Waits => Ok(()),
            Answer::Begun => {
                self.show();
                Ok(())
            }
            Answer::Known(grant) => {
                self.agent.uplink.tell_again(grant);
                Ok(())
            }
            Answer::Cancelled { grant, receipt } => self.connection.queue(&ToServer::RunEnded { grant, receipt: receipt.into_bytes() }),
            Answer::Refused { grant, refusal, receipt } => {
                self.note_refusal(grant, &refusal);
                match (grant, receipt) {
                    (Some(grant), Some(receipt)) => self.connection.queue(&ToServer::RunEnded { grant, receipt: receipt.into_bytes() }),
                    _ => Ok(()),
                }
            }
        }
    }

    fn note_refusal(&mut self, grant: Option<GrantId>, refusal: &Refusal) {
        tracing::warn!(?grant, code = refusal.code(), reason = %refusal, "a grant was refused");
        self.agent.status.note_refusal(Refused {
            grant: grant.map(|grant| grant.to_string()),
            at: self.agent.ports.clock.now(),
            code: refusal.code().to_owned(),
            reason: refusal.to_string(),
        });
        self.show();
    }

    fn show(&mut self) {
        let link = self.agent.status.link;
        self.agent.show(link);
    }

    fn tidy(&mut self) -> Result<(), LinkEnd> {
        if self.agent.desk.as_ref().is_some_and(|desk| desk.sessions().has_news()) {
            self.show();
        }
        let answers = self.agent.desk.as_mut().map(Desk::tidy).unwrap_or_default();
        answers.into_iter().try_for_each(|answer| self.answer(answer))
    }

    fn receipt_stored(&mut self, grant: GrantId) {
        let Some(desk) = &self.agent.desk else { return };
        match desk.journal().acknowledge(grant) {
            Ok(()) => self.agent.uplink.forget(grant),
            Err(error) => tracing::error!(%grant, %error, "an acknowledged receipt cannot be let go"),
        }
        self.show();
    }

    /// Queues what the server must hear of runs, as far as there is room.
    fn pump(&mut self) -> Result<(), LinkEnd> {
        while self.welcome.is_some() && self.connection.has_room() {
            let Some(desk) = &self.agent.desk else { return Ok(()) };
            match self.agent.uplink.next(desk.journal()) {
                Ok(Some(message)) => self.connection.queue(&message)?,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "stored output cannot be read");
                    return Ok(());
                }
            }
        }
        self.pump_recordings()
    }

    /// Recordings come behind everything else.
    fn pump_recordings(&mut self) -> Result<(), LinkEnd> {
        while self.welcome.is_some() && self.connection.has_room() {
            let Some(desk) = &self.agent.desk else { return Ok(()) };
            match desk.sessions().recordings().next() {
                Ok(Some((session, piece))) => self.connection.queue(&recorded(session, piece))?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::error!(%error, "a recording cannot be read");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn timer(&mut self) -> Result<(), LinkEnd> {
        let now = Instant::now();
        if now >= self.heard + self.patience() {
            return Err(if self.welcome.is_some() { LinkEnd::Silent } else { LinkEnd::TooSlow });
        }
        if now >= self.inventory_at {
            self.inventory_at = now + self.agent.config.timing.inventory;
            inventory_mark::forget(&*self.agent.ports.disk);
            self.collect();
        }
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + self.agent.config.timing.heartbeat;
            return self.heartbeat();
        }
        Ok(())
    }

    fn heartbeat(&mut self) -> Result<(), LinkEnd> {
        if !self.enrolling && matches!(self.agent.ports.disk.read(ENROLMENT_FILE), Ok(Some(_))) {
            return Err(LinkEnd::EnrolmentChanged);
        }
        let heartbeat = self.agent.ports.facts.heartbeat(self.agent.ports.clock.now());
        self.connection.queue(&ToServer::Heartbeat(heartbeat))
    }

    /// Reading everything takes a while, so it happens off the link's thread.
    fn collect(&mut self) {
        if self.collecting.is_none() {
            let (facts, now) = (self.agent.ports.facts.clone(), self.agent.ports.clock.now());
            self.collecting = Some(tokio::task::spawn_blocking(move || facts.inventory(now).fitted()));
        }
    }

    /// Before its time, and never too soon after the last one: whoever asks often is answered as often as that.
    fn hurry_inventory(&mut self) {
        let soonest = self.inventory_told.map_or_else(Instant::now, |told| told + self.agent.config.timing.inventory_least);
        self.inventory_at = self.inventory_at.min(soonest);
    }

    fn send_inventory(&mut self, inventory: Option<Box<Inventory>>) -> Result<(), LinkEnd> {
        self.collecting = None;
        let Some(inventory) = inventory else { return Ok(()) };
        if inventory_mark::is_new(&*self.agent.ports.disk, &inventory) {
            self.connection.queue(&ToServer::Inventory(inventory.clone()))?;
            inventory_mark::set(&*self.agent.ports.disk, &inventory);
            self.inventory_told = Some(Instant::now());
        }
        Ok(())
    }
}

fn recorded(session: RemoteSessionId, piece: Piece) -> ToServer {
    let place = if piece.last { Place::Last } else { Place::Inner };
    ToServer::Recording { session, seq: piece.seq, chunk: piece.bytes, place }
}

fn recording_stored(sessions: &Host, session: RemoteSessionId, next_seq: u64) {
    if let Err(error) = sessions.recordings().stored(session, next_seq) {
        tracing::error!(%session, %error, "a stored piece of a recording cannot be let go");
    }
}

async fn collected(collecting: &mut Option<JoinHandle<Inventory>>) -> Option<Box<Inventory>> {
    match collecting {
        Some(task) => task.await.ok().map(Box::new),
        None => std::future::pending().await,
    }
}
