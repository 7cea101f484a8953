//! A bench for kinds: plays the host and the clients, without grants, links or encryption.

use std::sync::Arc;
use std::time::Duration;

use sallyport_grant::Hex;
use sallyport_grant::body::{Access, Clipboard, OpenRemoteSession, Record, RemoteKind, RunAs, Unanswered, VirtualDisplay};
use sallyport_model::{GrantId, RemoteSessionId, Timestamp, limits};
use sallyport_wire::stream::ByeReason;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::super::recording::Recorder;
use super::{Attachment, AttachmentId, Budget, Ended, Event, Kind, Message, Opening, Outgoing, Teller, Waiting};

#[cfg(test)]
mod tape;
#[cfg(test)]
pub use tape::Tape;

/// How long a client waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// One kind at work, and whoever plays its host.
pub struct Rig {
    teller: Teller,
    work: JoinHandle<Ended>,
    clients: u8,
}

/// The client's side of one attachment.
pub struct Client {
    id: AttachmentId,
    teller: Teller,
    waiting: Option<Waiting>,
    budget: Budget,
}

/// What a client got.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    Control(Value),
    Data {
        channel: u32,
        bytes: Vec<u8>,
    },
    /// The reason, as in the message.
    Bye(&'static str),
}

/// A session to open on the bench; change what the test is about.
pub fn session(kind: RemoteKind) -> OpenRemoteSession {
    let terminal = kind == RemoteKind::Terminal;
    OpenRemoteSession {
        session: RemoteSessionId::from_bytes([1; 16]),
        kind,
        access: Access::Control,
        joins: sallyport_grant::body::Entry::Opens,
        client_key: Hex([9; 32]),
        run_as: None::<RunAs>,
        columns: if terminal { 80 } else { 0 },
        rows: if terminal { 24 } else { 0 },
        consent: sallyport_grant::body::Consent::None,
        record: Record::None,
        ask_secs: 0,
        unanswered: Unanswered::Refuse,
        clipboard: Clipboard::Off,
        virtual_display: VirtualDisplay::Never,
        idle_secs: 1800,
        max_secs: 3600,
    }
}

impl Rig {
    /// Opens a session; nobody is attached yet.
    pub fn open(kind: impl Kind + 'static, session: OpenRemoteSession) -> Self {
        Self::recorded(kind, session, None)
    }

    /// Opens a session that is recorded there.
    pub fn recorded(kind: impl Kind + 'static, session: OpenRemoteSession, recorder: Option<Recorder>) -> Self {
        let (teller, events) = Teller::pair();
        let work = Box::new(kind).work(Opening { session: Arc::new(session), at: Timestamp::from_secs(1_790_000_000), events, recorder });
        Self { teller, work: tokio::spawn(work), clients: 0 }
    }

    /// Lets somebody attach, with the access that the name is given.
    pub fn attach(&mut self, name: &str, access: Access) -> Client {
        self.attach_with(name, access, Clipboard::Both)
    }

    /// Lets somebody attach whose own grant says this of copied text.
    pub fn attach_with(&mut self, name: &str, access: Access, clipboard: Clipboard) -> Client {
        self.clients += 1;
        let id = AttachmentId(GrantId::from_bytes([self.clients; 16]));
        let (outlet, waiting) = self.teller.outlet(limits::STREAM_UNACKED_BYTES);
        self.teller.tell(Event::Joined(Attachment { id, name: name.to_owned(), access, clipboard, outlet }));
        Client { id, teller: self.teller.clone(), waiting: Some(waiting), budget: Budget::default() }
    }

    /// The client's link is interrupted.
    pub fn away(&self, client: &Client) {
        self.teller.tell(Event::Away(client.id));
    }

    /// The client's link is there again.
    pub fn back(&self, client: &Client) {
        self.teller.tell(Event::Back(client.id));
    }

    /// Tells the kind to end.
    pub fn end(&self) {
        self.teller.tell(Event::End);
    }

    /// Waits for the end of the work.
    pub async fn ended(self) -> Ended {
        tokio::time::timeout(PATIENCE, self.work).await.expect("the work ends").expect("the work does not panic")
    }
}

impl Client {
    pub fn id(&self) -> AttachmentId {
        self.id
    }

    pub fn control(&self, message: &Value) {
        self.text(&message.to_string());
    }

    /// Sends a control message as it is written, right or wrong.
    pub fn text(&self, text: &str) {
        let message = Message(self.budget.count(text.as_bytes().to_vec()));
        self.teller.tell(Event::Control { from: self.id, message });
    }

    pub fn data(&self, channel: u32, bytes: &[u8]) {
        self.teller.tell(Event::Data { from: self.id, channel, bytes: self.budget.count(bytes.to_vec()) });
    }

    /// How many bytes of this client the kind holds.
    pub fn held(&self) -> usize {
        self.budget.held()
    }

    /// The next thing that comes. A client that does not call this is one whose link takes nothing.
    pub async fn next(&mut self) -> Got {
        self.next_within(PATIENCE).await.expect("something comes")
    }

    /// The next thing that comes within this time.
    pub async fn next_within(&mut self, patience: Duration) -> Option<Got> {
        let waiting = self.waiting.as_ref().expect("attached");
        let next = async {
            loop {
                match waiting.take() {
                    Some(outgoing) => return Got::from(outgoing),
                    None => waiting.filled().await,
                }
            }
        };
        tokio::time::timeout(patience, next).await.ok()
    }

    /// The next data that comes within this time, past control messages.
    pub async fn next_data_within(&mut self, patience: Duration) -> Option<Vec<u8>> {
        loop {
            if let Got::Data { bytes, .. } = self.next_within(patience).await? {
                return Some(bytes);
            }
        }
    }

    /// The next control message, past data.
    pub async fn next_control(&mut self) -> Value {
        loop {
            match self.next().await {
                Got::Control(message) => return message,
                Got::Data { .. } => {}
                Got::Bye(reason) => panic!("sent away: {reason}"),
            }
        }
    }

    /// Leaves, as when the window is closed.
    pub fn leave(mut self) {
        self.waiting = None;
        self.teller.tell(Event::Left(self.id));
    }
}

impl From<Outgoing> for Got {
    fn from(outgoing: Outgoing) -> Self {
        match outgoing {
            Outgoing::Control(text) => Self::Control(serde_json::from_slice(&text).expect("control messages are JSON")),
            Outgoing::Data { channel, bytes } => Self::Data { channel, bytes },
            Outgoing::Bye(reason) => Self::Bye(word(reason)),
        }
    }
}

fn word(reason: ByeReason) -> &'static str {
    match reason {
        ByeReason::Ended => "ended",
        ByeReason::Revoked => "revoked",
        ByeReason::Idle => "idle",
        ByeReason::Limit => "limit",
        ByeReason::ConsentRefused => "consent_refused",
        ByeReason::Machine => "machine",
    }
}
