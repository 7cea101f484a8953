//! A server that is not the server: it holds the link key, sees and says whatever it likes, and has no key that signs grants.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use sallyport_grant::body::{Body as _, GrantBody, Outcome as RunOutcome};
use sallyport_grant::{Envelope, PayloadType, SigningKey, VerifyKey, receipt};
use sallyport_model::{GrantId, Timestamp};
use sallyport_server::outside::SystemEntropy;
use sallyport_wire::{DeviceState, GrantOffer, LinkSecret, Responder, ServerLink, ToAgent, ToServer, UnsignedToAgent};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::relay::Relay;
use crate::report::Outcome;

const PATIENCE: Duration = Duration::from_secs(15);

/// One agent that believes that it is linked to its server.
pub(crate) struct Captive {
    socket: WebSocketStream<TcpStream>,
    link: ServerLink,
    key: VerifyKey,
}

/// Waits until this device dials; others that dial meanwhile are hung up on, and dial again.
pub(crate) async fn capture(relay: &mut Relay, secret: &LinkSecret, device: &SigningKey) -> Captive {
    let wanted = VerifyKey::of(device);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "the device does not dial");
        let stream = timeout(PATIENCE, relay.next()).await.expect("an agent dials");
        let _ = stream.set_nodelay(true);
        match timeout(PATIENCE, shake_hands(stream, secret)).await {
            Ok(Some(mut captive)) if captive.key == wanted => {
                captive.welcome().await;
                return captive;
            }
            _ => {}
        }
    }
}

async fn shake_hands(stream: TcpStream, secret: &LinkSecret) -> Option<Captive> {
    let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
    let first = frame(&mut socket).await?;
    let (awaiting, reply) = Responder::new(secret, sallyport_server::outside::random(&SystemEntropy)).answer(&first).ok()?;
    socket.send(Message::binary(reply)).await.ok()?;
    let (hello, link) = awaiting.open_hello(&frame(&mut socket).await?).ok()?;
    Some(Captive { socket, link, key: *hello.device_key() })
}

async fn frame(socket: &mut WebSocketStream<TcpStream>) -> Option<Vec<u8>> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(frame) => return Some(frame.into()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

impl Captive {
    async fn welcome(&mut self) {
        let welcome =
            UnsignedToAgent::Welcome { state: DeviceState::Approved, server_time: Timestamp::from_secs(0), device: None, tenant: None };
        self.say(welcome.into()).await;
    }

    pub(crate) async fn say(&mut self, message: ToAgent) {
        for frame in self.link.send(&message).expect("a message within its limits") {
            // An agent that hung up shows in what it does not answer.
            let _ = self.socket.send(Message::binary(frame)).await;
        }
    }

    async fn hear(&mut self) -> Option<ToServer> {
        loop {
            let frame = timeout(PATIENCE, frame(&mut self.socket)).await.ok()??;
            if let Some(message) = self.link.receive(&frame).ok()? {
                return Some(message);
            }
        }
    }

    /// Offers something forged. What is too broken to be answered is followed by an offer that is always answered with a refusal.
    pub(crate) async fn try_on(&mut self, offer: GrantOffer, refused_for_sure: &GrantOffer) -> Outcome {
        let named = id_of(&offer);
        let silent = named.is_none();
        self.say(ToAgent::GrantOffer(Box::new(offer))).await;
        if silent {
            self.say(ToAgent::GrantOffer(Box::new(refused_for_sure.clone()))).await;
        }
        match self.verdict(named.or_else(|| id_of(refused_for_sure))).await {
            Outcome::Refused(_) if silent => Outcome::Refused("malformed".to_owned()),
            verdict => verdict,
        }
    }

    /// What the device says of a grant: refused, or that it began anything at all.
    async fn verdict(&mut self, grant: Option<GrantId>) -> Outcome {
        loop {
            match self.hear().await {
                None => return Outcome::Refused("hung_up".to_owned()),
                Some(ToServer::RunStarted { grant: of, .. } | ToServer::Output { grant: of, .. }) if Some(of) == grant => {
                    return Outcome::Through;
                }
                Some(ToServer::RunEnded { grant: of, receipt }) if Some(of) == grant => return self.read(&receipt),
                Some(_) => {}
            }
        }
    }

    fn read(&self, envelope: &[u8]) -> Outcome {
        let Ok(body) = receipt::verify(envelope, &self.key) else { return Outcome::Through };
        match (body.outcome, body.reason) {
            (RunOutcome::Refused, reason) => Outcome::Refused(reason.map_or_else(|| "refused".to_owned(), |reason| reason.to_string())),
            _ => Outcome::Through,
        }
    }

    /// Offers something and follows it to its end as the real server would; says what was refused and whether it finished.
    pub(crate) async fn follow(&mut self, offers: impl IntoIterator<Item = GrantOffer>, grant: GrantId) -> Followed {
        let mut left: VecDeque<GrantOffer> = offers.into_iter().collect();
        let mut followed = Followed::default();
        let wanted = left.len();
        while let Some(offer) = left.pop_front() {
            self.say(ToAgent::GrantOffer(Box::new(offer))).await;
        }
        while followed.answers < wanted {
            match self.hear().await {
                None => return followed,
                Some(ToServer::Output { grant: of, seq, .. }) if of == grant => {
                    self.say(UnsignedToAgent::OutputAck { grant, next_seq: seq + 1 }.into()).await;
                }
                Some(ToServer::RunEnded { grant: of, receipt }) if of == grant => {
                    followed.answers += 1;
                    match self.read(&receipt) {
                        Outcome::Refused(code) => followed.refusals.push(code),
                        Outcome::Through => {
                            followed.finished += 1;
                            self.say(UnsignedToAgent::ReceiptAck { grant }.into()).await;
                            // Offers of a run that is going on are answered by its one end.
                            return followed;
                        }
                    }
                }
                Some(_) => {}
            }
        }
        followed
    }
}

/// What came of a burst of offers of one grant.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) finished: usize,
    pub(crate) refusals: Vec<String>,
    answers: usize,
}

/// The id that an offer claims to have.
pub(crate) fn id_of(offer: &GrantOffer) -> Option<GrantId> {
    let envelope = Envelope::parse(&offer.envelope, PayloadType::Grant).ok()?;
    GrantBody::parse(envelope.payload()).ok().map(|body| body.id)
}
