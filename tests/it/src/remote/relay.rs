//! C4: somebody in the server's place, between a client and a real agent, learns lengths and times alone. Whatever they
//! change is noticed with the first message that is not the next, by whoever gets it.

use std::collections::BTreeSet;

use sallyport_grant::SigningKey;
use sallyport_testkit::agent::Machine;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::relay::{Relay, Trick, Way};
use sallyport_testkit::remote::{Closed, RemoteClient, RemoteEnd};
use sallyport_testkit::server::TestServer;
use sallyport_wire::stream::{StreamEnd, StreamError, StreamSecret, TermsError};
use serde_json::json;
use tokio::time::{Duration, sleep};

/// Counter and tag of a frame, kind and channel of data.
const DATA_OVERHEAD: usize = 8 + 16 + 1 + 4;

struct World {
    server: TestServer,
    owner: Owner,
    _machines: Vec<Machine>,
    device: String,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::live().await;
        let mut owner = Owner::set_up(&server).await;
        let (machines, mut devices) = owner.machines(&server, 1).await;
        Self { server, owner, _machines: machines, device: devices.remove(0) }
    }

    async fn client(&mut self) -> RemoteClient {
        RemoteClient::open(&mut self.owner, &self.server, json!({ "device": self.device })).await
    }

    async fn joining(&mut self, opened: &RemoteClient) -> RemoteClient {
        let wanted = json!({ "device": self.device, "joins": opened.session().to_string() });
        RemoteClient::open(&mut self.owner, &self.server, wanted).await
    }

    /// A terminal of an honest client, and a second client of it behind a relay.
    async fn attacked(&mut self) -> Attacked {
        let first = self.client().await;
        let mut honest = first.dial(&self.server).await.expect("let in");
        honest.up().await;
        honest.send_data(0, b"PS1=; echo be''gun\n").await;
        honest.until("begun").await;
        let victim = self.joining(&first).await;
        let relay = Relay::default();
        let mut end = victim.dial_through(&relay, &self.server).await.expect("let in");
        end.until("begun").await;
        end.send_data(0, b"echo wor''ks\n").await;
        tokio::join!(end.until("works"), honest.until("works"));
        Attacked { first, honest, victim, end, relay }
    }

    /// Why the attachment of a client ended, once it has.
    async fn end_reason(&mut self, client: &RemoteClient) -> String {
        let path = format!("/v1/remote-sessions/{}", client.session());
        loop {
            let shown = self.owner.client.get(&path).await.json();
            let attachments = shown["attachments"].as_array().cloned().unwrap_or_default();
            let mine = attachments.iter().find(|one| one["grant"] == json!(client.grant().to_string()));
            if let Some(reason) = mine.and_then(|mine| mine["end_reason"].as_str()) {
                return reason.to_owned();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(&mut self, client: &RemoteClient) {
        let path = format!("/v1/remote-sessions/{}", client.session());
        assert_eq!(self.owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    }
}

struct Attacked {
    first: RemoteClient,
    honest: RemoteEnd,
    victim: RemoteClient,
    end: RemoteEnd,
    relay: Relay,
}

/// Every trick with what it is taken for.
fn tricks() -> Vec<(Trick, StreamError)> {
    vec![
        (Trick::Drop, StreamError::OutOfOrder),
        (Trick::Twice, StreamError::OutOfOrder),
        (Trick::Late, StreamError::OutOfOrder),
        (Trick::Replay, StreamError::OutOfOrder),
        (Trick::Flip(1), StreamError::OutOfOrder),
        (Trick::Flip(63), StreamError::OutOfOrder),
        (Trick::Flip(64), StreamError::Forged),
        (Trick::Flip(-1), StreamError::Forged),
        (Trick::Shorten(1), StreamError::Forged),
        (Trick::Lengthen(1), StreamError::Forged),
        (Trick::Forge, StreamError::Forged),
        (Trick::Reflect, StreamError::Forged),
        (Trick::Replace(Vec::new()), StreamError::Length),
        (Trick::Replace(vec![0; 7]), StreamError::Length),
    ]
}

#[tokio::test]
async fn c4_a_relay_learns_lengths_and_times_alone() {
    let mut world = World::new().await;
    let client = world.client().await;
    let relay = Relay::default();
    let mut end = client.dial_through(&relay, &world.server).await.expect("let in");
    end.up().await;
    let line = b"echo the-vault-opens-at-n''oon\n";
    for _ in 0..2 {
        end.send_data(0, line).await;
        end.until("the-vault-opens-at-noon").await;
    }
    let seen = relay.seen();
    let typed: Vec<_> = seen.iter().filter(|seen| seen.way == Way::ToDevice && seen.bytes.len() == DATA_OVERHEAD + line.len()).collect();
    assert!(typed.len() >= 2, "the lengths can be told: {}", typed.len());
    let mut pieces = BTreeSet::new();
    for (n, message) in seen.iter().enumerate() {
        let text = String::from_utf8_lossy(&message.bytes);
        assert!(!text.contains("vault") && !text.contains("echo") && !text.contains("noon"), "message {n}: {text}");
        // The answer is signed and open, numbers are counted; everything else is noise that never repeats.
        let open = match &message.bytes {
            bytes if text.contains("sallyport.answer") => bytes.len(),
            bytes if bytes.starts_with(&[0xff; 8]) => 16,
            _ => 8,
        };
        let secret = &message.bytes[open..];
        for window in secret.windows(8) {
            assert!(pieces.insert(window.to_vec()), "message {n} repeats something");
        }
    }
    // All that the server made and saw of this session does not make its place a client's.
    let own = StreamEnd::client(client.envelope(), &client.device_key(), StreamSecret::from_bytes([7; 32]));
    assert_eq!(own.err(), Some(StreamError::Answer(TermsError::OtherClient)));
}

#[tokio::test]
async fn c4_what_a_relay_changes_on_the_way_to_the_client_is_noticed_at_once() {
    let mut world = World::new().await;
    for (trick, taken_for) in tricks() {
        let Attacked { first, mut honest, mut end, relay, .. } = world.attacked().await;
        relay.arm(Way::ToClient, trick.clone());
        let shows = async {
            for n in 0..3 {
                honest.send_data(0, format!("echo sho''wn-{n}\n").as_bytes()).await;
                honest.until(&format!("shown-{n}")).await;
            }
        };
        let ((closed, _), ()) = tokio::join!(end.closed(), shows);
        assert!(relay.has_played());
        assert_eq!(closed, Closed::Broken(taken_for), "{trick:?}");
        assert_eq!(end.end.over(), Some(taken_for), "{trick:?}: there is no way on");
        world.end(&first).await;
    }
}

#[tokio::test]
async fn c4_what_a_relay_changes_on_the_way_to_the_device_is_noticed_at_once() {
    let mut world = World::new().await;
    for (trick, _) in tricks() {
        let Attacked { first, mut honest, victim, mut end, relay } = world.attacked().await;
        relay.arm(Way::ToDevice, trick.clone());
        for line in ["echo fir''st\n", "echo sec''ond\n", "echo th''ird\n"] {
            end.send_data(0, line.as_bytes()).await;
        }
        let (closed, _) = end.closed().await;
        assert!(relay.has_played());
        assert!(matches!(closed, Closed::By(_)), "{trick:?}: {closed:?}");
        assert_eq!(world.end_reason(&victim).await, "stream_broken", "{trick:?}");
        honest.send_data(0, b"echo lo''oked\n").await;
        let shown = honest.until("looked").await;
        assert!(shown.matches("first").count() <= 1, "{trick:?}: nothing is done twice: {shown}");
        assert!(!shown.contains("second") && !shown.contains("third"), "{trick:?}: {shown}");
        world.end(&first).await;
    }
}

#[tokio::test]
async fn c4_an_answer_that_is_not_the_devices_own_to_this_grant_is_refused() {
    let mut world = World::new().await;
    let first = world.client().await;
    let relay = Relay::default();
    let mut end = first.dial_through(&relay, &world.server).await.expect("let in");
    end.up().await;
    let earlier = relay.seen().into_iter().find(|seen| seen.way == Way::ToClient).expect("an answer").bytes;
    for (n, taken_for) in [TermsError::OtherGrant, TermsError::NotSigned, TermsError::Malformed].into_iter().enumerate() {
        let client = world.client().await;
        let relay = Relay::default();
        let trick = match n {
            0 => Trick::Replace(earlier.clone()),
            1 => Trick::Replace(answer_of_a_stranger(&client)),
            _ => Trick::Shorten(1),
        };
        relay.arm(Way::ToClient, trick);
        let mut end = client.dial_through(&relay, &world.server).await.expect("let in");
        let (closed, _) = end.closed().await;
        assert_eq!(closed, Closed::Broken(StreamError::Answer(taken_for)));
        world.end(&client).await;
    }
}

#[tokio::test]
async fn c4_a_connection_that_a_relay_replays_is_refused() {
    let mut world = World::new().await;
    let client = world.client().await;
    let relay = Relay::default();
    let mut end = client.dial_through(&relay, &world.server).await.expect("let in");
    end.up().await;
    end.send_data(0, b"echo on''ce\n").await;
    end.until("once").await;
    let kept = end.cut();
    let resume = relay.seen().into_iter().filter(|seen| seen.way == Way::ToClient).nth(1).expect("a resume").bytes;
    // The device's answer is the same on each connection; how a connection begins is not.
    let again = Relay::default();
    again.arm_after(1, Way::ToClient, Trick::Replace(resume));
    let ticket = client.another_ticket(&mut world.owner).await;
    let socket = again.between(&world.server, &ticket).await.expect("let in");
    let (closed, _) = RemoteEnd::over(socket, kept).await.closed().await;
    assert_eq!(closed, Closed::Broken(StreamError::Replayed));
}

/// What somebody without the device's key answers, who knows everything else.
fn answer_of_a_stranger(client: &RemoteClient) -> Vec<u8> {
    let secret = StreamSecret::from_bytes([8; 32]);
    let mut end = StreamEnd::device(&client.terms(), &SigningKey::from_bytes(&[66; 32]), &secret).expect("an end");
    end.connected();
    end.next_message().expect("an answer")
}
