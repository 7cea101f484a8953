use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;
use sallyport_grant::body::{
    Access, Body, Class, Clipboard, Consent, Entry, FactorProof, GrantAction, GrantBody, GrantType, OpenRemoteSession, Person, ProofMethod,
    Record, RemoteKind, Unanswered, VirtualDisplay,
};
use sallyport_grant::keys::{SigningKey, VerifyKey};
use sallyport_grant::targets::TargetTree;
use sallyport_grant::{Hex, attest};
use sallyport_model::{Email, GrantId, RemoteSessionId, TenantId, Timestamp, UserId, limits};

use super::message::read_control;
use super::terminal::{FromClient, FromDevice};
use super::*;

pub(super) fn client_secret() -> StreamSecret {
    StreamSecret::from_bytes([0x11; 32])
}

pub(super) fn device_secret() -> StreamSecret {
    StreamSecret::from_bytes([0x22; 32])
}

pub(super) fn device_key() -> SigningKey {
    SigningKey::from_bytes(&[0x33; 32])
}

/// A grant of one session of this kind for the client's key, on the device with this key.
pub(super) fn grant_for(client_key: Hex<32>, device: &VerifyKey, kind: RemoteKind) -> Vec<u8> {
    let tenant = TenantId::from_bytes([1; 16]);
    let now = Timestamp::from_secs(1_790_000_000);
    let ada = Person { user: UserId::from_bytes([3; 16]), email: Email::parse("ada@example.test").unwrap() };
    let open = OpenRemoteSession {
        session: RemoteSessionId::from_bytes([7; 16]),
        kind,
        access: Access::Control,
        joins: Entry::Opens,
        client_key,
        run_as: None,
        columns: if kind == RemoteKind::Terminal { 80 } else { 0 },
        rows: if kind == RemoteKind::Terminal { 24 } else { 0 },
        consent: Consent::None,
        record: Record::Session,
        ask_secs: 0,
        unanswered: Unanswered::Refuse,
        clipboard: Clipboard::Off,
        virtual_display: VirtualDisplay::Never,
        idle_secs: 1800,
        max_secs: 43_200,
    };
    let body = GrantBody {
        r#type: GrantType::V1,
        id: GrantId::from_bytes([5; 16]),
        tenant,
        class: Class::OneDevice,
        action: GrantAction::OpenRemoteSession(open),
        targets: TargetTree::build(tenant, [device.id()]).unwrap().targets(),
        not_before: now,
        expires: now.plus_secs(840),
        nonce: Hex([9; 16]),
        requested_by: ada.clone(),
    };
    let proof = FactorProof { user: ada.user, email: ada.email, method: ProofMethod::StepUp, at: now };
    attest::sign(body.into_envelope().unwrap(), vec![proof], &SigningKey::from_bytes(&[0x44; 32])).unwrap().to_bytes()
}

pub(super) fn grant() -> Vec<u8> {
    grant_for(client_secret().public(), &VerifyKey::of(&device_key()), RemoteKind::Terminal)
}

fn terms() -> Terms {
    Terms::of_client(&grant(), &VerifyKey::of(&device_key()), client_secret().public()).unwrap()
}

/// Both ends and the messages between them.
struct Pair {
    ends: [StreamEnd; 2],
    between: [VecDeque<Vec<u8>>; 2],
    got: [Vec<Payload>; 2],
    now_ms: u64,
}

const CLIENT: usize = 0;
const DEVICE: usize = 1;

impl Pair {
    fn new() -> Self {
        Self::of(RemoteKind::Terminal)
    }

    fn of(kind: RemoteKind) -> Self {
        let (client_key, device_key) = (client_secret().public(), VerifyKey::of(&device_key()));
        let grant = grant_for(client_key, &device_key, kind);
        let client = StreamEnd::client(&grant, &device_key, client_secret()).unwrap();
        let terms = Terms::of_client(&grant, &device_key, client_key).unwrap();
        let device = StreamEnd::device(&terms, &super::tests::device_key(), &device_secret()).unwrap();
        Self { ends: [client, device], between: Default::default(), got: Default::default(), now_ms: 0 }
    }

    fn connected() -> Self {
        Self::new().up()
    }

    fn up(self) -> Self {
        let mut pair = self;
        pair.connect();
        pair.settle();
        pair
    }

    fn connect(&mut self) {
        self.ends.iter_mut().for_each(StreamEnd::connected);
        self.collect();
    }

    /// The link breaks, and what was on its way is lost.
    fn cut(&mut self) {
        self.ends.iter_mut().for_each(StreamEnd::disconnected);
        self.between.iter_mut().for_each(VecDeque::clear);
    }

    /// Takes what both ends want to send; `between[n]` comes from end `n`.
    fn collect(&mut self) {
        for (end, between) in self.ends.iter_mut().zip(&mut self.between) {
            between.extend(std::iter::from_fn(|| end.next_message()));
        }
    }

    fn deliver(&mut self, from: usize) -> Result<bool, StreamError> {
        let Some(message) = self.between[from].pop_front() else { return Ok(false) };
        self.give(1 - from, &message)?;
        Ok(true)
    }

    fn give(&mut self, to: usize, message: &[u8]) -> Result<(), StreamError> {
        let payload = self.ends[to].receive(message, self.now_ms)?;
        self.got[to].extend(payload);
        self.collect();
        Ok(())
    }

    fn settle(&mut self) {
        self.collect();
        while self.deliver(CLIENT).unwrap() | self.deliver(DEVICE).unwrap() {}
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.ends.iter_mut().for_each(|end| end.tick(self.now_ms).unwrap());
        self.settle();
    }

    fn send(&mut self, from: usize, text: &str) {
        self.ends[from].send(&data(text)).unwrap();
        self.collect();
    }
}

fn data(text: &str) -> Payload {
    Payload::data(0, text)
}

#[test]
fn what_one_end_sends_the_other_receives() {
    let mut pair = Pair::connected();
    assert!(pair.ends.iter().all(StreamEnd::is_up));
    pair.send(CLIENT, "ls\r");
    pair.send(DEVICE, "file\r\n");
    pair.ends[CLIENT].send(&Payload::control(&FromClient::Resize { columns: 80, rows: 24 })).unwrap();
    pair.settle();
    assert_eq!(pair.got[CLIENT], [data("file\r\n")]);
    let Payload::Control(json) = &pair.got[DEVICE][1] else { panic!("a control message") };
    assert_eq!(read_control(json), Ok(FromClient::Resize { columns: 80, rows: 24 }));
}

#[test]
fn everything_sent_is_acknowledged_and_let_go() {
    let mut pair = Pair::connected();
    pair.send(DEVICE, "x");
    pair.settle();
    assert!(!pair.ends[DEVICE].is_drained());
    assert_eq!(pair.ends[CLIENT].deadline_ms(), Some(limits::STREAM_ACK_MILLIS));
    pair.pass(limits::STREAM_ACK_MILLIS);
    assert!(pair.ends[DEVICE].is_drained());
    pair.pass(1000);
    assert_eq!(pair.ends.each_ref().map(StreamEnd::deadline_ms), [None, None], "acknowledgements are not acknowledged for ever");
}

#[test]
fn an_end_that_is_not_acknowledged_stops_sending() {
    let mut pair = Pair::connected();
    let mut sent = 0;
    while pair.ends[DEVICE].room() == limits::STREAM_PAYLOAD_BYTES {
        pair.ends[DEVICE].send(&Payload::data(0, vec![7; limits::STREAM_PAYLOAD_BYTES])).unwrap();
        sent += 1;
    }
    assert_eq!(sent, 7);
    assert_eq!(pair.ends[DEVICE].send(&Payload::data(0, vec![7; limits::STREAM_PAYLOAD_BYTES])), Err(SendError::Full));
    assert!(pair.ends[DEVICE].kept_bytes() <= limits::STREAM_UNACKED_BYTES);
    pair.settle();
    assert_eq!(pair.ends[DEVICE].room(), limits::STREAM_PAYLOAD_BYTES, "32 KiB are acknowledged at once");
}

#[test]
fn files_are_sent_far_ahead_and_nothing_else_is() {
    for kind in RemoteKind::ALL {
        let most = if kind == RemoteKind::Files { limits::FILES_UNACKED_BYTES } else { limits::STREAM_UNACKED_BYTES };
        let mut pair = Pair::of(kind).up();
        for end in &mut pair.ends {
            while end.room() == limits::STREAM_PAYLOAD_BYTES {
                end.send(&Payload::data(0, vec![7; limits::STREAM_PAYLOAD_BYTES])).unwrap();
            }
            let kept = end.kept_bytes();
            assert!(kept <= most && kept + 2 * limits::STREAM_PAYLOAD_BYTES > most, "{kind:?}: {kept}");
        }
    }
}

#[test]
fn an_end_that_was_held_back_goes_on_as_soon_as_it_is_let() {
    let mut pair = Pair::connected();
    pair.ends[CLIENT].set_flow(Flow::Held);
    while pair.ends[DEVICE].room() == limits::STREAM_PAYLOAD_BYTES {
        pair.ends[DEVICE].send(&Payload::data(0, vec![7; limits::STREAM_PAYLOAD_BYTES])).unwrap();
    }
    pair.settle();
    assert!(pair.ends[DEVICE].room() < limits::STREAM_PAYLOAD_BYTES, "nothing is acknowledged while it is held");
    pair.ends[CLIENT].set_flow(Flow::Open);
    pair.settle();
    assert!(pair.ends[DEVICE].is_drained(), "no time has to pass");
}

#[test]
fn a_stream_in_one_direction_goes_on_for_ever() {
    let mut pair = Pair::connected();
    for _ in 0..10_000 {
        pair.ends[DEVICE].send(&Payload::data(0, vec![1; 4096])).unwrap();
        pair.settle();
        pair.got[CLIENT].clear();
    }
    assert!(
        pair.ends[CLIENT].kept_bytes() <= limits::STREAM_UNACKED_BYTES / limits::STREAM_ACKS_PER_WINDOW + 100,
        "{}",
        pair.ends[CLIENT].kept_bytes()
    );
}

#[test]
fn a_peer_that_acknowledges_nothing_is_left() {
    let mut pair = Pair::connected();
    let mut refused = None;
    for _ in 0..limits::STREAM_UNACKED_BYTES {
        pair.send(DEVICE, "x");
        let message = pair.between[DEVICE].pop_back().unwrap();
        pair.between[DEVICE].clear();
        // Its own frames are let go, as those of a peer that keeps none.
        let next = u64::from_be_bytes(message[..8].try_into().unwrap()) + 1;
        pair.ends[DEVICE].forget(next);
        pair.now_ms += limits::STREAM_ACK_MILLIS;
        if let Err(error) = pair.ends[CLIENT].receive(&message, pair.now_ms).and_then(|_| pair.ends[CLIENT].tick(pair.now_ms + 50)) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused, Some(StreamError::NoAcknowledgement));
    assert!(pair.ends[CLIENT].kept_bytes() <= limits::STREAM_UNACKED_BYTES + limits::STREAM_UNACKED_ACK_BYTES);
}

#[test]
fn a_broken_link_loses_and_doubles_nothing() {
    let mut pair = Pair::connected();
    pair.send(DEVICE, "1");
    pair.send(DEVICE, "2");
    pair.deliver(DEVICE).unwrap();
    pair.cut();
    pair.ends[DEVICE].send(&data("3")).unwrap();
    pair.connect();
    pair.settle();
    assert_eq!(pair.got[CLIENT], ["1", "2", "3"].map(data));
}

#[test]
fn what_is_typed_before_the_answer_waits_for_keys() {
    let mut pair = Pair::new();
    assert_eq!((pair.ends[CLIENT].room(), pair.ends[CLIENT].send(&data("x"))), (0, Err(SendError::Full)));
    pair.connect();
    pair.deliver(DEVICE).unwrap();
    assert!(pair.ends[CLIENT].room() > 0);
}

#[test]
fn a20_a_stream_that_ended_never_goes_on() {
    let mut pair = Pair::connected();
    assert_eq!(pair.give(CLIENT, &[1; 40]), Err(StreamError::OutOfOrder));
    pair.send(DEVICE, "x");
    assert_eq!(pair.deliver(DEVICE), Err(StreamError::OutOfOrder));
    assert_eq!(pair.ends[CLIENT].send(&data("x")), Err(SendError::Over(StreamError::OutOfOrder)));
    pair.cut();
    pair.connect();
    assert_eq!(pair.ends[CLIENT].next_message(), None);
}

#[test]
fn an_answer_of_another_device_or_to_another_grant_is_refused() {
    let other_key = SigningKey::from_bytes(&[0x55; 32]);
    let other_grant = Terms { grant: GrantId::from_bytes([6; 16]), ..terms() };
    let other_session = Terms { session: RemoteSessionId::from_bytes([8; 16]), ..terms() };
    let other_client = Terms { client_key: StreamSecret::from_bytes([1; 32]).public(), ..terms() };
    let cases = [
        (terms(), other_key, TermsError::NotSigned),
        (other_grant, device_key(), TermsError::OtherGrant),
        (other_session, device_key(), TermsError::OtherGrant),
        (other_client, device_key(), TermsError::OtherGrant),
    ];
    for (terms, key, expected) in cases {
        let mut device = StreamEnd::device(&terms, &key, &device_secret()).unwrap();
        let mut pair = Pair::new();
        pair.ends[CLIENT].connected();
        device.connected();
        let answer = device.next_message().unwrap();
        assert_eq!(pair.give(CLIENT, &answer), Err(StreamError::Answer(expected)));
    }
}

#[test]
fn a26_a_grant_for_another_key_or_device_makes_no_stream() {
    let other = VerifyKey::of(&SigningKey::from_bytes(&[0x55; 32]));
    let client = |device: &VerifyKey, secret| StreamEnd::client(&grant(), device, secret).map(|_| ()).unwrap_err();
    assert_eq!(client(&other, client_secret()), StreamError::Answer(TermsError::OtherDevice));
    let device = VerifyKey::of(&device_key());
    assert_eq!(client(&device, StreamSecret::from_bytes([1; 32])), StreamError::Answer(TermsError::OtherClient));
    let nothing = StreamEnd::client(b"{}", &device, client_secret()).map(|_| ()).unwrap_err();
    assert_eq!(nothing, StreamError::Answer(TermsError::NotAGrant));
}

#[test]
fn a_key_of_small_order_is_refused() {
    let weak = Terms { client_key: Hex([0; 32]), ..terms() };
    assert_eq!(StreamEnd::device(&weak, &device_key(), &device_secret()).map(|_| ()), Err(StreamError::WeakKey));
}

#[test]
fn another_grant_makes_other_keys() {
    let mut pair = Pair::new();
    let elsewhere = Terms { digest: sallyport_model::Digest::from_bytes([1; 32]), ..terms() };
    pair.ends[DEVICE] = StreamEnd::device(&elsewhere, &device_key(), &device_secret()).unwrap();
    pair.connect();
    pair.deliver(DEVICE).unwrap();
    assert_eq!(pair.deliver(DEVICE), Err(StreamError::Forged));
}

#[test]
fn a_second_answer_is_the_first_one() {
    let mut pair = Pair::connected();
    pair.cut();
    let mut other = StreamEnd::device(&terms(), &device_key(), &StreamSecret::from_bytes([0x66; 32])).unwrap();
    other.connected();
    pair.ends[CLIENT].connected();
    assert_eq!(pair.give(CLIENT, &other.next_message().unwrap()), Err(StreamError::OtherAnswer));
}

#[test]
fn a_connection_cannot_begin_with_an_old_resume() {
    let mut pair = Pair::new();
    pair.connect();
    let old: Vec<_> = pair.between[DEVICE].iter().cloned().collect();
    pair.settle();
    pair.cut();
    pair.ends[CLIENT].connected();
    pair.give(CLIENT, &old[0]).unwrap();
    assert_eq!(pair.give(CLIENT, &old[1]), Err(StreamError::Replayed));
}

#[test]
fn frames_do_not_come_before_the_resume() {
    let mut pair = Pair::connected();
    pair.send(CLIENT, "x");
    let frame = pair.between[CLIENT].pop_front().unwrap();
    pair.cut();
    pair.connect();
    assert_eq!(pair.give(DEVICE, &frame), Err(StreamError::OutOfTurn));
}

#[test]
fn a_resume_within_a_connection_is_refused() {
    let mut pair = Pair::new();
    pair.connect();
    let resume = pair.between[DEVICE][1].clone();
    pair.settle();
    assert_eq!(pair.give(CLIENT, &resume), Err(StreamError::OutOfTurn));
}

#[test]
fn control_messages_are_strict() {
    for wrong in [
        &br#"{"t":"resize","columns":80}"#[..],
        br#"{"t":"resize","columns":80,"rows":24,"more":1}"#,
        br#"{"t":"resize","columns":80,"columns":81,"rows":24}"#,
        br#"{"t":"sigh"}"#,
        br#"{"t":"resize","columns":80,"rows":2.5}"#,
    ] {
        assert_eq!(read_control::<FromClient>(wrong), Err(StreamError::Payload), "{}", String::from_utf8_lossy(wrong));
    }
    let exit = FromDevice::Exit { code: Some(0), signal: None };
    let Payload::Control(json) = Payload::control(&exit) else { panic!("a control message") };
    assert_eq!(String::from_utf8(json.clone()).unwrap(), r#"{"t":"exit","code":0,"signal":null}"#);
    assert_eq!(read_control(&json), Ok(exit));
}

/// What may happen to a stream with an honest network.
#[derive(Debug, Clone)]
enum Step {
    Send(usize, Vec<u8>),
    Deliver(usize, usize),
    Cut,
    Connect,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..2, prop_oneof![9 => proptest::collection::vec(any::<u8>(), 0..200), 1 => Just(vec![3; limits::STREAM_PAYLOAD_BYTES])])
            .prop_map(|(from, bytes)| Step::Send(from, bytes)),
        4 => (0usize..2, 1usize..9).prop_map(|(from, count)| Step::Deliver(from, count)),
        1 => Just(Step::Cut),
        2 => Just(Step::Connect),
        1 => (0u64..120).prop_map(Step::Pass),
    ]
}

/// What an attacker between the ends does to messages on their way.
#[derive(Debug, Clone)]
enum Attack {
    Flip(Index, u8),
    Drop,
    Repeat,
    Swap,
    Inject(Vec<u8>),
    Reflect,
    Shorten(Index),
}

fn attack() -> impl Strategy<Value = Attack> {
    prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Attack::Flip(at, bits)),
        Just(Attack::Drop),
        Just(Attack::Repeat),
        Just(Attack::Swap),
        proptest::collection::vec(any::<u8>(), 0..80).prop_map(Attack::Inject),
        Just(Attack::Reflect),
        any::<Index>().prop_map(Attack::Shorten),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_the_network_does_nothing_is_lost_or_doubled(steps in proptest::collection::vec(step(), 1..120)) {
        let mut pair = Pair::new();
        let mut sent: [Vec<Payload>; 2] = Default::default();
        let mut is_connected = false;
        for step in steps {
            match step {
                Step::Send(from, bytes) => {
                    let payload = Payload::data(1, bytes);
                    if pair.ends[from].send(&payload).is_ok() { sent[from].push(payload); }
                    pair.collect();
                }
                Step::Deliver(from, count) => for _ in 0..count { pair.deliver(from).unwrap(); },
                Step::Cut => { pair.cut(); is_connected = false; }
                Step::Connect if !is_connected => { pair.connect(); is_connected = true; }
                Step::Connect => {}
                Step::Pass(ms) => {
                    pair.now_ms += ms;
                    pair.ends.iter_mut().for_each(|end| end.tick(pair.now_ms).unwrap());
                    pair.collect();
                }
            }
            for end in &pair.ends {
                prop_assert!(end.kept_bytes() <= limits::STREAM_UNACKED_BYTES + limits::STREAM_UNACKED_ACK_BYTES);
            }
        }
        pair.cut();
        pair.connect();
        pair.settle();
        pair.pass(1000);
        prop_assert_eq!(&pair.got[DEVICE], &sent[CLIENT]);
        prop_assert_eq!(&pair.got[CLIENT], &sent[DEVICE]);
    }

    #[test]
    fn a_relay_that_reads_injects_reorders_drops_or_replays_is_noticed_at_once(
        before in 0usize..4, attack in attack(), to in 0usize..2,
    ) {
        let mut pair = Pair::connected();
        let from = 1 - to;
        for n in 0..before { pair.send(from, &format!("before {n}")); }
        pair.settle();
        let got = pair.got[to].clone();
        for text in ["secret 1", "secret 2", "secret 3"] { pair.send(from, text); pair.send(to, text); }
        let on_the_way: Vec<_> = pair.between[from].drain(..).collect();
        prop_assert!(on_the_way.iter().all(|message| !message.windows(6).any(|bytes| bytes == b"secret")));
        let mut forged = on_the_way[0].clone();
        let bad = match attack {
            Attack::Flip(at, bits) => { let at = at.index(forged.len()); forged[at] ^= bits; forged }
            Attack::Drop | Attack::Swap => on_the_way[1].clone(),
            Attack::Repeat => { pair.give(to, &forged).unwrap(); forged }
            Attack::Inject(bytes) => bytes,
            Attack::Reflect => pair.between[to][0].clone(),
            Attack::Shorten(at) => { forged.truncate(at.index(forged.len())); forged }
        };
        let taken = pair.got[to].len();
        let error = pair.give(to, &bad).unwrap_err();
        prop_assert_eq!(pair.ends[to].over(), Some(error));
        prop_assert_eq!(pair.give(to, &on_the_way[1]), Err(error), "no way on");
        prop_assert_eq!(pair.got[to].len(), taken);
        prop_assert!(pair.got[to].len() <= got.len() + 1);
    }

    #[test]
    fn arbitrary_messages_never_panic(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..6), to in 0usize..2, begun in any::<bool>(),
    ) {
        let mut pair = if begun { Pair::connected() } else { Pair::new() };
        pair.ends[to].connected();
        for message in messages { let _ = pair.ends[to].receive(&message, 0); }
        let _ = pair.ends[to].tick(100);
        while pair.ends[to].next_message().is_some() {}
    }

    #[test]
    fn arbitrary_plaintexts_never_panic(plaintext in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(message::Plain::Payload(payload)) = message::Plain::parse(&plaintext) {
            prop_assert_eq!(payload.to_plaintext().unwrap(), plaintext.clone());
        }
        let _ = read_control::<FromClient>(&plaintext);
    }
}
