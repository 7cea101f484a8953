use proptest::prelude::*;
use prost::Message;
use sallyport_model::{AgentText, limits};

use super::*;
use crate::testing::{all_to_agent, all_to_server, all_unsigned, inventory, offer, process};
use crate::{Interface, Inventory, ToAgent, ToServer, UNSIGNED_MESSAGES, pb};

fn agent_message(body: pb::agent_message::Body) -> Vec<u8> {
    pb::AgentMessage { body: Some(body) }.encode_to_vec()
}

/// An inventory message around hand-made inventory bytes.
fn raw_inventory(fields: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2 << 3 | 2];
    prost::encoding::encode_varint(fields.len() as u64, &mut bytes);
    bytes.extend_from_slice(fields);
    bytes
}

#[test]
fn every_message_comes_back_as_it_was() {
    for message in all_to_server() {
        assert_eq!(ToServer::decode(&message.encode().unwrap()), Ok(message));
    }
    for message in all_to_agent() {
        assert_eq!(ToAgent::decode(&message.encode().unwrap()), Ok(message));
    }
    assert_eq!(Inventory::from_bytes(&inventory().to_bytes().unwrap()), Ok(inventory()));
}

#[test]
fn the_list_of_unsigned_messages_is_the_enum() {
    let listed: Vec<&str> = UNSIGNED_MESSAGES.iter().map(|(name, _)| *name).collect();
    let variants: Vec<&str> = all_unsigned().iter().map(crate::UnsignedToAgent::name).collect();
    assert_eq!(listed, variants);
    assert!(UNSIGNED_MESSAGES.iter().all(|(_, why)| !why.is_empty()));
}

#[test]
fn the_list_of_unsigned_messages_is_the_definitions_without_the_offer() {
    let kinds: Vec<&str> = crate::shape::SERVER_MESSAGE.iter().map(|field| field.name).filter(|name| *name != "grant_offer").collect();
    let listed: Vec<&str> = UNSIGNED_MESSAGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, kinds);
}

#[test]
fn agents_text_is_tamed_on_arrival() {
    let mut hostile = inventory().to_pb();
    hostile.system.as_mut().unwrap().hostname = format!("<b>\n\u{202e}{}", "x".repeat(300));
    let bytes = agent_message(pb::agent_message::Body::Inventory(hostile));
    let Ok(ToServer::Inventory(inventory)) = ToServer::decode(&bytes) else { panic!("a tamed inventory") };
    assert_eq!(inventory.system.hostname, AgentText::tame(&format!("<b>\u{fffd}\u{fffd}{}", "x".repeat(250)), 255));
}

#[test]
fn a_field_longer_than_its_limit_is_refused() {
    let mut hostile = inventory().to_pb();
    hostile.system.as_mut().unwrap().hostname = "x".repeat(4 * limits::AGENT_NAME_CHARS + 1);
    let bytes = agent_message(pb::agent_message::Body::Inventory(hostile));
    assert_eq!(ToServer::decode(&bytes), Err(MessageError::FieldTooLong("hostname")));
    let chunk = vec![0; limits::OUTPUT_CHUNK_BYTES + 1];
    let output = pb::Output { grant: crate::testing::grant().to_string(), seq: 0, stream: 1, chunk };
    assert_eq!(ToServer::decode(&agent_message(pb::agent_message::Body::Output(output))), Err(MessageError::FieldTooLong("chunk")));
}

#[test]
fn lists_are_counted_before_they_are_decoded() {
    let processes = [9 << 3 | 2, 0].repeat(2_000_000);
    assert_eq!(ToServer::decode(&raw_inventory(&processes)), Err(MessageError::TooMany("processes")));
    let addresses = [3 << 3 | 2, 0].repeat(limits::ADDRESSES_PER_INTERFACE + 1);
    let mut interface = vec![5 << 3 | 2];
    prost::encoding::encode_varint(addresses.len() as u64, &mut interface);
    interface.extend_from_slice(&addresses);
    assert_eq!(ToServer::decode(&raw_inventory(&interface)), Err(MessageError::TooMany("addresses")));
    let mut offered = offer().to_pb();
    offered.secrets = vec![pb::SealedSecret::default(); limits::SECRETS + 1];
    let bytes = pb::ServerMessage { body: Some(pb::server_message::Body::GrantOffer(offered)) }.encode_to_vec();
    assert_eq!(ToAgent::decode(&bytes), Err(MessageError::TooMany("secrets")));
}

#[test]
fn a_single_field_cannot_come_twice() {
    let twice = [2 << 3 | 2, 0, 2 << 3 | 2, 0];
    assert_eq!(ToServer::decode(&raw_inventory(&twice)), Err(MessageError::TooMany("system")));
}

#[test]
fn a_message_has_exactly_one_known_body() {
    let heartbeat = all_to_server()[1].encode().unwrap();
    let two = [heartbeat.clone(), heartbeat].concat();
    for wrong in [&[][..], &two, &[15 << 3 | 2, 0], &[1 << 3, 1]] {
        let refused = ToServer::decode(wrong).unwrap_err();
        assert!(matches!(refused, MessageError::NotOneBody | MessageError::Malformed), "{wrong:?}: {refused}");
    }
}

#[test]
fn the_size_is_checked_first() {
    let bytes = vec![0; limits::MESSAGE_BYTES + 1];
    assert_eq!(ToServer::decode(&bytes), Err(MessageError::TooLong(limits::MESSAGE_BYTES)));
    assert_eq!(ToAgent::decode(&bytes), Err(MessageError::TooLong(limits::MESSAGE_BYTES)));
}

#[test]
fn impossible_values_are_named() {
    let output = |grant: &str, stream| {
        let output = pb::Output { grant: grant.to_owned(), seq: 0, stream, chunk: vec![] };
        ToServer::decode(&agent_message(pb::agent_message::Body::Output(output)))
    };
    let grant = crate::testing::grant().to_string();
    assert_eq!(output("run_0000000000000000000000000g", 1), Err(MessageError::Invalid("grant")));
    assert_eq!(output("", 1), Err(MessageError::Invalid("grant")));
    assert_eq!(output(&grant, 0), Err(MessageError::Invalid("stream")));
    assert_eq!(output(&grant, 77), Err(MessageError::Invalid("stream")));
    let mut offered = offer().to_pb();
    offered.target.as_mut().unwrap().hashes[1].pop();
    let decode = |offered: &pb::GrantOffer| {
        ToAgent::decode(&pb::ServerMessage { body: Some(pb::server_message::Body::GrantOffer(offered.clone())) }.encode_to_vec())
    };
    assert_eq!(decode(&offered), Err(MessageError::Invalid("hashes")));
    offered.target = Some(pb::Inclusion { index: 1 << 32, hashes: vec![] });
    assert_eq!(decode(&offered), Err(MessageError::Invalid("target")));
    offered.target = None;
    assert_eq!(decode(&offered), Err(MessageError::Missing("target")));
}

#[test]
fn a_hello_is_no_later_message() {
    let bytes = agent_message(pb::agent_message::Body::Hello(pb::Hello::default()));
    assert_eq!(ToServer::decode(&bytes), Err(MessageError::OutOfPhase));
}

#[test]
fn unknown_fields_of_newer_peers_are_skipped() {
    let known = inventory().to_bytes().unwrap();
    let unknown = [(99u32 << 3).to_le_bytes()[0] | 0x80 | 2, (99u32 << 3 >> 7) as u8, 3, 1, 2, 3].repeat(100);
    assert_eq!(Inventory::from_bytes(&[known, unknown].concat()), Ok(inventory()));
}

#[test]
fn what_the_other_side_would_refuse_is_not_sent() {
    let receipt = vec![0; limits::RECEIPT_BYTES + 1];
    let message = ToServer::RunEnded { grant: crate::testing::grant(), receipt };
    assert_eq!(message.encode(), Err(MessageError::FieldTooLong("receipt")));
}

#[test]
fn a_large_inventory_is_fitted_and_says_what_is_left_out() {
    let mut large = inventory();
    large.omitted = 0;
    large.processes = (0..6_000).map(|pid| process(pid, &"\u{fffd}".repeat(1024))).collect();
    large.interfaces = vec![Interface { addresses: vec![AgentText::tame("::1", 9); 70], ..large.interfaces[0].clone() }];
    let fitted = large.fitted();
    assert_eq!(fitted.processes.len(), 1_250);
    assert_eq!(fitted.omitted, 6_000 - 1_250 + 6);
    assert!(ToServer::from(fitted).encode().unwrap().len() <= limits::MESSAGE_BYTES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = ToServer::decode(&bytes);
        let _ = ToAgent::decode(&bytes);
        let _ = Inventory::from_bytes(&bytes);
        let _ = Inventory::from_bytes(&raw_inventory(&bytes));
    }

    #[test]
    fn changed_messages_never_panic_and_what_decodes_is_stable(
        kind in 0usize..5,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let change = |mut bytes: Vec<u8>| {
            for (at, byte) in &changes { let at = at.index(bytes.len()); bytes[at] = *byte; }
            if let Some(cut) = &cut { bytes.truncate(cut.index(bytes.len())); }
            bytes
        };
        let sent = all_to_server();
        if let Ok(message) = ToServer::decode(&change(sent[kind % sent.len()].encode().unwrap())) {
            prop_assert_eq!(ToServer::decode(&message.encode().unwrap()), Ok(message));
        }
        let sent = all_to_agent();
        for message in &sent {
            if let Ok(message) = ToAgent::decode(&change(message.encode().unwrap())) {
                prop_assert_eq!(ToAgent::decode(&message.encode().unwrap()), Ok(message));
            }
        }
    }
}
