//! A stream's WebSocket, and one end of a stream over it.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sallyport_model::limits;
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::{Payload, SUBPROTOCOL, StreamEnd, StreamError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::host::Host;
use crate::wire::{Wire, connect};

/// How long anything may take that a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

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
pub type Socket = Box<WebSocketStream<Wire>>;

/// Opens a WebSocket of streams with a ticket.
pub async fn dial(server: &impl Host, path: &str, ticket: &str, headers: &[(&str, &str)]) -> Result<Socket, NotLetIn> {
    let gone = |_| NotLetIn { status: 0, code: String::new() };
    let stream = connect(server).await.map_err(gone)?;
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
            if self.socket.feed(Message::binary(message)).await.is_err() {
                return;
            }
        }
        let _ = self.socket.flush().await;
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
        let (mut all, mut looked) = (Vec::new(), 0);
        while !all[looked..].windows(text.len()).any(|window| window == text.as_bytes()) {
            looked = (all.len() + 1).saturating_sub(text.len());
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

    /// The connection alone.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Drops the connection; the end can go on over another.
    pub fn cut(self) -> StreamEnd {
        let mut end = self.end;
        end.disconnected();
        *end
    }
}
