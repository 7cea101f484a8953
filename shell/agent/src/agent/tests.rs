use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use futures_util::{SinkExt, StreamExt};
use sallyport_grant::body::{Outcome, ReasonCode, ServerUrl};
use sallyport_grant::receipt;
use sallyport_model::{GrantId, Timestamp};
use sallyport_wire::{DeviceState, Hello, Responder, ServerLink, ToAgent, ToServer, UnsignedToAgent};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::dial::{Dial, Dialing};
use crate::disk::Disk;
use crate::inventory::MachineFacts;
use crate::ports::SystemEntropy;
use crate::remote::MachineKinds;
use crate::remote::notice::Nobody;
use crate::runner::ScriptRunner;
use crate::testing::World;
use crate::trust::TRUST_FILE;

/// A network of one cable.
struct Cable(Mutex<mpsc::UnboundedSender<DuplexStream>>);

impl Dial for Cable {
    fn dial<'a>(&'a self, _: &'a ServerUrl, _: Option<&'a str>) -> Dialing<'a> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let plugged = self.0.lock().expect("cable").send(theirs);
        Box::pin(async move {
            plugged.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(ours) as Box<dyn crate::dial::Wire>)
        })
    }
}

/// A server's end, as a test plays it.
struct Server {
    socket: WebSocketStream<DuplexStream>,
    link: ServerLink,
    hello: Hello,
}

impl Server {
    async fn accept(world: &World, calls: &mut mpsc::UnboundedReceiver<DuplexStream>) -> Self {
        let stream = calls.recv().await.expect("a call");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("web socket");
        let first = frame(&mut socket).await;
        let (awaiting, reply) = Responder::new(&world.link, [3; 32]).answer(&first).expect("handshake");
        socket.send(Message::binary(reply)).await.expect("reply");
        let (hello, link) = awaiting.open_hello(&frame(&mut socket).await).expect("hello");
        Self { socket, link, hello }
    }

    async fn welcome(&mut self, state: DeviceState) {
        let server_time = Timestamp::from_secs(0);
        self.say(UnsignedToAgent::Welcome { state, server_time, device: None, tenant: None }.into()).await;
    }

    async fn say(&mut self, message: ToAgent) {
        for frame in self.link.send(&message).expect("encrypted") {
            self.socket.send(Message::binary(frame)).await.expect("sent");
        }
    }

    async fn hear(&mut self) -> ToServer {
        loop {
            let frame = frame(&mut self.socket).await;
            if let Some(message) = self.link.receive(&frame).expect("received") {
                return message;
            }
        }
    }

    /// Listens until the run is over, and acknowledges output up to `ack_below`.
    async fn follow(&mut self, grant: GrantId, chunks: &mut BTreeMap<u64, Vec<u8>>, ack_below: u64) -> Option<Vec<u8>> {
        loop {
            match self.hear().await {
                ToServer::Output { seq, chunk, .. } => {
                    chunks.insert(seq, chunk);
                    if seq >= ack_below {
                        return None;
                    }
                    self.say(UnsignedToAgent::OutputAck { grant, next_seq: seq + 1 }.into()).await;
                }
                ToServer::RunEnded { receipt, .. } => return Some(receipt),
                _ => {}
            }
        }
    }
}

async fn frame(socket: &mut WebSocketStream<DuplexStream>) -> Vec<u8> {
    loop {
        if let Message::Binary(frame) = socket.next().await.expect("open").expect("frame") {
            return frame.into();
        }
    }
}

struct Running {
    calls: mpsc::UnboundedReceiver<DuplexStream>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

fn start(world: &World) -> Running {
    start_with(world, Timing::default())
}

fn start_with(world: &World, timing: Timing) -> Running {
    let (cable, calls) = mpsc::unbounded_channel();
    let ports = Ports {
        clock: world.clock.clone(),
        entropy: Arc::new(SystemEntropy),
        disk: world.disk.clone(),
        dial: Arc::new(Cable(Mutex::new(cable))),
        runs: Arc::new(ScriptRunner::of(std::path::Path::new("test"))),
        facts: Arc::new(MachineFacts { agent_version: "1.0.0".to_owned() }),
        remote: Arc::new(MachineKinds::of(std::path::Path::new("test"))),
        notice: Arc::new(Nobody),
    };
    let timing = Timing { watch: Duration::from_millis(10), ..timing };
    let agent = Agent::new(Config { version: "1.0.0".to_owned(), seed: 7, timing }, ports).expect("agent");
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    Running { calls, stop, task }
}

fn place_enrolment(world: &World) {
    world.disk.replace(ENROLMENT_FILE, &world.enrolment("ws://127.0.0.1:1/agent/link")).expect("enrolment");
}

fn status(world: &World) -> Status {
    serde_json::from_slice(&world.disk.read(STATUS_FILE).expect("read").expect("status")).expect("status")
}

#[tokio::test]
async fn it_waits_for_its_file_enrols_sends_inventory_and_forgets_the_token() {
    let world = World::new();
    let mut running = start(&world);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(status(&world).link, LinkState::WaitingForEnrolment);
    place_enrolment(&world);
    let mut server = Server::accept(&world, &mut running.calls).await;
    assert_eq!(server.hello.device_key().id(), world.identity.thumbprint());
    let enrol = server.hello.claims().enrol.clone().expect("the token is shown");
    assert_eq!(enrol.token_secret.as_bytes(), &[4; 32]);
    server.welcome(DeviceState::Pending).await;
    assert!(matches!(server.hear().await, ToServer::Inventory(_)));
    assert_eq!(status(&world).link, LinkState::Pending);
    assert_eq!(world.disk.read(ENROLMENT_FILE).expect("read"), None, "the token is gone");
    drop(server);
    let again = Server::accept(&world, &mut running.calls).await;
    assert!(again.hello.claims().enrol.is_none(), "the next hello needs no token");
    let commanders = status(&world).commanders.expect("commanders");
    assert_eq!((commanders.names.tenant.as_str(), commanders.names.site.as_str()), ("Acme IT", "Lyon"));
}

#[tokio::test]
async fn an_inventory_that_is_wanted_comes_before_its_time_and_not_more_often_than_it_may() {
    let world = World::new();
    place_enrolment(&world);
    let least = Duration::from_millis(400);
    let mut running = start_with(&world, Timing { inventory_least: least, ..Timing::default() });
    let mut server = Server::accept(&world, &mut running.calls).await;
    let begun = std::time::Instant::now();
    server.welcome(DeviceState::Approved).await;
    assert!(matches!(server.hear().await, ToServer::Inventory(_)));
    for _ in 0..50 {
        server.say(ToAgent::Unsigned(UnsignedToAgent::InventoryWanted)).await;
    }
    // Heartbeats come in between.
    while !matches!(server.hear().await, ToServer::Inventory(_)) {}
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_refused_token_is_said_and_kept_for_another_try() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Unknown).await;
    while status(&world).link != LinkState::NotKnown {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.disk.read(TRUST_FILE).expect("read"), None);
    assert!(world.disk.read(ENROLMENT_FILE).expect("read").is_some());
}

#[tokio::test]
async fn a_script_runs_and_its_output_survives_a_lost_link() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Approved).await;
    let script = world.script(1, "for i in 1 2 3 4 5 6; do echo line $i; echo err $i >&2; sleep 0.06; done");
    let (grant, offer) = (script.id, script.offer());
    server.say(ToAgent::GrantOffer(Box::new(offer.clone()))).await;
    let mut chunks = BTreeMap::new();
    assert_eq!(server.follow(grant, &mut chunks, 3).await, None);
    drop(server);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Approved).await;
    // The server offers again, since it does not know what became of it: the run goes on as the one that it is.
    server.say(ToAgent::GrantOffer(Box::new(offer))).await;
    let receipt = server.follow(grant, &mut chunks, u64::MAX).await.expect("a receipt");
    let receipt = receipt::verify(&receipt, &world.identity.verify_key()).expect("signed");
    let text: Vec<u8> = chunks.values().flatten().copied().collect();
    assert_eq!(chunks.keys().copied().collect::<Vec<_>>(), (0..chunks.len() as u64).collect::<Vec<_>>(), "no gap");
    assert_eq!((receipt.outcome, receipt.exit_code, receipt.output_bytes), (Outcome::Finished, Some(0), text.len() as u64));
    assert_eq!(receipt.output_sha256, sallyport_grant::sha256(&[&text]));
    server.say(UnsignedToAgent::ReceiptAck { grant }.into()).await;
    while world.disk.names().expect("names").iter().any(|name| name.starts_with("output-")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(status(&world).obeyed[0].outcome, "finished");
}

#[tokio::test]
async fn a_refusal_is_signed_and_shown() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Approved).await;
    let mut offer = world.script(1, "echo approved").offer();
    offer.content = b"echo swapped!".to_vec();
    server.say(ToAgent::GrantOffer(Box::new(offer))).await;
    let receipt = server.follow(crate::testing::grant_id(1), &mut BTreeMap::new(), 0).await.expect("a receipt");
    let receipt = receipt::verify(&receipt, &world.identity.verify_key()).expect("signed");
    assert_eq!((receipt.outcome, receipt.reason.as_ref().map(ReasonCode::as_str)), (Outcome::Refused, Some("content_differs")));
    assert_eq!(status(&world).refused[0].code, "content_differs");
}

#[tokio::test]
async fn a_server_without_the_pinned_key_learns_nothing() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let stream = running.calls.recv().await.expect("a call");
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("web socket");
    let first = frame(&mut socket).await;
    let foreign = sallyport_wire::LinkSecret::from_bytes([66; 32]);
    assert!(Responder::new(&foreign, [3; 32]).answer(&first).is_err());
    socket.send(Message::binary(vec![0; 48])).await.expect("a made-up reply");
    while status(&world).link_trouble.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(socket.next().await.is_none_or(|message| !matches!(message, Ok(Message::Binary(_)))), "no hello for strangers");
}

#[tokio::test]
async fn silence_ends_the_link() {
    let world = World::new();
    place_enrolment(&world);
    let timing = Timing { silence: Duration::from_millis(100), heartbeat: Duration::from_millis(20), ..Timing::default() };
    let mut running = start_with(&world, timing);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Approved).await;
    while !matches!(server.hear().await, ToServer::Heartbeat(_)) {}
    let again = Server::accept(&world, &mut running.calls).await;
    drop(again);
    drop(server);
}

#[tokio::test]
async fn stopping_the_agent_ends_its_runs_as_interrupted() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let mut server = Server::accept(&world, &mut running.calls).await;
    server.welcome(DeviceState::Approved).await;
    let script = world.script(1, "echo on; sleep 300");
    let grant = script.id;
    server.say(ToAgent::GrantOffer(Box::new(script.offer()))).await;
    assert_eq!(server.follow(grant, &mut BTreeMap::new(), 0).await, None);
    running.stop.send(()).expect("running");
    running.task.await.expect("stopped");
    let entry = world.journal().entry(grant).expect("known");
    assert!(matches!(entry.phase, crate::journal::Phase::Ended { outcome: Outcome::Interrupted, .. }), "{entry:?}");
    assert_eq!(status(&world).link, LinkState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_at_once_is_not_dialled_in_a_hurry() {
    let world = World::new();
    place_enrolment(&world);
    let mut running = start(&world);
    let began = Instant::now();
    for _ in 0..12 {
        let mut server = Server::accept(&world, &mut running.calls).await;
        server.welcome(DeviceState::Removed).await;
        drop(server);
    }
    assert!(began.elapsed() > Duration::from_secs(5 * 30), "{:?}", began.elapsed());
}
