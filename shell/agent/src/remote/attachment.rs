//! One person's attachment to a session: its stream over any number of connections, from the grant to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sallyport_model::limits;
use sallyport_wire::stream::{ByeReason, Flow, Payload, StreamEnd};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::kind::{AttachmentId, Budget, Event, Message, Outgoing, Waiting};
use super::open::OpenSession;
use super::socket::{Heard, Lost, Socket, StreamPlace};
use crate::ports::Ports;
use crate::remote::RemoteTiming;

/// From here on a client whose bytes are not consumed is held back, and below half of it let go.
const HELD_BYTES: usize = 128 * 1024;
/// A client that goes on all the same is sent away, at so many times what it may send ahead.
const HELD_MOST_WINDOWS: usize = 4;
/// Time to connect, and to try again while the ticket may still be good.
const DIAL: Duration = Duration::from_secs(10);
const DIAL_AGAIN: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1600)];

/// What an attachment is told from outside of its stream.
#[derive(Debug)]
pub(super) enum Call {
    /// Dial (again) with this.
    Ticket([u8; 32]),
    /// The session is over, or this attachment of it; what is queued may still be sent.
    Farewell(ByeReason),
}

/// How an attachment came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// It was told to, or the client left.
    Left,
    /// The client, or somebody between, broke the rules of the stream; a stable code.
    Broken(&'static str),
}

pub(super) struct Attachment {
    pub(super) id: AttachmentId,
    pub(super) ports: Ports,
    pub(super) place: StreamPlace,
    pub(super) timing: RemoteTiming,
    pub(super) session: Arc<OpenSession>,
    pub(super) stream: StreamEnd,
    /// What the client may send ahead, in bytes.
    pub(super) window: usize,
    pub(super) waiting: Waiting,
    pub(super) budget: Budget,
    pub(super) calls: mpsc::Receiver<Call>,
    pub(super) born: Instant,
    /// Set once the end is near: until then what is left may be sent.
    pub(super) farewell: Option<Instant>,
}

/// What ended one connection.
enum Stop {
    Lost,
    Redial([u8; 32]),
    Over(Parting),
}

impl Attachment {
    /// Lives as long as the attachment, over all of its connections.
    pub(super) async fn last(mut self, ticket: [u8; 32]) -> Parting {
        let mut ticket = Some(ticket);
        loop {
            let stop = match ticket.take() {
                Some(ticket) => self.connection(&ticket).await,
                None => self.away().await,
            };
            match stop {
                Stop::Lost => {}
                Stop::Redial(fresh) => ticket = Some(fresh),
                Stop::Over(parting) => return parting,
            }
        }
    }

    /// Waits to be called back.
    async fn away(&mut self) -> Stop {
        let patience = self.farewell.unwrap_or_else(|| Instant::now() + self.timing.unattended);
        tokio::select! {
            call = self.calls.recv() => match call {
                Some(Call::Ticket(ticket)) => Stop::Redial(ticket),
                // Nobody would hear it.
                Some(Call::Farewell(_)) | None => Stop::Over(Parting::Left),
            },
            () = tokio::time::sleep_until(patience) => Stop::Over(Parting::Left),
        }
    }

    /// One connection, from dialling to its end.
    async fn connection(&mut self, ticket: &[u8; 32]) -> Stop {
        let mut socket = match self.dial(ticket).await {
            Ok(socket) => socket,
            Err(stop) => return stop,
        };
        self.stream.connected();
        self.session.connected(self.id);
        let stop = self.talk(&mut socket).await;
        self.stream.disconnected();
        self.session.disconnected(self.id);
        if matches!(stop, Stop::Over(_)) {
            // A client that takes nothing must not hold the end up.
            let _ = tokio::time::timeout(self.timing.farewell, socket.close()).await;
        }
        stop
    }

    async fn dial(&mut self, ticket: &[u8; 32]) -> Result<Socket, Stop> {
        let mut pauses = DIAL_AGAIN.into_iter();
        loop {
            match self.dial_once(ticket).await? {
                Ok(socket) => return Ok(socket),
                Err(error) => tracing::debug!(grant = %self.id.0, %error, "a stream cannot be dialled"),
            }
            let Some(pause) = pauses.next() else { return Err(Stop::Lost) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whoever is told goodbye meanwhile is still dialled for, so that the client hears it.
    async fn dial_once(&mut self, ticket: &[u8; 32]) -> Result<io::Result<Socket>, Stop> {
        let (ports, place) = (self.ports.clone(), self.place.clone());
        let mut dialled = pin!(tokio::time::timeout(DIAL, Socket::open(&*ports.dial, &place, ticket)));
        loop {
            let patience = self.farewell.unwrap_or_else(|| Instant::now() + 2 * DIAL);
            tokio::select! {
                opened = &mut dialled => return Ok(opened.map_err(io::Error::from).and_then(|opened| opened.map_err(io::Error::other))),
                call = self.calls.recv() => self.called(call)?,
                () = tokio::time::sleep_until(patience) => return Err(Stop::Over(Parting::Left)),
            }
        }
    }

    async fn talk(&mut self, socket: &mut Socket) -> Stop {
        let mut life = Life { heard: Instant::now(), asked: false };
        loop {
            if let Some(stop) = self.fill() {
                return stop;
            }
            let timer = self.next_timer(&life);
            let happened = tokio::select! {
                biased;
                call = self.calls.recv() => self.called(call),
                next = socket.next(&mut self.stream) => {
                    life = Life { heard: Instant::now(), asked: false };
                    self.heard(next)
                }
                () = self.waiting.filled() => Ok(()),
                () = self.budget.freed() => Ok(()),
                () = tokio::time::sleep_until(timer) => self.timer(&mut life, socket),
            };
            if let Err(stop) = happened {
                return stop;
            }
        }
    }

    /// Moves what waits into the stream, as far as the client keeps up. The end comes behind everything else.
    fn fill(&mut self) -> Option<Stop> {
        self.stream.set_flow(self.flow());
        while self.stream.room() >= limits::STREAM_PAYLOAD_BYTES {
            let payload = match self.waiting.take() {
                Some(Outgoing::Control(text)) => Payload::Control(text),
                Some(Outgoing::Data { channel, bytes }) => Payload::Data { channel, bytes },
                Some(Outgoing::Bye(reason)) => {
                    self.farewell.get_or_insert(Instant::now() + self.timing.goodbye(reason));
                    Payload::control(&Bye { t: "bye", reason })
                }
                None => break,
            };
            if self.stream.send(&payload).is_err() {
                return Some(Stop::Over(Parting::Broken("stream_broken")));
            }
        }
        let sent = self.farewell.is_some() && self.waiting.is_empty() && self.stream.is_drained();
        sent.then_some(Stop::Over(Parting::Left))
    }

    fn flow(&self) -> Flow {
        if self.budget.held() > HELD_BYTES { Flow::Held } else { Flow::Open }
    }

    fn called(&mut self, call: Option<Call>) -> Result<(), Stop> {
        match call {
            Some(Call::Ticket(ticket)) => Err(Stop::Redial(ticket)),
            Some(Call::Farewell(reason)) => {
                self.farewell.get_or_insert(Instant::now() + self.timing.goodbye(reason));
                Ok(())
            }
            None => Err(Stop::Over(Parting::Left)),
        }
    }

    fn heard(&mut self, next: Result<Heard, Lost>) -> Result<(), Stop> {
        match next {
            Ok(Heard::Message(message)) => self.received(&message),
            Ok(Heard::Alive) => Ok(()),
            Err(Lost::ForNow) if self.farewell.is_none() => Err(Stop::Lost),
            Err(Lost::ForNow | Lost::ForGood) => Err(Stop::Over(Parting::Left)),
        }
    }

    fn received(&mut self, message: &[u8]) -> Result<(), Stop> {
        let payload = self.stream.receive(message, self.now_ms()).map_err(|error| {
            tracing::warn!(grant = %self.id.0, %error, "a stream is broken");
            Stop::Over(Parting::Broken(error.code()))
        })?;
        let Some(payload) = payload.filter(|_| self.farewell.is_none()) else { return Ok(()) };
        self.session.input();
        let from = self.id;
        self.session.teller.tell(match payload {
            Payload::Control(text) => Event::Control { from, message: Message(self.budget.count(text)) },
            Payload::Data { channel, bytes } => Event::Data { from, channel, bytes: self.budget.count(bytes) },
        });
        let too_much = self.budget.held() > HELD_MOST_WINDOWS * self.window;
        if too_much { Err(Stop::Over(Parting::Broken("too_much_input"))) } else { Ok(()) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn next_timer(&self, life: &Life) -> Instant {
        let acknowledge = self.stream.deadline_ms().map(|ms| self.born + Duration::from_millis(ms));
        let silence = life.heard + self.timing.silence * if life.asked { 2 } else { 1 };
        [acknowledge, self.farewell].into_iter().flatten().fold(silence, Instant::min)
    }

    fn timer(&mut self, life: &mut Life, socket: &mut Socket) -> Result<(), Stop> {
        let now = Instant::now();
        if self.farewell.is_some_and(|until| now >= until) {
            return Err(Stop::Over(Parting::Left));
        }
        if now >= life.heard + 2 * self.timing.silence {
            return Err(Stop::Lost);
        }
        if now >= life.heard + self.timing.silence && !life.asked {
            life.asked = true;
            socket.ask_for_life();
        }
        self.stream.tick(self.now_ms()).map_err(|error| Stop::Over(Parting::Broken(error.code())))
    }
}

/// Whether a connection is still one.
struct Life {
    heard: Instant,
    asked: bool,
}

#[derive(Serialize)]
struct Bye {
    t: &'static str,
    reason: ByeReason,
}
