//! The WebSocket of one connection of a stream: reading never waits for writing.

use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt, future};
use sallyport_grant::body::ServerUrl;
use sallyport_model::limits;
use sallyport_wire::stream::{CloseCode, SUBPROTOCOL, StreamEnd, TICKET_PREFIX};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::dial::{Dial, Wire};

/// About one frame of a file. It is cleared before each reading, so that more would slow keystrokes down.
const READ_BYTES: usize = 32 * 1024;
/// Frames that wait together leave together.
const WRITE_BYTES: usize = 64 * 1024;

/// What a connection has to tell.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message of the stream.
    Message(Bytes),
    /// A sign of life of the carrier.
    Alive,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Lost {
    /// The server says that there is no way on.
    ForGood,
    /// Another ticket may bring it back.
    ForNow,
}

impl From<tungstenite::Error> for Lost {
    fn from(_: tungstenite::Error) -> Self {
        Self::ForNow
    }
}

pub(super) struct Socket {
    socket: WebSocketStream<Box<dyn Wire>>,
    ping: bool,
}

impl Socket {
    /// Dials with a one-use ticket.
    pub(super) async fn open(dial: &dyn Dial, place: &StreamPlace, ticket: &[u8; 32]) -> Result<Self, tungstenite::Error> {
        let wire = dial.dial(&place.server, place.ca.as_deref()).await?;
        let mut request = address(&place.server).into_client_request()?;
        let protocols = format!("{SUBPROTOCOL}, {TICKET_PREFIX}{}", URL_SAFE_NO_PAD.encode(ticket));
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(&protocols)?);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(limits::STREAM_MESSAGE_BYTES))
            .max_frame_size(Some(limits::STREAM_MESSAGE_BYTES));
        let (socket, _) = client_async_with_config(request, wire, Some(config)).await?;
        Ok(Self { socket, ping: false })
    }

    /// Sends what the stream has to send and waits for what happens. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self, stream: &mut StreamEnd) -> Result<Heard, Lost> {
        future::poll_fn(|context| self.poll(context, stream)).await
    }

    fn poll(&mut self, context: &mut Context<'_>, stream: &mut StreamEnd) -> Poll<Result<Heard, Lost>> {
        // Reading goes on whether or not all was written: a keystroke does not wait for a flood.
        let _ = self.poll_write(context, stream)?;
        match self.socket.poll_next_unpin(context)? {
            Poll::Ready(Some(message)) => Poll::Ready(heard(message)),
            Poll::Ready(None) => Poll::Ready(Err(Lost::ForNow)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// A message leaves the stream only when the socket takes it, so that what is late is not queued twice.
    fn poll_write(&mut self, context: &mut Context<'_>, stream: &mut StreamEnd) -> Poll<Result<(), Lost>> {
        loop {
            match self.socket.poll_ready_unpin(context)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => {}
            }
            let ping = std::mem::take(&mut self.ping).then(|| Message::Ping(Bytes::new()));
            let Some(message) = ping.or_else(|| stream.next_message().map(Message::binary)) else { break };
            self.socket.start_send_unpin(message)?;
        }
        self.socket.poll_flush_unpin(context).map_err(Lost::from)
    }

    /// Asks for a sign of life.
    pub(super) fn ask_for_life(&mut self) {
        self.ping = true;
    }

    /// Says goodbye; whether it arrives or not, the connection is over.
    pub(super) async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Ended.number().into(), reason: "".into() };
        let _ = self.socket.close(Some(frame)).await;
    }
}

fn heard(message: Message) -> Result<Heard, Lost> {
    match message {
        Message::Binary(bytes) => Ok(Heard::Message(bytes)),
        Message::Close(frame) => Err(closed(frame.map(|frame| u16::from(frame.code)))),
        Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(Heard::Alive),
    }
}

fn closed(code: Option<u16>) -> Lost {
    match code.and_then(CloseCode::from_number) {
        Some(CloseCode::OtherEndLost) | None => Lost::ForNow,
        Some(CloseCode::Revoked | CloseCode::Ended | CloseCode::Limit) => Lost::ForGood,
    }
}

/// Where streams are dialled.
#[derive(Debug, Clone)]
pub(super) struct StreamPlace {
    pub(super) server: ServerUrl,
    pub(super) ca: Option<String>,
}

/// Beside the address of the link.
fn address(link: &ServerUrl) -> String {
    let link = link.as_str();
    format!("{}stream", link.strip_suffix("link").unwrap_or(link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_dialled_beside_the_link() {
        let of = |text: &str| address(&ServerUrl::parse(text).expect("url"));
        assert_eq!(of("wss://rmm.example.test/agent/link"), "wss://rmm.example.test/agent/stream");
        assert_eq!(of("ws://[::1]:9000/agent/link"), "ws://[::1]:9000/agent/stream");
    }

    #[test]
    fn only_words_of_the_server_end_an_attachment_for_good() {
        for code in [4001, 4002, 4004] {
            assert!(matches!(closed(Some(code)), Lost::ForGood), "{code}");
        }
        for code in [None, Some(4003), Some(1000), Some(1001), Some(1006), Some(4999)] {
            assert!(matches!(closed(code), Lost::ForNow), "{code:?}");
        }
    }
}
