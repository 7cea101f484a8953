//! Passing messages between the two sockets of a grant: one at a time in each direction, so that TCP slows the faster end.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use sallyport_decide::accounts::session::ACTIVITY_SECS;
use sallyport_model::limits;
use sallyport_store::ops::accounts::TouchSession;
use sallyport_store::ops::remote::Attachment;
use sallyport_wire::stream::{CloseCode, is_input};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::streams::Place;
use super::{Side, tell};
use crate::App;

/// How long the first socket waits for the other.
const MEETING: Duration = Duration::from_secs(limits::STREAM_TICKET_SECS as u64);
/// An end that says nothing for so long, not even to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(90);
const PING: Duration = Duration::from_secs(20);
/// A message that the other end does not take for so long goes nowhere.
const STUCK: Duration = Duration::from_secs(60);
/// Messages that are passed on before anything else is looked at, a revocation above all.
const TOGETHER: usize = 8;
/// How long saying good-bye may take: after a revocation nobody waits for a slow reader.
const GOODBYE: Duration = Duration::from_millis(300);

/// What a socket yields.
type Received = Option<Result<Message, axum::Error>>;

/// The sender has left, and may have said why.
struct Gone(Option<CloseCode>);

/// Waits for the other socket, then passes messages on until one end is gone or the stream is stopped.
pub(super) async fn first(
    app: App,
    attachment: Attachment,
    side: Side,
    socket: WebSocket,
    other: oneshot::Receiver<WebSocket>,
    mut place: Place,
) {
    let met = tokio::select! {
        met = timeout(MEETING, other) => met.ok().and_then(Result::ok).ok_or(CloseCode::OtherEndLost),
        code = stopped(&mut place.stopped) => Err(code),
    };
    match met {
        Err(code) => {
            let (mut to, mut from) = socket.split();
            close(&mut to, &mut from, code).await;
        }
        Ok(other) => {
            let (client, device) = if side == Side::Client { (socket, other) } else { (other, socket) };
            tell(&app, attachment.tenant, attachment.session, "connected");
            run(&app, &attachment, client, device, &mut place.stopped).await;
            drop(place);
            tell(&app, attachment.tenant, attachment.session, "disconnected");
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<Option<CloseCode>>) -> CloseCode {
    match stop.wait_for(Option::is_some).await {
        Ok(code) => code.unwrap_or(CloseCode::Revoked),
        Err(_) => CloseCode::OtherEndLost,
    }
}

async fn run(app: &App, attachment: &Attachment, client: WebSocket, device: WebSocket, stop: &mut watch::Receiver<Option<CloseCode>>) {
    let ((mut to_client, mut from_client), (mut to_device, mut from_device)) = (client.split(), device.split());
    let mut use_of = Use::begin(app, attachment);
    metrics::gauge!("sallyport_streams").increment(1.0);
    // In this order: once a right is gone, nothing more is passed on, however much waits.
    let (for_client, for_device) = tokio::select! {
        biased;
        code = stopped(stop) => (code, code),
        () = app.events.until_closed() => (CloseCode::OtherEndLost, CloseCode::OtherEndLost),
        _ = pump(&mut from_client, &mut to_device, |message| use_of.note(message)) => (CloseCode::OtherEndLost, CloseCode::OtherEndLost),
        said = pump(&mut from_device, &mut to_client, |_| ()) => (said.unwrap_or(CloseCode::OtherEndLost), CloseCode::OtherEndLost),
    };
    metrics::gauge!("sallyport_streams").decrement(1.0);
    tokio::join!(close(&mut to_client, &mut from_client, for_client), close(&mut to_device, &mut from_device, for_device));
}

/// Passes binary messages on until the sender is gone; what comes back is why it said that it goes.
async fn pump(
    from: &mut SplitStream<WebSocket>,
    to: &mut SplitSink<WebSocket, Message>,
    mut note: impl FnMut(&Bytes),
) -> Option<CloseCode> {
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let first = tokio::select! {
            received = from.next() => received,
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE {
                    return None;
                }
                timeout(STUCK, to.send(Message::Ping(Bytes::new()))).await.ok()?.ok()?;
                continue;
            }
        };
        heard = Instant::now();
        if let Err(Gone(code)) = timeout(STUCK, pass(first, from, to, &mut note)).await.unwrap_or(Err(Gone(None))) {
            return code;
        }
    }
}

/// Passes on what was received, and what else is there, in one go: a large file takes fewer calls of the system.
async fn pass(
    first: Received,
    from: &mut SplitStream<WebSocket>,
    to: &mut SplitSink<WebSocket, Message>,
    note: &mut impl FnMut(&Bytes),
) -> Result<(), Gone> {
    let mut received = first;
    let mut end = Ok(());
    for further in (0..TOGETHER).rev() {
        match received {
            Some(Ok(Message::Binary(message))) => {
                note(&message);
                to.feed(Message::Binary(message)).await.map_err(|_| Gone(None))?;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                end = Err(Gone(frame.and_then(|frame| CloseCode::from_number(frame.code))));
                break;
            }
            Some(Ok(Message::Text(_)) | Err(_)) | None => {
                end = Err(Gone(None));
                break;
            }
        }
        match if further > 0 { from.next().now_or_never() } else { None } {
            Some(next) => received = next,
            None => break,
        }
    }
    // The last words of an end that is gone are passed on too.
    to.flush().await.map_err(|_| Gone(None))?;
    end
}

/// Says good-bye and why, then throws away what the other end still says until it has heard it: TCP takes the good-bye back
/// where a connection is dropped with something unread.
async fn close(to: &mut SplitSink<WebSocket, Message>, from: &mut SplitStream<WebSocket>, code: CloseCode) {
    let frame = CloseFrame { code: code.number(), reason: code.reason().into() };
    if let Ok(Ok(())) = timeout(GOODBYE, to.send(Message::Close(Some(frame)))).await {
        let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = from.next().await {} }).await;
    }
}

/// Input counts as use: of the remote session, and of the user's own session.
struct Use {
    app: App,
    attachment: Attachment,
    written: Option<Instant>,
}

impl Use {
    fn begin(app: &App, attachment: &Attachment) -> Self {
        let used = Self { app: app.clone(), attachment: attachment.clone(), written: None };
        used.keep();
        used
    }

    fn keep(&self) {
        let longest = u64::try_from(self.attachment.idle_secs).unwrap_or_default();
        self.app.remote.used(self.attachment.session, Duration::from_secs(longest));
    }

    fn note(&mut self, message: &Bytes) {
        let activity = Duration::from_secs(ACTIVITY_SECS as u64);
        if !is_input(message) {
            return;
        }
        self.keep();
        if self.written.is_some_and(|written| written.elapsed() < activity) {
            return;
        }
        self.written = Some(Instant::now());
        let (app, session) = (self.app.clone(), self.attachment.user_session);
        tokio::spawn(async move {
            let at = app.clock.now();
            if let Err(error) = app.store.reserve(TouchSession { session, at }).await {
                tracing::warn!(%error, "a session's activity was not written down");
            }
        });
    }
}
