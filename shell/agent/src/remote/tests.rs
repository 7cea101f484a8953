use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use sallyport_grant::body::{
    Access, Body, Consent, Entry, GrantBody, OpenRemoteSession, ReceiptBody, Record, RemoteKind, ServerUrl, Unanswered,
};
use sallyport_grant::{Envelope, Hex, PayloadType, sha256};
use sallyport_model::{GrantId, RemoteSessionId};
use sallyport_wire::GrantOffer;
use sallyport_wire::stream::{Payload, SUBPROTOCOL, StreamEnd, StreamSecret};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::kind::{Ended, Event, Kind, Opening};
use super::notice::{Answer, Asking, Notice};
use super::*;
use crate::desk::{Answer as DeskAnswer, Desk};
use crate::dial::{Dial, Dialing};
use crate::disk::MemoryDisk;
use crate::gate::Gate;
use crate::journal::Phase;
use crate::testing::World;

const PATIENCE: Duration = Duration::from_secs(10);

/// The server's place: takes what the device dials.
struct Relay(Mutex<mpsc::UnboundedSender<DuplexStream>>);

impl Dial for Relay {
    fn dial<'a>(&'a self, _: &'a ServerUrl, _: Option<&'a str>) -> Dialing<'a> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            self.0.lock().expect("relay").send(theirs).map_err(std::io::Error::other)?;
            Ok(Box::new(ours) as Box<dyn crate::dial::Wire>)
        })
    }
}

/// A person at the machine with one answer for everything.
struct Person {
    answer: Answer,
    told: Mutex<Vec<String>>,
}

impl Notice for Person {
    fn tell(&self, text: String) {
        self.told.lock().expect("told").push(text);
    }

    fn ask(&self, question: String) -> Asking {
        self.tell(question);
        Box::pin(std::future::ready(self.answer))
    }
}

/// Nobody answers.
struct Asleep;

impl Notice for Asleep {
    fn tell(&self, _: String) {}

    fn ask(&self, _: String) -> Asking {
        Box::pin(std::future::pending())
    }
}

/// Repeats what it is told, in every way; what it began counts while it lives.
struct Parrot(std::sync::Arc<()>);

impl Kinds for Parrot {
    fn check(&self, session: &OpenRemoteSession) -> Result<(), CannotOpen> {
        if session.kind == RemoteKind::Viewer { Err(CannotOpen::KindMissing) } else { Ok(()) }
    }

    fn open(&self, _: &OpenRemoteSession) -> Result<Box<dyn Kind>, CannotOpen> {
        let alive = self.0.clone();
        Ok(Box::new(move |opening| parrot(opening, alive)))
    }

    fn end_leftovers(&self, _: RemoteSessionId) {}
}

async fn parrot(mut opening: Opening, _alive: std::sync::Arc<()>) -> Ended {
    let mut people = Vec::new();
    loop {
        match opening.events.next().await {
            Event::Joined(attachment) => people.push(attachment),
            Event::Control { message, .. } => match message.parse::<Value>().expect("json")["t"].as_str() {
                Some("exit") => return Ended::Finished { exit_code: Some(4), signal: None },
                Some("hang") => std::future::pending().await,
                Some("panic") => panic!("a kind that fails"),
                _ => people.iter().for_each(|one| one.outlet.refuse("unknown_message")),
            },
            Event::Data { channel, bytes, .. } => {
                if let Some(recorder) = &opening.recorder {
                    recorder.append(&bytes).expect("recorded");
                }
                for one in &people {
                    let _ = one.outlet.try_data(channel, &bytes);
                }
            }
            Event::Left(id) => people.retain(|one| one.id != id),
            Event::Room | Event::Away(_) | Event::Back(_) => {}
            Event::End => return Ended::Told,
        }
    }
}

/// One device with its desk, and the server's end of its streams.
struct Scene {
    world: World,
    desk: Desk,
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
    alive: std::sync::Arc<()>,
}

fn timing() -> RemoteTiming {
    RemoteTiming { farewell: Duration::from_millis(200), tidy: Duration::from_millis(100), ..RemoteTiming::default() }
}

impl Scene {
    fn new() -> Self {
        Self::with(World::new(), timing(), std::sync::Arc::new(notice::Nobody))
    }

    fn with(world: World, timing: RemoteTiming, notice: std::sync::Arc<dyn Notice>) -> Self {
        let (cable, dialled) = mpsc::unbounded_channel();
        let alive = std::sync::Arc::new(());
        let journal = world.journal();
        let dial = std::sync::Arc::new(Relay(Mutex::new(cable)));
        let host = world.host_with(journal.clone(), std::sync::Arc::new(Parrot(alive.clone())), dial, notice, timing);
        let gate = Gate { sessions: std::sync::Arc::new(host), journal, ..world.gate() };
        let desk = Desk::new(gate, world.reporter(), std::sync::Arc::default());
        Self { world, desk, dialled, alive }
    }

    fn offer(&self, number: u8, change: impl FnOnce(&mut OpenRemoteSession)) -> GrantOffer {
        self.world.session(number, secret(number).public(), change)
    }

    /// Opens a session, and connects its client.
    async fn open(&mut self, number: u8, change: impl FnOnce(&mut OpenRemoteSession)) -> Client {
        let offer = self.offer(number, change);
        assert!(matches!(self.desk.offered(offer.clone()), DeskAnswer::Begun));
        Client::connect(self, &offer, number, number).await
    }

    async fn socket(&mut self, ticket: u8) -> WebSocketStream<DuplexStream> {
        let wire = tokio::time::timeout(PATIENCE, self.dialled.recv()).await.expect("dialled in time").expect("dialled");
        #[allow(clippy::result_large_err, reason = "the trait wants it so")]
        let choose = |request: &Request, mut response: Response| {
            let wanted = format!("{SUBPROTOCOL}, ticket.{}", URL_SAFE_NO_PAD.encode([ticket; 32]));
            assert_eq!(request.uri().path(), "/agent/stream");
            assert_eq!(request.headers()["sec-websocket-protocol"].to_str().expect("text"), wanted);
            response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
            Ok(response)
        };
        tokio_tungstenite::accept_hdr_async(wire, choose).await.expect("a websocket")
    }

    fn code_of(&mut self, offer: GrantOffer) -> &'static str {
        match self.desk.offered(offer) {
            DeskAnswer::Refused { refusal, .. } => refusal.code(),
            other => panic!("{other:?}"),
        }
    }

    /// The signed word on how a grant ended, once there is one.
    async fn receipt(&self, number: u8) -> ReceiptBody {
        let grant = grant(number);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(Phase::Ended { receipt, .. }) = self.desk.journal().entry(grant).map(|entry| entry.phase) {
                let envelope = Envelope::parse(receipt.as_bytes(), PayloadType::Receipt).expect("envelope");
                return ReceiptBody::parse(envelope.payload()).expect("receipt");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no receipt");
    }

    /// How it ended, by the words of the receipt.
    async fn outcome(&self, number: u8) -> (Outcome, Option<String>) {
        let receipt = self.receipt(number).await;
        (receipt.outcome, receipt.reason.map(|reason| reason.as_str().to_owned()))
    }
}

fn grant(number: u8) -> GrantId {
    crate::testing::grant_id(number)
}

fn session(number: u8) -> RemoteSessionId {
    RemoteSessionId::from_bytes([number; 16])
}

fn secret(number: u8) -> StreamSecret {
    StreamSecret::from_bytes([number; 32])
}

/// The client's end of one attachment.
struct Client {
    stream: StreamEnd,
    socket: WebSocketStream<DuplexStream>,
    begun: Instant,
}

/// What a client saw at its end.
#[derive(Debug, PartialEq)]
enum Last {
    Bye(String),
    Closed(Option<u16>),
}

impl Client {
    async fn connect(scene: &mut Scene, offer: &GrantOffer, number: u8, ticket: u8) -> Self {
        let device = scene.world.identity.verify_key();
        let stream = StreamEnd::client(&offer.envelope, &device, secret(number)).expect("terms");
        let socket = scene.socket(ticket).await;
        let mut client = Self { stream, socket, begun: Instant::now() };
        client.stream.connected();
        while !client.stream.is_up() {
            client.step().await.expect("the device answers");
        }
        client
    }

    /// The link is lost; the server lets the device dial again.
    async fn reconnect(&mut self, scene: &mut Scene, number: u8) {
        scene.desk.sessions().ticket(grant(number), [77; 32]);
        self.stream.disconnected();
        self.socket = scene.socket(77).await;
        self.stream.connected();
    }

    async fn flush(&mut self) {
        while let Some(message) = self.stream.next_message() {
            self.socket.send(Message::binary(message)).await.expect("sent");
        }
    }

    async fn send(&mut self, payload: Payload) {
        self.stream.send(&payload).expect("room");
        self.flush().await;
    }

    async fn control(&mut self, message: Value) {
        self.send(Payload::control(&message)).await;
    }

    /// Takes one message of the connection.
    async fn step(&mut self) -> Result<Option<Payload>, Last> {
        let now = u64::try_from(self.begun.elapsed().as_millis()).expect("ms");
        self.stream.tick(now).expect("tick");
        self.flush().await;
        let message = match tokio::time::timeout(Duration::from_millis(20), self.socket.next()).await {
            Err(_) => return Ok(None),
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(_)) | None) => return Err(Last::Closed(None)),
        };
        match message {
            Message::Binary(bytes) => Ok(self.stream.receive(&bytes, now).expect("an honest device")),
            Message::Close(frame) => Err(Last::Closed(frame.map(|frame| frame.code.into()))),
            _ => Ok(None),
        }
    }

    async fn next(&mut self) -> Payload {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(payload) = self.step().await.expect("connected") {
                return payload;
            }
        }
        panic!("nothing comes");
    }

    /// Says something and hears it back.
    async fn echo(&mut self, text: &str) {
        self.send(Payload::data(0, text.as_bytes())).await;
        self.hears(text).await;
    }

    async fn hears(&mut self, text: &str) {
        assert_eq!(self.next().await, Payload::data(0, text.as_bytes()));
    }

    /// Stays until the end, and says what the last word was.
    async fn last(&mut self) -> Last {
        let begun = Instant::now();
        let mut bye = None;
        while begun.elapsed() < PATIENCE {
            match self.step().await {
                Ok(Some(Payload::Control(text))) => {
                    let message: Value = serde_json::from_slice(&text).expect("json");
                    if message["t"] == "bye" {
                        bye = message["reason"].as_str().map(str::to_owned);
                    }
                }
                Ok(_) => {}
                Err(last) => return bye.map_or(last, Last::Bye),
            }
        }
        panic!("no end");
    }
}

fn bye(reason: &str) -> Last {
    Last::Bye(reason.to_owned())
}

#[tokio::test]
async fn a_session_opens_talks_and_ends_with_a_receipt() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.echo("hello").await;
    let shown = scene.desk.sessions().shown();
    assert_eq!((shown[0].kind.as_str(), shown[0].by.as_str(), shown[0].attached.len()), ("terminal", "ada@example.test", 1));
    ada.control(json!({"t": "exit"})).await;
    assert_eq!(ada.last().await, bye("ended"));
    let receipt = scene.receipt(1).await;
    assert_eq!((receipt.outcome, receipt.exit_code, receipt.output_bytes), (Outcome::Finished, Some(4), 0));
    assert!(scene.desk.is_idle() && scene.desk.sessions().shown().is_empty());
    assert_eq!(std::sync::Arc::strong_count(&scene.alive), 2);
}

#[tokio::test]
async fn a27_a_grant_attaches_once_and_a_spent_one_never_again() {
    let mut scene = Scene::new();
    let offer = scene.offer(1, |_| {});
    assert!(matches!(scene.desk.offered(offer.clone()), DeskAnswer::Begun));
    let mut ada = Client::connect(&mut scene, &offer, 1, 1).await;
    ada.echo("once").await;
    // Offered again while it is open: the ticket is good for dialling, and nothing is opened.
    assert!(matches!(scene.desk.offered(offer.clone()), DeskAnswer::Known(_)));
    assert_eq!(scene.desk.sessions().shown().len(), 1);
    scene.desk.sessions().end(session(1), None);
    scene.outcome(1).await;
    scene.desk.journal().acknowledge(grant(1)).expect("acknowledged");
    assert_eq!(scene.code_of(offer), "used");
}

#[tokio::test]
async fn what_a_device_cannot_open_costs_no_id() {
    let mut scene = Scene::new();
    let viewer = scene.offer(1, |session| {
        session.kind = RemoteKind::Viewer;
        (session.columns, session.rows) = (0, 0);
    });
    assert_eq!(scene.code_of(viewer), "kind_missing");
    let without = GrantOffer { stream_ticket: None, ..scene.offer(2, |_| {}) };
    assert_eq!(scene.code_of(without), "no_stream_ticket");
    let loaded = GrantOffer { content: b"#!/bin/sh".to_vec(), ..scene.offer(3, |_| {}) };
    assert_eq!(scene.code_of(loaded), "content_differs");
    let joins = scene.offer(4, |session| {
        session.joins = Entry::Joins;
        (session.columns, session.rows) = (0, 0);
    });
    assert_eq!(scene.code_of(joins), "session_not_open");
    assert!((1..=4).all(|number| scene.desk.journal().entry(grant(number)).is_none()));
    let _ada = scene.open(5, |_| {}).await;
    let again = scene.offer(6, |_| {});
    assert_eq!(scene.code_of(again), "session_open");
}

fn joins(session: &mut OpenRemoteSession) {
    session.joins = Entry::Joins;
    (session.columns, session.rows) = (0, 0);
}

#[tokio::test]
async fn nobody_joins_whose_grant_says_otherwise_about_recording() {
    let mut scene = Scene::new();
    let _ada = scene.open(1, |session| session.record = Record::None).await;
    let joining = |scene: &Scene, number, record| {
        scene.offer(number, |session| {
            joins(session);
            session.session = self::session(1);
            session.record = record;
        })
    };
    let believes_to_be_recorded = joining(&scene, 2, Record::Session);
    assert_eq!(scene.code_of(believes_to_be_recorded), "record_differs");
    assert!(scene.desk.journal().entry(grant(2)).is_none(), "the id is not spent");
    let knows = joining(&scene, 3, Record::None);
    assert!(matches!(scene.desk.offered(knows.clone()), DeskAnswer::Begun));
    let _cyd = Client::connect(&mut scene, &knows, 3, 3).await;
    let _bob = scene.open(4, |session| (session.session, session.record) = (self::session(4), Record::Session)).await;
    let spared = scene.offer(5, |session| {
        joins(session);
        (session.session, session.record) = (self::session(4), Record::None);
    });
    assert_eq!(scene.code_of(spared), "record_differs");
}

#[tokio::test]
async fn somebody_joins_by_a_grant_of_their_own_and_is_sent_away_alone() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.echo("one").await;
    let mut bob = scene
        .open(2, |session| {
            joins(session);
            session.access = Access::View;
        })
        .await;
    ada.send(Payload::data(0, "for both".as_bytes())).await;
    ada.hears("for both").await;
    bob.hears("for both").await;
    scene.desk.sessions().end(session(1), Some(grant(2)));
    assert_eq!(bob.last().await, bye("ended"));
    assert_eq!(scene.receipt(2).await.exit_code, Some(0));
    ada.echo("still here").await;
    assert_eq!(scene.desk.journal().entry(grant(1)).map(|entry| entry.phase), Some(Phase::Claimed));
}

#[tokio::test]
async fn a_lost_link_loses_and_doubles_nothing() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.echo("before").await;
    for round in 0..3 {
        // What was said when the link went down arrives by the next one.
        ada.stream.send(&Payload::data(0, format!("round {round}").into_bytes())).expect("room");
        ada.socket.close(Some(CloseFrame { code: 4003.into(), reason: "".into() })).await.expect("closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
        ada.reconnect(&mut scene, 1).await;
        ada.hears(&format!("round {round}")).await;
    }
    ada.echo("after").await;
}

#[tokio::test]
async fn a_ticket_for_a_strange_grant_dials_nothing() {
    let mut scene = Scene::new();
    let _ada = scene.open(1, |_| {}).await;
    scene.desk.sessions().ticket(grant(9), [1; 32]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(scene.dialled.try_recv().is_err());
}

#[tokio::test]
async fn a21_an_end_from_outside_is_done_within_a_second() {
    for (why, word, outcome, reason) in [
        (None, "ended", Outcome::Cancelled, None),
        (Some(Why::Revoked), "revoked", Outcome::Cancelled, Some("revoked")),
        (Some(Why::Machine), "machine", Outcome::Interrupted, Some("agent_stopped")),
    ] {
        let mut scene = Scene::new();
        let mut ada = scene.open(1, |_| {}).await;
        ada.echo("hello").await;
        let begun = Instant::now();
        match why {
            None => scene.desk.sessions().end(session(1), None),
            Some(why) => scene.desk.sessions().end_all(why),
        }
        assert_eq!(ada.last().await, bye(word));
        assert_eq!(scene.outcome(1).await, (outcome, reason.map(str::to_owned)));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a21_a_client_that_takes_nothing_and_a_kind_that_hangs_hold_no_end_up() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.echo("hello").await;
    ada.send(Payload::data(0, vec![7; 30_000])).await;
    ada.control(json!({"t": "hang"})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    scene.desk.sessions().end(session(1), None);
    assert_eq!(scene.outcome(1).await.0, Outcome::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(std::sync::Arc::strong_count(&scene.alive), 2);
}

#[tokio::test]
async fn a_kind_that_panics_leaves_a_receipt_and_the_agent_alone() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.control(json!({"t": "panic"})).await;
    assert_eq!(scene.outcome(1).await, (Outcome::Interrupted, Some("agent_failed".to_owned())));
    assert!(scene.desk.sessions().shown().is_empty());
    let mut bob = scene.open(2, |action| action.session = session(2)).await;
    bob.echo("unharmed").await;
}

#[tokio::test]
async fn limits_end_sessions_idle_old_and_unattended() {
    let mut scene = Scene::new();
    let _idle = scene.open(1, |session| session.idle_secs = 1).await;
    let old = |action: &mut OpenRemoteSession| {
        action.session = session(2);
        (action.idle_secs, action.max_secs) = (1, 1);
    };
    let mut busy = scene.open(2, old).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(800) {
        busy.echo("busy").await;
    }
    assert_eq!(scene.outcome(1).await, (Outcome::TimedOut, Some("idle".to_owned())));
    assert_eq!(scene.outcome(2).await, (Outcome::TimedOut, None));

    let timing = RemoteTiming { unattended: Duration::from_millis(300), ..timing() };
    let mut scene = Scene::with(World::new(), timing, std::sync::Arc::new(notice::Nobody));
    let mut left = scene.open(1, |_| {}).await;
    left.echo("hello").await;
    drop(left);
    assert_eq!(scene.outcome(1).await, (Outcome::TimedOut, Some("unattended".to_owned())));
}

#[tokio::test]
async fn the_person_at_the_machine_is_told_who_comes_and_goes() {
    let person = std::sync::Arc::new(Person { answer: Answer::Refused, told: Mutex::default() });
    let mut scene = Scene::with(World::new(), timing(), person.clone());
    let mut ada = scene.open(1, |session| session.consent = Consent::Banner).await;
    ada.echo("hello").await;
    ada.control(json!({"t": "exit"})).await;
    scene.outcome(1).await;
    let told = person.told.lock().expect("told").clone();
    assert_eq!(
        told,
        ["ada@example.test is connected to this computer (terminal)", "ada@example.test is no longer connected to this computer",]
    );
}

#[tokio::test]
async fn nothing_is_seen_before_somebody_allowed_it() {
    let ask = |session: &mut OpenRemoteSession| (session.consent, session.ask_secs) = (Consent::Ask, 60);
    let allows = std::sync::Arc::new(Person { answer: Answer::Allowed, told: Mutex::default() });
    let mut scene = Scene::with(World::new(), timing(), allows);
    scene.open(1, ask).await.echo("allowed").await;

    let refuses = std::sync::Arc::new(Person { answer: Answer::Refused, told: Mutex::default() });
    let impatient = RemoteTiming { consent: Duration::from_millis(100), ..timing() };
    for notice in [refuses as std::sync::Arc<dyn Notice>, std::sync::Arc::new(Asleep), std::sync::Arc::new(notice::Nobody)] {
        let mut scene = Scene::with(World::new(), impatient, notice);
        let mut ada = scene.open(1, ask).await;
        ada.send(Payload::data(0, "early".as_bytes())).await;
        assert_eq!(ada.last().await, bye("consent_refused"));
        assert_eq!(scene.outcome(1).await, (Outcome::Refused, Some("consent_refused".to_owned())));
        assert_eq!(std::sync::Arc::strong_count(&scene.alive), 2, "nothing was begun");
    }
}

#[tokio::test]
async fn silence_means_what_the_grant_says() {
    let ask = |session: &mut OpenRemoteSession| {
        (session.consent, session.ask_secs, session.unanswered) = (Consent::Ask, 60, Unanswered::Allow);
    };
    let impatient = RemoteTiming { consent: Duration::from_millis(100), ..timing() };
    for notice in [std::sync::Arc::new(Asleep) as std::sync::Arc<dyn Notice>, std::sync::Arc::new(notice::Nobody)] {
        let mut scene = Scene::with(World::new(), impatient, notice);
        scene.open(1, ask).await.echo("nobody answered").await;
    }
    let refuses = std::sync::Arc::new(Person { answer: Answer::Refused, told: Mutex::default() });
    let mut scene = Scene::with(World::new(), impatient, refuses);
    assert_eq!(scene.open(1, ask).await.last().await, bye("consent_refused"), "no is no");
}

#[tokio::test]
async fn forged_and_replayed_messages_end_the_attachment_and_not_the_session() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.echo("hello").await;
    let mut eve = scene.open(2, joins).await;
    eve.socket.send(Message::binary(vec![0; 64])).await.expect("sent");
    let receipt = scene.outcome(2).await;
    assert_eq!(receipt, (Outcome::Interrupted, Some("stream_broken".to_owned())));
    ada.echo("still here").await;
}

#[tokio::test]
async fn one_who_sends_without_end_is_held_back_and_then_sent_away() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |_| {}).await;
    ada.control(json!({"t": "hang"})).await;
    let mut sent = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        while ada.stream.send(&Payload::data(0, vec![1; 30_000])).is_ok() {
            sent += 30_000;
        }
        ada.step().await.expect("connected");
    }
    assert!(sent < 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_recording_is_digested_in_the_receipt_of_whoever_opened() {
    let mut scene = Scene::new();
    let mut ada = scene.open(1, |session| session.record = Record::Session).await;
    ada.echo("on tape").await;
    ada.control(json!({"t": "exit"})).await;
    let receipt = scene.receipt(1).await;
    assert_eq!((receipt.output_sha256, receipt.output_bytes), (sha256(&[b"on tape"]), 7));
    let (of, piece) = scene.desk.sessions().recordings().next().expect("read").expect("a piece");
    assert_eq!((of, piece.bytes.as_slice(), piece.last), (session(1), b"on tape".as_slice(), true));
}

#[tokio::test]
async fn an_agent_that_is_killed_reports_the_session_as_interrupted_with_its_recording_and_opens_it_never_again() {
    let mut scene = Scene::new();
    let offer = scene.offer(1, |session| session.record = Record::Session);
    assert!(matches!(scene.desk.offered(offer.clone()), DeskAnswer::Begun));
    let mut ada = Client::connect(&mut scene, &offer, 1, 1).await;
    ada.echo("before the end").await;
    let disk: MemoryDisk = scene.world.disk.killed();
    let mut after = Scene::with(World::on(disk), timing(), std::sync::Arc::new(notice::Nobody));
    let receipt = after.receipt(1).await;
    assert_eq!(receipt.outcome, Outcome::Interrupted);
    assert_eq!((receipt.output_sha256, receipt.output_bytes), (sha256(&[b"before the end"]), 14));
    assert!(matches!(after.desk.offered(offer.clone()), DeskAnswer::Known(_)));
    after.desk.journal().acknowledge(grant(1)).expect("acknowledged");
    assert_eq!(after.code_of(offer), "used");
    assert!(after.desk.is_idle() && after.dialled.try_recv().is_err());
}

#[test]
fn the_body_of_an_offer_is_that_of_a_remote_session() {
    let world = World::new();
    let offer = world.session(1, Hex([5; 32]), |_| {});
    let envelope = Envelope::parse(&offer.envelope, PayloadType::Grant).expect("envelope");
    assert!(GrantBody::parse(envelope.payload()).expect("body").action.remote_session().is_some());
}
