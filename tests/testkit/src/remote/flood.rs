//! An end that sends without pause while somebody takes its right away, and what it still hears meanwhile.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::connection::{Closed, PATIENCE, RemoteEnd};

/// Moments are said in messages as time since then.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How fast an end sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A kilobyte every few milliseconds.
    Steady,
    /// Whole messages, one after the other.
    Flood,
}

/// Whether an end reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Whatever comes.
    Everything,
    /// Nothing, until [`Flood::heard`] asks what came.
    Nothing,
}

/// What came until the connection was closed.
#[derive(Debug)]
pub struct Heard {
    /// Why nothing more came.
    pub closed: Closed,
    /// When that was read.
    pub closed_at: Instant,
    /// Messages that came before.
    pub messages: u64,
    /// When the other end had sent the last of them.
    pub last_sent: Option<Instant>,
}

/// An end that sends, and reads, until it is closed.
pub struct Flood {
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    sending: JoinHandle<()>,
    reading: JoinHandle<Heard>,
    read_on: Option<oneshot::Sender<()>>,
}

impl RemoteEnd {
    /// Sends from now on without pause. The server cannot read what it passes on, so it need not make sense.
    pub fn floods(self, pace: Pace, reads: Reads) -> Flood {
        let (mut sink, mut stream) = self.into_socket().split();
        let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted, arrived) = (sent.clone(), received.clone());
        let sending = tokio::spawn(async move {
            while sink.send(Message::binary(stamped(pace))).await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(if pace == Pace::Steady { 5 } else { 0 })).await;
            }
        });
        let (read_on, may_read) = oneshot::channel::<()>();
        let reading = tokio::spawn(async move {
            if reads == Reads::Nothing {
                let _ = may_read.await;
            }
            let mut last_sent = None;
            let closed = loop {
                match stream.next().await {
                    Some(Ok(Message::Binary(message))) => {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        last_sent = stamp(&message).or(last_sent);
                    }
                    Some(Ok(Message::Close(frame))) => break Closed::By(frame.map_or(0, |frame| frame.code.into())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break Closed::By(0),
                }
            };
            Heard { closed, closed_at: Instant::now(), messages: arrived.load(Ordering::Relaxed), last_sent }
        });
        Flood { sent, received, sending, reading, read_on: Some(read_on) }
    }
}

impl Flood {
    /// Waits until something came from the other end.
    ///
    /// # Panics
    /// Where nothing does.
    pub async fn flows(&self) {
        let some = async {
            while self.received.load(Ordering::Relaxed) < 3 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, some).await.expect("what is sent arrives");
    }

    /// Waits until nothing more can be sent, because the other end takes nothing.
    ///
    /// # Panics
    /// Where there is always room.
    pub async fn is_stuck(&self) {
        let stuck = async {
            let mut before = 0;
            loop {
                sleep(Duration::from_millis(300)).await;
                let now = self.sent.load(Ordering::Relaxed);
                if now > 0 && now == before {
                    return;
                }
                before = now;
            }
        };
        timeout(PATIENCE, stuck).await.expect("somebody who reads nothing slows the other end");
    }

    /// Reads until the connection is closed.
    ///
    /// # Panics
    /// Where it stays open for a long time.
    pub async fn heard(mut self) -> Heard {
        drop(self.read_on.take());
        let heard = timeout(PATIENCE, self.reading).await.expect("it is closed").expect("no panic");
        self.sending.abort();
        heard
    }
}

/// A message that says when it was sent.
fn stamped(pace: Pace) -> Vec<u8> {
    let mut message = vec![0xf1; if pace == Pace::Steady { 1024 } else { 32 * 1024 }];
    let micros = u64::try_from(EPOCH.elapsed().as_micros()).expect("not that long");
    message[..8].copy_from_slice(&micros.to_be_bytes());
    message
}

/// When a message was sent; none for one of the stream's own, which were on their way before.
fn stamp(message: &[u8]) -> Option<Instant> {
    let (micros, filling) = message.split_first_chunk::<8>()?;
    let is_ours = filling.len() > 1000 && filling.iter().all(|byte| *byte == 0xf1);
    is_ours.then(|| *EPOCH + Duration::from_micros(u64::from_be_bytes(*micros)))
}
