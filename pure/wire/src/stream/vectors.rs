//! Test vectors: what the console's twin of this code checks itself against.
//!
//! The failing test prints them as they should be.

use sallyport_grant::Hex;
use sallyport_grant::keys::VerifyKey;
use sallyport_model::limits;
use serde::Serialize;

use super::keys::{Side, StreamKeys};
use super::message::Plain;
use super::resume::Resuming;
use super::terminal::{FromClient, FromDevice};
use super::tests::{client_secret, device_key, device_secret, grant};
use super::{Payload, StreamEnd, Terms, frame::Sending};

#[derive(Serialize)]
struct Vectors {
    about: &'static str,
    client_secret: String,
    client_key: Hex<32>,
    device_secret: String,
    device_key: Hex<32>,
    /// The device's Ed25519 public key.
    device: VerifyKey,
    thumbprint: String,
    grant: String,
    grant_digest: String,
    answer: String,
    keys: Keys,
    frames: Vec<Frame>,
    resumes: Vec<Resume>,
    transcript: Vec<Event>,
}

#[derive(Serialize)]
struct Keys {
    client: String,
    device: String,
    resume_client: String,
    resume_device: String,
}

#[derive(Serialize)]
struct Frame {
    from: &'static str,
    counter: u64,
    plaintext: String,
    message: String,
}

#[derive(Serialize)]
struct Resume {
    from: &'static str,
    epoch: u64,
    next: u64,
    message: String,
}

/// What happens to a client, in order: what it does, and each message that it sends or receives.
#[derive(Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Event {
    Connected,
    Disconnected,
    /// From the device.
    Receives {
        message: String,
        payload: Option<String>,
    },
    /// The client is told to send this.
    Wants {
        payload: String,
    },
    /// What it then puts on the wire.
    Sends {
        message: String,
    },
    /// The clock, in milliseconds.
    Ticks {
        now_ms: u64,
    },
}

fn terms() -> Terms {
    Terms::of_client(&grant(), &VerifyKey::of(&device_key()), client_secret().public()).unwrap()
}

fn keys() -> StreamKeys {
    StreamKeys::derive(&terms(), &client_secret(), Side::Client, &device_secret().public()).unwrap()
}

fn payloads() -> Vec<Vec<u8>> {
    vec![
        Payload::control(&FromClient::Resize { columns: 80, rows: 24 }).to_plaintext().unwrap(),
        Payload::data(0, "ls -l\r").to_plaintext().unwrap(),
        Plain::ack(2),
        Payload::data(u32::MAX, vec![0, 255]).to_plaintext().unwrap(),
        Payload::data(0, "").to_plaintext().unwrap(),
    ]
}

fn frames(from: &'static str, key: &[u8; 32]) -> Vec<Frame> {
    let mut sending = Sending::new(key, limits::STREAM_UNACKED_BYTES);
    let sealed = payloads().into_iter().enumerate().map(|(at, plaintext)| {
        sending.push(&plaintext).unwrap();
        sending.resume_at(at as u64).unwrap();
        let message = hex::encode(sending.next_frame().unwrap());
        Frame { from, counter: at as u64, plaintext: hex::encode(plaintext), message }
    });
    sealed.collect()
}

fn resumes(from: &'static str, key: &[u8; 32]) -> Vec<Resume> {
    let mut resuming = Resuming::new(key);
    [0, 3, 1 << 33]
        .into_iter()
        .enumerate()
        .map(|(epoch, next)| Resume { from, epoch: epoch as u64, next, message: hex::encode(resuming.begin(next)) })
        .collect()
}

/// A client and a device, as the client sees it.
struct Seen {
    client: StreamEnd,
    device: StreamEnd,
    events: Vec<Event>,
}

impl Seen {
    fn connect(&mut self) {
        self.client.connected();
        self.device.connected();
        self.events.push(Event::Connected);
        self.device_says(2);
    }

    fn cut(&mut self) {
        self.client.disconnected();
        self.device.disconnected();
        self.events.push(Event::Disconnected);
    }

    /// The client receives so many messages, and what it sends at once reaches the device.
    fn device_says(&mut self, count: usize) {
        for _ in 0..count {
            let message = self.device.next_message().unwrap();
            let payload = self.client.receive(&message, 0).unwrap().map(|payload| hex::encode(payload.to_plaintext().unwrap()));
            self.events.push(Event::Receives { message: hex::encode(message), payload });
            self.client_says(Loss::Arrives);
        }
    }

    fn client_says(&mut self, loss: Loss) {
        while let Some(message) = self.client.next_message() {
            if loss == Loss::Arrives {
                self.device.receive(&message, 0).unwrap();
            }
            self.events.push(Event::Sends { message: hex::encode(message) });
        }
    }

    fn wants(&mut self, payload: Payload, loss: Loss) {
        self.client.send(&payload).unwrap();
        self.events.push(Event::Wants { payload: hex::encode(payload.to_plaintext().unwrap()) });
        self.client_says(loss);
    }

    fn ticks(&mut self, now_ms: u64) {
        self.client.tick(now_ms).unwrap();
        self.events.push(Event::Ticks { now_ms });
        self.client_says(Loss::Arrives);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    Arrives,
    Lost,
}

/// Two connections; what the first one loses on its way, the second one brings.
fn transcript() -> Vec<Event> {
    let client = StreamEnd::client(&grant(), &VerifyKey::of(&device_key()), client_secret()).unwrap();
    let device = StreamEnd::device(&terms(), &device_key(), &device_secret()).unwrap();
    let mut seen = Seen { client, device, events: Vec::new() };
    seen.connect();
    seen.wants(Payload::control(&FromClient::Resize { columns: 80, rows: 24 }), Loss::Arrives);
    seen.device.send(&Payload::control(&FromDevice::Viewers { names: vec!["ada@example.test".to_owned()] })).unwrap();
    seen.device.send(&Payload::data(0, "$ ")).unwrap();
    seen.device_says(2);
    seen.ticks(49);
    seen.ticks(50);
    seen.wants(Payload::data(0, "vim\r"), Loss::Lost);
    seen.device.send(&Payload::data(0, "lost on its way")).unwrap();
    seen.device.next_message().unwrap();
    seen.cut();
    seen.wants(Payload::data(0, "typed meanwhile"), Loss::Arrives);
    seen.connect();
    seen.device_says(1);
    seen.ticks(100);
    seen.events
}

fn written() -> String {
    let (keys, grant) = (keys(), grant());
    let mut device = StreamEnd::device(&terms(), &device_key(), &device_secret()).unwrap();
    device.connected();
    let vectors = Vectors {
        about: "Sallyport streams between a client and a device; see pure/wire/src/stream. Bytes are hexadecimal.",
        client_secret: hex::encode([0x11; 32]),
        client_key: client_secret().public(),
        device_secret: hex::encode([0x22; 32]),
        device_key: device_secret().public(),
        device: VerifyKey::of(&device_key()),
        thumbprint: VerifyKey::of(&device_key()).id().to_string(),
        grant: String::from_utf8(grant).unwrap(),
        grant_digest: terms().digest.to_string(),
        answer: String::from_utf8(device.next_message().unwrap()).unwrap(),
        keys: Keys {
            client: hex::encode(*keys.client),
            device: hex::encode(*keys.device),
            resume_client: hex::encode(*keys.resume_client),
            resume_device: hex::encode(*keys.resume_device),
        },
        frames: [frames("client", &keys.client), frames("device", &keys.device)].into_iter().flatten().collect(),
        resumes: [resumes("client", &keys.resume_client), resumes("device", &keys.resume_device)].into_iter().flatten().collect(),
        transcript: transcript(),
    };
    serde_json::to_string_pretty(&vectors).unwrap() + "\n"
}

#[test]
fn vectors_are_up_to_date() {
    let (published, written) = (include_str!("../../vectors/stream.json"), written());
    assert!(published == written, "review, then write vectors/stream.json anew:\n{written}");
}
