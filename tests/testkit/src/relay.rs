//! Somebody in the server's place: between a client and a device, with every message in hand.
//!
//! It is let in as the client is, by the client's own ticket, and then reads, drops, repeats, moves, changes and invents
//! messages of the stream as it likes.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{accept_async, client_async};

use crate::host::Host;
use crate::remote::{NotLetIn, PROGRAM, Socket, dial};
use crate::wire::Wire;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the device.
    ToDevice,
    /// From the device to the client.
    ToClient,
}

/// What is done to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives after the one behind it.
    Late,
    /// The bit is another; counted from the end where it is negative.
    Flip(isize),
    /// Its last bytes are missing.
    Shorten(usize),
    /// There are bytes behind it.
    Lengthen(usize),
    /// Another message of the same number, which the relay made.
    Forge,
    /// What went that way before comes first.
    Replay,
    /// The last message of the other way comes first.
    Reflect,
    /// It is another message altogether.
    Replace(Vec<u8>),
}

/// A message that the relay saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it went.
    pub way: Way,
    /// All of it.
    pub bytes: Vec<u8>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    armed: Option<Armed>,
    held: Option<(Way, Vec<u8>)>,
}

struct Armed {
    way: Way,
    /// So many messages go through before.
    after: usize,
    trick: Trick,
}

/// A relay that runs until one of its sides is gone.
#[derive(Clone, Default)]
pub struct Relay(Arc<Mutex<State>>);

impl Relay {
    /// Stands between a client and the server that let it in; what comes back is the client's connection.
    ///
    /// # Errors
    /// Where the server does not let it in.
    ///
    /// # Panics
    /// Where there is no loopback.
    pub async fn between(&self, server: &impl Host, ticket: &str) -> Result<Socket, NotLetIn> {
        let upstream = dial(server, "/v1/remote-sessions/stream", ticket, PROGRAM).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let dialled = async {
            let stream: Wire = Box::new(TcpStream::connect(address).await.expect("the relay listens"));
            client_async(format!("ws://{address}/"), stream).await.expect("the relay lets everybody in").0
        };
        let accepted = async {
            let (stream, _) = listener.accept().await.expect("the client comes");
            let stream: Wire = Box::new(stream);
            accept_async(stream).await.expect("a WebSocket")
        };
        let (client, downstream) = tokio::join!(dialled, accepted);
        let relay = self.clone();
        tokio::spawn(async move { relay.run(Box::new(downstream), upstream).await });
        Ok(Box::new(client))
    }

    /// The next message that goes this way gets the trick.
    pub fn arm(&self, way: Way, trick: Trick) {
        self.arm_after(0, way, trick);
    }

    /// A message that goes this way gets the trick, after so many others.
    pub fn arm_after(&self, after: usize, way: Way, trick: Trick) {
        self.state().armed = Some(Armed { way, after, trick });
    }

    /// Whether the trick was played.
    pub fn has_played(&self) -> bool {
        self.state().armed.is_none()
    }

    /// Everything that went through, as it came.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, mut client: Socket, mut server: Socket) {
        loop {
            let (way, received) = tokio::select! {
                message = client.next() => (Way::ToDevice, message),
                message = server.next() => (Way::ToClient, message),
            };
            let to = if way == Way::ToDevice { &mut server } else { &mut client };
            match received {
                Some(Ok(Message::Binary(bytes))) => {
                    for message in self.played(way, bytes.to_vec()) {
                        if to.send(Message::binary(message)).await.is_err() {
                            return;
                        }
                    }
                }
                Some(Ok(Message::Close(frame))) => return close(to, frame).await,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return close(to, None).await,
            }
        }
    }

    /// What goes on in the place of a message.
    fn played(&self, way: Way, message: Vec<u8>) -> Vec<Vec<u8>> {
        let mut state = self.state();
        let before = state.seen.clone();
        state.seen.push(Seen { way, bytes: message.clone() });
        let trick = state.armed.take_if(|armed| armed.is_due(way)).map(|armed| armed.trick);
        if let Some(Trick::Late) = trick {
            state.held = Some((way, message));
            return Vec::new();
        }
        let mut messages = match trick {
            Some(trick) => play(trick, way, message, &before),
            None => vec![message],
        };
        messages.extend(state.held.take_if(|(held, _)| *held == way).map(|(_, held)| held));
        messages
    }
}

impl Armed {
    fn is_due(&mut self, way: Way) -> bool {
        let due = way == self.way && self.after == 0;
        self.after -= usize::from(way == self.way && self.after > 0);
        due
    }
}

async fn close(to: &mut Socket, frame: Option<CloseFrame>) {
    let _ = to.send(Message::Close(frame)).await;
}

fn play(trick: Trick, way: Way, mut message: Vec<u8>, before: &[Seen]) -> Vec<Vec<u8>> {
    let last = |wanted: Way| before.iter().rfind(|seen| seen.way == wanted).map(|seen| seen.bytes.clone());
    match trick {
        Trick::Drop | Trick::Late => Vec::new(),
        Trick::Twice => vec![message.clone(), message],
        Trick::Flip(bit) => {
            let bits = message.len() * 8;
            let bit = if bit < 0 { bits - bit.unsigned_abs() } else { bit.unsigned_abs() };
            message[bit / 8] ^= 1 << (bit % 8);
            vec![message]
        }
        Trick::Shorten(bytes) => {
            message.truncate(message.len() - bytes);
            vec![message]
        }
        Trick::Lengthen(bytes) => {
            message.extend(vec![0; bytes]);
            vec![message]
        }
        Trick::Forge => {
            message[8..].fill(0x5a);
            vec![message]
        }
        Trick::Replay => vec![last(way).expect("something went this way"), message],
        Trick::Reflect => {
            let other = if way == Way::ToDevice { Way::ToClient } else { Way::ToDevice };
            // The right number, so that nothing but the key tells the ways apart.
            let mut reflected = last(other).expect("something went the other way");
            reflected[..8].copy_from_slice(&message[..8]);
            vec![reflected, message]
        }
        Trick::Replace(other) => vec![other],
    }
}
