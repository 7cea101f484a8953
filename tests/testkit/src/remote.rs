//! Both ends of a stream over real WebSockets: a client as the console is one, and a device without an agent's scruples.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use sallyport_grant::VerifyKey;
use sallyport_model::{GrantId, RemoteSessionId, limits};
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::{Payload, SUBPROTOCOL, StreamEnd, StreamError, StreamSecret, Terms};
use sallyport_wire::{GrantOffer, ToAgent, UnsignedToAgent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::host::Host;
use crate::owner::Owner;
use crate::relay::Relay;
use crate::rogue::{Rogue, RogueLink};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there are no more payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The server closed, with this code; 0 where it gave none.
    By(u16),
    /// What came cannot be from the other end.
    Broken(StreamError),
}

/// The server did not let a socket in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLetIn {
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// The code of the refusal.
    pub code: String,
}

/// The headers by which a program, which is no browser, dials.
pub const PROGRAM: &[(&str, &str)] = &[("sallyport-client", "cli")];

/// A connection of streams. It is large, and tests hold several at once.
pub type Socket = Box<WebSocketStream<TcpStream>>;

/// Opens a WebSocket of streams with a ticket.
pub async fn dial(server: &impl Host, path: &str, ticket: &str, headers: &[(&str, &str)]) -> Result<Socket, NotLetIn> {
    let gone = |_| NotLetIn { status: 0, code: String::new() };
    let stream = TcpStream::connect(server.address()).await.map_err(gone)?;
    // As browsers and our own client do: small messages do not wait for one another.
    stream.set_nodelay(true).map_err(gone)?;
    let mut request = format!("ws://{}{path}", server.address()).into_client_request().expect("an address");
    let protocols = format!("{SUBPROTOCOL}, ticket.{ticket}");
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a header"));
    for (name, value) in headers {
        let name = tokio_tungstenite::tungstenite::http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    match Box::pin(client_async(request, stream)).await {
        Ok((socket, _)) => Ok(Box::new(socket)),
        Err(Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            Err(NotLetIn { status: answer.status().as_u16(), code: problem["code"].as_str().unwrap_or_default().to_owned() })
        }
        Err(_) => Err(NotLetIn { status: 0, code: String::new() }),
    }
}

/// A ticket as a subprotocol has it.
pub fn ticket_text(ticket: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(ticket)
}

/// One end of a stream with its connection.
pub struct RemoteEnd {
    socket: Socket,
    /// The state machine.
    pub end: Box<StreamEnd>,
    begun: Instant,
    /// Came while room was waited for.
    early: VecDeque<Payload>,
}

impl RemoteEnd {
    /// Begins a connection of this end.
    pub async fn over(socket: Socket, end: StreamEnd) -> Self {
        let mut end = Box::new(end);
        end.connected();
        let mut this = Self { socket, end, begun: Instant::now(), early: VecDeque::new() };
        this.flush().await;
        this
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends what waits; a connection that is gone shows when it is read.
    pub async fn flush(&mut self) {
        while let Some(message) = self.end.next_message() {
            if self.socket.send(Message::binary(message)).await.is_err() {
                return;
            }
        }
    }

    /// Sends bytes that may be no message of a stream.
    pub async fn send_raw(&mut self, bytes: Vec<u8>) {
        let _ = self.socket.send(Message::binary(bytes)).await;
    }

    /// Sends data of a channel, once there is room.
    ///
    /// # Panics
    /// Where the stream is over.
    pub async fn send_data(&mut self, channel: u32, bytes: &[u8]) {
        self.end.send(&Payload::data(channel, bytes)).expect("there is room");
        self.flush().await;
    }

    /// Sends a control message.
    ///
    /// # Panics
    /// Where the stream is over.
    pub async fn send_control<T: Serialize>(&mut self, message: &T) {
        self.end.send(&Payload::control(message)).expect("there is room");
        self.flush().await;
    }

    /// The next payload.
    ///
    /// # Panics
    /// Where none comes for a long time.
    pub async fn next(&mut self) -> Result<Payload, Closed> {
        if let Some(payload) = self.early.pop_front() {
            return Ok(payload);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(payload) = self.step(deadline).await? {
                return Ok(payload);
            }
        }
    }

    /// Waits until a whole payload can be sent; what comes meanwhile is the next that is read.
    ///
    /// # Panics
    /// Where the other end takes nothing for a long time.
    pub async fn make_room(&mut self) -> Result<(), Closed> {
        let deadline = Instant::now() + PATIENCE;
        while self.end.room() < limits::STREAM_PAYLOAD_BYTES {
            let payload = self.step(deadline).await?;
            self.early.extend(payload);
        }
        Ok(())
    }

    /// Waits for one message of the connection, or for the moment to acknowledge what came.
    async fn step(&mut self, deadline: Instant) -> Result<Option<Payload>, Closed> {
        let tick = self.end.deadline_ms().map(|at| self.begun + Duration::from_millis(at));
        let wait = tick.map_or(deadline, |tick| tick.min(deadline));
        let Ok(received) = timeout_at(wait, self.socket.next()).await else {
            assert!(Instant::now() < deadline, "nothing came");
            let now = self.now_ms();
            self.end.tick(now).map_err(Closed::Broken)?;
            self.flush().await;
            return Ok(None);
        };
        match received {
            Some(Ok(Message::Binary(message))) => {
                let now = self.now_ms();
                let payload = self.end.receive(&message, now).map_err(Closed::Broken)?;
                self.flush().await;
                Ok(payload)
            }
            Some(Ok(Message::Close(frame))) => Err(Closed::By(frame.map_or(0, |frame| frame.code.into()))),
            Some(Ok(_)) => Ok(None),
            Some(Err(_)) | None => Err(Closed::By(0)),
        }
    }

    /// The next payload must be data; yields its bytes.
    ///
    /// # Panics
    /// Where something else comes.
    pub async fn data(&mut self) -> Vec<u8> {
        loop {
            match self.next().await {
                Ok(Payload::Data { bytes, .. }) => return bytes,
                Ok(Payload::Control(_)) => {}
                Err(closed) => panic!("no data but {closed:?}"),
            }
        }
    }

    /// Reads output until it has this text; yields all of it.
    ///
    /// # Panics
    /// Where it does not come.
    pub async fn until(&mut self, text: &str) -> String {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(text) {
            all.extend(self.data().await);
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads until a control message that the test looks for comes.
    ///
    /// # Panics
    /// Where the stream ends before.
    pub async fn control<T: DeserializeOwned>(&mut self, wanted: impl Fn(&T) -> bool) -> T {
        loop {
            match self.next().await {
                Ok(Payload::Control(json)) => {
                    let message: T = read_control(&json).expect("a message of this kind");
                    if wanted(&message) {
                        return message;
                    }
                }
                Ok(Payload::Data { .. }) => {}
                Err(closed) => panic!("no message but {closed:?}"),
            }
        }
    }

    /// Reads until the stream ends; says why, and how long it took.
    pub async fn closed(&mut self) -> (Closed, Duration) {
        let begun = Instant::now();
        loop {
            if let Err(closed) = self.next().await {
                return (closed, begun.elapsed());
            }
        }
    }

    /// Reads until frames go both ways, and loses nothing of what comes before.
    ///
    /// # Panics
    /// Where the connection is gone before, or something else comes.
    pub async fn up(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.end.is_up() {
            let received = timeout_at(deadline, self.socket.next()).await.expect("the other end comes");
            let message = received.expect("connected").expect("connected");
            let now = self.now_ms();
            match message {
                Message::Binary(message) => assert_eq!(self.end.receive(&message, now), Ok(None)),
                Message::Close(frame) => panic!("no answer but {frame:?}"),
                _ => {}
            }
            self.flush().await;
        }
    }

    /// Drops the connection; the end can go on over another.
    pub fn cut(self) -> StreamEnd {
        let mut end = self.end;
        end.disconnected();
        *end
    }
}

/// A client's half of a remote session.
pub struct RemoteClient {
    /// What `POST /v1/remote-sessions` came to.
    pub opened: Value,
    secret: StreamSecret,
}

impl RemoteClient {
    /// Asks for a remote session, with a code where the window is not enough.
    pub async fn open(owner: &mut Owner, server: &impl Host, wanted: Value) -> Self {
        let secret = StreamSecret::from_bytes(sallyport_server::clock::random());
        let opened = owner.ask(server, "/v1/remote-sessions", body(&secret, wanted)).await;
        Self { opened, secret }
    }

    /// The client whose key the request named, once it was executed.
    pub fn of(opened: Value, secret: StreamSecret) -> Self {
        Self { opened, secret }
    }

    /// The remote session.
    pub fn session(&self) -> RemoteSessionId {
        self.opened["session"].as_str().and_then(|id| id.parse().ok()).expect("a session")
    }

    /// This client's grant.
    pub fn grant(&self) -> GrantId {
        self.opened["grant"].as_str().and_then(|id| id.parse().ok()).expect("a grant")
    }

    /// Its first ticket.
    pub fn ticket(&self) -> &str {
        self.opened["ticket"].as_str().expect("a ticket")
    }

    /// The grant's envelope, verbatim.
    pub fn envelope(&self) -> &[u8] {
        self.opened["envelope"].as_str().expect("an envelope").as_bytes()
    }

    /// The key that signs the device's answer.
    ///
    /// # Panics
    /// Where the server named none.
    pub fn device_key(&self) -> VerifyKey {
        let key = hex::decode(self.opened["device"]["device_key"].as_str().expect("a key")).expect("hex");
        VerifyKey::from_bytes(&key.try_into().expect("32 bytes")).expect("a key")
    }

    /// What both ends know before there are keys.
    pub fn terms(&self) -> Terms {
        Terms::of_client(self.envelope(), &self.device_key(), self.secret.public()).expect("the grant is for this client and device")
    }

    /// The state machine of this end.
    pub fn end(&self) -> StreamEnd {
        let device = self.device_key();
        StreamEnd::client(self.envelope(), &device, self.secret.clone()).expect("the grant is for this client and device")
    }

    /// Dials with the first ticket.
    pub async fn dial(&self, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = dial(server, "/v1/remote-sessions/stream", self.ticket(), PROGRAM).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Dials with the first ticket, through somebody who stands in between.
    pub async fn dial_through(&self, relay: &Relay, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = relay.between(server, self.ticket()).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Another ticket for this client's grant.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn another_ticket(&self, owner: &mut Owner) -> String {
        let path = format!("/v1/remote-sessions/{}/tickets", self.session());
        let reply = owner.client.post(&path, json!({ "grant": self.grant().to_string() })).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()["ticket"].as_str().expect("a ticket").to_owned()
    }

    /// Dials again with a new ticket, and goes on where the connection broke.
    pub async fn dial_again(&self, owner: &mut Owner, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let ticket = self.another_ticket(owner).await;
        self.dial_with(&ticket, server, end).await
    }

    /// Dials with this ticket, and goes on where the connection broke.
    ///
    /// # Panics
    /// Where it is not good.
    pub async fn dial_with(&self, ticket: &str, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let socket = dial(server, "/v1/remote-sessions/stream", ticket, PROGRAM).await.expect("a new ticket is good");
        RemoteEnd::over(socket, end).await
    }
}

/// The body of a request for a remote session.
pub fn body(secret: &StreamSecret, wanted: Value) -> Value {
    let mut body = json!({ "kind": "terminal", "access": "control", "client_key": secret.public().to_string() });
    if let (Some(body), Some(wanted)) = (body.as_object_mut(), wanted.as_object()) {
        body.extend(wanted.clone());
    }
    body
}

/// The device's half, as an agent without scruples plays it.
pub struct RemoteDevice {
    /// The grant.
    pub terms: Terms,
    /// The ticket of the offer.
    pub ticket: String,
    machine: Rogue,
}

impl RemoteDevice {
    /// Takes the next offer of a remote session.
    ///
    /// # Panics
    /// Where none comes, or another.
    pub async fn offered(machine: &Rogue, link: &mut RogueLink) -> Self {
        let offer = timeout(PATIENCE, link.offer()).await.expect("soon").expect("an offer");
        Self::of(machine, &offer)
    }

    /// The device's half for an offer.
    ///
    /// # Panics
    /// Where it opens no remote session for this device.
    pub fn of(machine: &Rogue, offer: &GrantOffer) -> Self {
        let key = VerifyKey::of(&machine.key);
        let client_key = client_key(offer);
        let terms = Terms::of_client(&offer.envelope, &key, client_key).expect("a remote session of this device");
        let ticket = ticket_text(offer.stream_ticket.expect("a ticket"));
        Self { terms, ticket, machine: machine.clone() }
    }

    /// The state machine of this end.
    pub fn end(&self) -> StreamEnd {
        let secret = StreamSecret::from_bytes(sallyport_server::clock::random());
        StreamEnd::device(&self.terms, &self.machine.key, &secret).expect("a good client key")
    }

    /// Dials with the ticket of the offer.
    pub async fn dial(&self, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = dial(server, "/agent/stream", &self.ticket, &[]).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Waits for another ticket, and goes on where the connection broke.
    ///
    /// # Panics
    /// Where none comes.
    pub async fn dial_again(&self, link: &mut RogueLink, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let mine = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::StreamTicket { grant, .. } if *grant == self.terms.grant);
        let message = timeout(PATIENCE, link.until(mine)).await.expect("soon").expect("a ticket");
        let UnsignedToAgent::StreamTicket { ticket, .. } = message else { panic!("a ticket") };
        let socket = dial(server, "/agent/stream", &ticket_text(ticket), &[]).await.expect("a new ticket is good");
        RemoteEnd::over(socket, end).await
    }
}

fn client_key(offer: &GrantOffer) -> sallyport_grant::Hex<32> {
    use sallyport_grant::body::{Body as _, GrantBody};
    let envelope = sallyport_grant::Envelope::parse(&offer.envelope, sallyport_grant::PayloadType::Grant).expect("an envelope");
    let body = GrantBody::parse(envelope.payload()).expect("a grant");
    body.action.remote_session().expect("a remote session").client_key
}

/// Whether a message ends this session, or one of its attachments.
pub fn ends(message: &ToAgent, session: RemoteSessionId) -> bool {
    matches!(message, ToAgent::Unsigned(UnsignedToAgent::EndRemoteSession { session: ended, .. }) if *ended == session)
}
