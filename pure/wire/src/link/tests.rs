use proptest::prelude::*;
use prost::Message;
use sallyport_grant::keys::sign;
use sallyport_grant::sha256;

use super::*;
use crate::frame::PIECE_BYTES;
use crate::testing::{all_to_agent, all_to_server, claims, device_secret, inventory, process, seal_key};
use crate::{Initiator, LinkKey, LinkSecret, Responder, pb};

fn secret() -> LinkSecret {
    LinkSecret::from_bytes([7; 32])
}

fn channels(seed: u8) -> (Channel, AwaitingHello) {
    let (initiator, first) = Initiator::start(&secret().link_key(), [seed; 32]);
    let (awaiting, reply) = Responder::new(&secret(), [seed + 1; 32]).answer(&first).unwrap();
    (initiator.finish(&reply).unwrap(), awaiting)
}

fn links() -> (AgentLink, ServerLink) {
    let (channel, awaiting) = channels(1);
    let (agent, frame) = channel.say_hello(&claims(), &seal_key(), &device_secret()).unwrap();
    let (_, server) = awaiting.open_hello(&frame).unwrap();
    (agent, server)
}

/// Links after a welcome, so that large messages may come.
fn welcomed() -> (AgentLink, ServerLink) {
    let (mut agent, mut server) = links();
    let frames = server.send(&all_to_agent()[0]).unwrap();
    assert!(agent.receive(&frames[0]).unwrap().is_some());
    (agent, server)
}

fn large() -> ToServer {
    let mut inventory = inventory();
    inventory.processes = (0..2_000).map(|pid| process(pid, &"a".repeat(1000))).collect();
    ToServer::from(inventory)
}

fn closed(server: &mut ServerLink) {
    assert_eq!(server.receive(&[0; 40]), Err(LinkError::Closed));
    assert_eq!(server.send(&all_to_agent()[0]), Err(LinkError::Closed));
}

#[test]
fn both_ends_agree_on_one_handshake() {
    let (channel, awaiting) = channels(1);
    assert_eq!(channel.handshake_hash(), awaiting.handshake_hash());
    assert_ne!(channel.handshake_hash(), channels(3).0.handshake_hash());
}

#[test]
fn the_hello_names_the_device_that_signed_it() {
    let (channel, awaiting) = channels(1);
    let (_, frame) = channel.say_hello(&claims(), &seal_key(), &device_secret()).unwrap();
    let (hello, _) = awaiting.open_hello(&frame).unwrap();
    assert_eq!(hello.device_key().as_bytes(), &device_secret().verifying_key().to_bytes());
    assert_eq!(hello.seal_key(), &seal_key());
    assert_eq!(hello.claims(), &claims());
    assert!(!format!("{hello:?}").contains("6, 6"), "the token's secret is not printed");
}

#[test]
fn every_message_crosses_the_link() {
    let (mut agent, mut server) = welcomed();
    for message in all_to_server().into_iter().chain([large()]) {
        let frames = agent.send(&message).unwrap();
        let arrived: Vec<_> = frames.iter().map(|frame| server.receive(frame).unwrap()).collect();
        assert_eq!(arrived.last().unwrap().as_ref(), Some(&message));
        assert!(arrived[..arrived.len() - 1].iter().all(Option::is_none));
        assert!(frames.iter().all(|frame| frame.len() <= limits::CUT_FRAME_BYTES));
    }
    for message in all_to_agent() {
        let frames = server.send(&message).unwrap();
        let arrived = frames.iter().map(|frame| agent.receive(frame).unwrap()).last();
        assert_eq!(arrived.flatten(), Some(message));
    }
}

#[test]
fn a_server_without_the_pinned_key_is_refused() {
    let (initiator, first) = Initiator::start(&secret().link_key(), [1; 32]);
    let other = LinkSecret::from_bytes([8; 32]);
    assert_eq!(Responder::new(&other, [2; 32]).answer(&first).err(), Some(LinkError::Handshake));
    let (_, to_other) = Initiator::start(&other.link_key(), [1; 32]);
    let (_, reply) = Responder::new(&other, [2; 32]).answer(&to_other).unwrap();
    assert_eq!(initiator.finish(&reply).err(), Some(LinkError::Handshake));
}

#[test]
fn a_changed_handshake_is_refused() {
    let (_, first) = Initiator::start(&secret().link_key(), [1; 32]);
    for at in 0..first.len() {
        let mut changed = first.clone();
        changed[at] ^= 1;
        assert_eq!(Responder::new(&secret(), [2; 32]).answer(&changed).err(), Some(LinkError::Handshake), "byte {at}");
    }
    for length in [0, 31, 47, 49, 70_000] {
        assert_eq!(Responder::new(&secret(), [2; 32]).answer(&vec![1; length]).err(), Some(LinkError::Handshake));
    }
    let (_, reply) = Responder::new(&secret(), [2; 32]).answer(&first).unwrap();
    for at in 0..reply.len() {
        let mut changed = reply.clone();
        changed[at] ^= 1;
        let (initiator, _) = Initiator::start(&secret().link_key(), [1; 32]);
        assert_eq!(initiator.finish(&changed).err(), Some(LinkError::Handshake), "byte {at}");
    }
}

#[test]
fn a_changed_frame_ends_the_link() {
    let (mut agent, mut server) = welcomed();
    let mut frame = agent.send(&all_to_server()[1]).unwrap().remove(0);
    frame[3] ^= 1;
    assert_eq!(server.receive(&frame), Err(LinkError::Forged));
    closed(&mut server);
}

#[test]
fn repeated_reordered_and_lost_frames_end_the_link() {
    for order in [&[0, 0][..], &[1, 0], &[0, 2]] {
        let (mut agent, mut server) = welcomed();
        let frames: Vec<_> = (0..3).map(|_| agent.send(&all_to_server()[1]).unwrap().remove(0)).collect();
        let last = order.iter().map(|at| server.receive(&frames[*at])).find(Result::is_err);
        assert_eq!(last, Some(Err(LinkError::Forged)), "{order:?}");
        closed(&mut server);
    }
}

#[test]
fn a_frame_is_not_accepted_back_by_its_sender() {
    let (mut agent, _) = welcomed();
    let frame = agent.send(&all_to_server()[1]).unwrap().remove(0);
    assert_eq!(agent.receive(&frame), Err(LinkError::Forged));
}

/// A hello whose parts are chosen freely, as a hostile agent would.
fn forged_hello(signer: &SigningKey, device_key: [u8; 32], hash: &[u8; 32], claims: Vec<u8>) -> Vec<u8> {
    let digest = sha256(&[&claims]);
    let signed = [b"sallyport-hello/1\n".as_slice(), hash.as_slice(), &seal_key().0, digest.as_bytes()].concat();
    let hello =
        pb::Hello { device_key: device_key.to_vec(), seal_key: seal_key().0.to_vec(), signature: sign(signer, &signed).to_vec(), claims };
    pb::AgentMessage { body: Some(pb::agent_message::Body::Hello(hello)) }.encode_to_vec()
}

fn open_forged(make: impl Fn(&[u8; 32]) -> Vec<u8>) -> Option<LinkError> {
    let (mut channel, awaiting) = channels(1);
    let hash = *channel.handshake_hash();
    let frame = channel.seal_frame(&crate::frame::whole(&make(&hash))).unwrap();
    awaiting.open_hello(&frame).err()
}

#[test]
fn the_forging_helper_makes_a_good_hello_when_nothing_is_forged() {
    let key = device_secret();
    assert_eq!(open_forged(|hash| forged_hello(&key, key.verifying_key().to_bytes(), hash, vec![])), None);
}

#[test]
fn a_hello_by_another_key_is_refused() {
    let (victim, thief) = (device_secret(), SigningKey::from_bytes(&[66; 32]));
    let refused = open_forged(|hash| forged_hello(&thief, victim.verifying_key().to_bytes(), hash, vec![]));
    assert_eq!(refused, Some(LinkError::Hello(HelloError::WrongSignature)));
}

#[test]
fn a_hello_of_another_handshake_is_refused() {
    let key = device_secret();
    let refused = open_forged(|_| forged_hello(&key, key.verifying_key().to_bytes(), &[0; 32], vec![]));
    assert_eq!(refused, Some(LinkError::Hello(HelloError::WrongSignature)));
}

#[test]
fn a_hello_with_changed_claims_or_seal_key_is_refused() {
    let key = device_secret();
    for field in 0..2 {
        let refused = open_forged(|hash| {
            let bytes = forged_hello(&key, key.verifying_key().to_bytes(), hash, vec![10, 1, b'1']);
            let mut message = pb::AgentMessage::decode(&bytes[..]).unwrap();
            let Some(pb::agent_message::Body::Hello(hello)) = &mut message.body else { panic!("a hello") };
            if field == 0 {
                hello.claims[2] = b'2';
            } else {
                hello.seal_key[0] ^= 1;
            }
            message.encode_to_vec()
        });
        assert_eq!(refused, Some(LinkError::Hello(HelloError::WrongSignature)));
    }
}

#[test]
fn a_hello_with_a_key_of_small_order_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    for weak in [[0; 32], identity] {
        let refused = open_forged(|hash| forged_hello(&device_secret(), weak, hash, vec![]));
        assert_eq!(refused, Some(LinkError::Hello(HelloError::NotAKey)));
    }
}

#[test]
fn nothing_but_a_hello_opens_the_link() {
    for message in all_to_server() {
        let refused = open_forged(|_| message.encode().unwrap());
        assert!([Some(LinkError::Hello(HelloError::Message(MessageError::OutOfPhase))), Some(LinkError::FrameTooLong)].contains(&refused));
    }
}

#[test]
fn a_hello_that_is_too_long_or_goes_on_is_refused() {
    assert_eq!(open_forged(|_| vec![0; limits::HELLO_BYTES + 1]), Some(LinkError::FrameTooLong));
    assert_eq!(open_forged(|_| vec![0; 60_000]), Some(LinkError::FrameTooLong));
    let too_long = Some(LinkError::Frame(FrameError::TooLong(limits::HELLO_BYTES)));
    let (mut channel, awaiting) = channels(1);
    let frame = channel.seal_frame(&[1, 10, 0]).unwrap();
    assert_eq!(awaiting.open_hello(&frame).err(), too_long);
    for (plain, error) in [(vec![], FrameError::ShortPiece), (vec![0], FrameError::ShortPiece), (vec![2, 0], FrameError::UnknownFlag)] {
        let (mut channel, awaiting) = channels(1);
        let frame = channel.seal_frame(&plain).unwrap();
        assert_eq!(awaiting.open_hello(&frame).err(), Some(LinkError::Frame(error)));
    }
}

#[test]
fn a_device_that_is_not_welcome_may_say_little() {
    let (mut agent, mut server) = links();
    assert_eq!(refused(&mut agent, &mut server), Some(LinkError::Frame(FrameError::TooLong(limits::HELLO_BYTES))));
    let (mut agent, mut server) = links();
    let unknown = UnsignedToAgent::Welcome { state: DeviceState::Unknown, server_time: Default::default(), device: None, tenant: None };
    server.send(&unknown.into()).unwrap();
    assert_eq!(refused(&mut agent, &mut server), Some(LinkError::Frame(FrameError::TooLong(limits::HELLO_BYTES))));
}

/// Why a large message does not get through.
fn refused(agent: &mut AgentLink, server: &mut ServerLink) -> Option<LinkError> {
    agent.send(&large()).unwrap().iter().find_map(|frame| server.receive(frame).err())
}

/// Sends plaintexts of frames as a hostile agent would, and yields the first error.
fn send_plain(frames: impl IntoIterator<Item = Vec<u8>>) -> Option<LinkError> {
    let (mut agent, mut server) = welcomed();
    for plain in frames {
        let frame = agent.0.0.as_mut().unwrap().channel.seal_frame(&plain).unwrap();
        if let Err(error) = server.receive(&frame) {
            closed(&mut server);
            return Some(error);
        }
    }
    None
}

#[test]
fn a_message_without_an_end_is_refused() {
    let mut full = vec![0; 1 + PIECE_BYTES];
    full[0] = 1;
    assert_eq!(
        send_plain(std::iter::repeat_n(full, limits::MESSAGE_BYTES / PIECE_BYTES + 1)),
        Some(LinkError::Frame(FrameError::TooLong(limits::MESSAGE_BYTES)))
    );
    assert_eq!(send_plain(std::iter::repeat(vec![1])), Some(LinkError::Frame(FrameError::ShortPiece)));
    assert_eq!(send_plain(std::iter::repeat(vec![1, 0])), Some(LinkError::Frame(FrameError::ShortPiece)));
}

#[test]
fn odd_frames_are_refused() {
    assert_eq!(send_plain([vec![]]), Some(LinkError::Frame(FrameError::ShortPiece)));
    assert_eq!(send_plain([vec![0]]), Some(LinkError::Frame(FrameError::ShortPiece)));
    assert_eq!(send_plain([vec![2, 0]]), Some(LinkError::Frame(FrameError::UnknownFlag)));
    assert_eq!(send_plain([vec![0; 2 + PIECE_BYTES]]), Some(LinkError::Frame(FrameError::LongPiece)));
    assert_eq!(send_plain([vec![0, 0]]), Some(LinkError::Message(MessageError::Malformed)));
    let (_, mut server) = welcomed();
    assert_eq!(server.receive(&vec![0; limits::FRAME_BYTES + 1]), Err(LinkError::FrameTooLong));
    closed(&mut server);
}

#[test]
fn what_cannot_be_sent_is_our_fault_and_ends_the_link() {
    let (mut agent, _) = welcomed();
    let message = ToServer::RunEnded { grant: crate::testing::grant(), receipt: vec![0; limits::RECEIPT_BYTES + 1] };
    let error = agent.send(&message).unwrap_err();
    assert_eq!((error.fault(), error.code()), (Fault::Ours, "link_unsendable"));
    assert_eq!(LinkError::Forged.fault(), Fault::Peer);
}

#[test]
fn an_idle_link_is_small() {
    let (mut agent, mut server) = welcomed();
    for frame in agent.send(&large()).unwrap() {
        server.receive(&frame).unwrap();
    }
    let live = server.0.0.as_ref().unwrap();
    assert_eq!(live.reassembly.held_bytes(), 0);
    let noise = size_of::<snow::TransportState>() + 2 * 64;
    assert!(size_of::<ServerLink>() + noise < 512, "{} + {noise}", size_of::<ServerLink>());
}

#[test]
fn reassembly_holds_no_more_than_the_limit() {
    let mut reassembly = Reassembly::default();
    let mut full = vec![0; 1 + PIECE_BYTES];
    full[0] = 1;
    while reassembly.add(full.clone(), limits::MESSAGE_BYTES).is_ok() {
        assert!(reassembly.held_bytes() <= limits::MESSAGE_BYTES);
    }
}

fn reassembled(length: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut reassembly = Reassembly::default();
    let mut frames = crate::frame::cut(&vec![5; length]).map(|frame| reassembly.add(frame, limits::MESSAGE_BYTES)).collect::<Vec<_>>();
    frames.pop().unwrap()
}

#[test]
fn limits_and_piece_borders_are_exact() {
    for length in [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, limits::MESSAGE_BYTES] {
        assert_eq!(reassembled(length), Ok(Some(vec![5; length])), "{length}");
    }
    assert_eq!(reassembled(limits::MESSAGE_BYTES + 1), Err(FrameError::TooLong(limits::MESSAGE_BYTES)));
    assert_eq!(crate::frame::cut(&vec![5; 2 * PIECE_BYTES]).count(), 2);
}

/// The bytes of one handshake and hello, as any other implementation would make them.
#[test]
fn the_handshake_is_the_published_vector() {
    let (initiator, first) = Initiator::start(&secret().link_key(), [1; 32]);
    let (awaiting, reply) = Responder::new(&secret(), [2; 32]).answer(&first).unwrap();
    let channel = initiator.finish(&reply).unwrap();
    let hash = hex::encode(channel.handshake_hash());
    let plain = hello::sign(&claims(), &seal_key(), &device_secret(), channel.handshake_hash()).unwrap();
    let (_, frame) = channel.say_hello(&claims(), &seal_key(), &device_secret()).unwrap();
    awaiting.open_hello(&frame).unwrap();
    let key = hex::encode(secret().link_key().as_bytes());
    let made = [("link_key", key), ("first", hex::encode(first)), ("reply", hex::encode(reply)), ("handshake_hash", hash)];
    let made: Vec<(&str, String)> = made.into_iter().chain([("hello", hex::encode(plain)), ("hello_frame", hex::encode(frame))]).collect();
    let made: String = made.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    let published = include_str!("../../vectors/hello.txt");
    let published: String = published.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(made, published, "\n{made}");
}

proptest! {
    #[test]
    fn any_message_is_cut_and_put_together(length in 1usize..300_000) {
        let message: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut reassembly = Reassembly::default();
        let mut whole = None;
        for frame in crate::frame::cut(&message) {
            prop_assert!(whole.is_none());
            whole = reassembly.add(frame, limits::MESSAGE_BYTES).unwrap();
        }
        prop_assert_eq!(whole, Some(message));
    }

    #[test]
    fn arbitrary_bytes_open_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Responder::new(&secret(), [2; 32]).answer(&bytes).is_err());
        let (initiator, _) = Initiator::start(&LinkKey::from_bytes([9; 32]), [1; 32]);
        prop_assert!(initiator.finish(&bytes).is_err());
        prop_assert!(channels(1).1.open_hello(&bytes).is_err());
        prop_assert!(bytes.is_empty() || open_forged(|_| bytes.clone()).is_some());
        prop_assert!(welcomed().1.receive(&bytes).is_err());
        send_plain([bytes]);
    }
}
