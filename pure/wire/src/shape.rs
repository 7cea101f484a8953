//! How often each field may occur and how long it may be, and the walk that checks it.
//!
//! The walk allocates nothing. It runs before the decoder, because two bytes of an empty list
//! item become a hundred bytes in memory: without it, a message of the largest size could make
//! the server hold a hundred times that. Fields that are not in the tables are skipped, so that
//! a newer peer may add some; the decoder does not keep them.

use sallyport_model::limits;

use crate::message::MessageError;

/// One field of a message.
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) times: usize,
    pub(crate) kind: Kind,
}

/// What a field holds.
pub(crate) enum Kind {
    /// A varint or a fixed number.
    Number,
    /// Text or bytes, at most so many bytes.
    Bytes(usize),
    /// A message of this shape.
    Message(&'static [Field]),
}

/// Most fields of one message's table.
const FIELDS: usize = 16;

/// Checks counts and lengths of all known fields, at every depth.
pub(crate) fn check(bytes: &[u8], fields: &[Field]) -> Result<(), MessageError> {
    let mut counts = [0usize; FIELDS];
    let mut rest = bytes;
    while !rest.is_empty() {
        let item = next_item(&mut rest)?;
        let Some(at) = fields.iter().position(|field| field.number == item.number) else { continue };
        counts[at] += 1;
        if counts[at] > fields[at].times {
            return Err(MessageError::TooMany(fields[at].name));
        }
        check_item(&item, &fields[at])?;
    }
    Ok(())
}

/// Checks that there is exactly one field, and that it is known.
pub(crate) fn check_single(bytes: &[u8], fields: &[Field]) -> Result<(), MessageError> {
    let mut rest = bytes;
    if rest.is_empty() {
        return Err(MessageError::NotOneBody);
    }
    let item = next_item(&mut rest)?;
    match rest.is_empty() && fields.iter().any(|field| field.number == item.number) {
        true => Ok(()),
        false => Err(MessageError::NotOneBody),
    }
}

fn check_item(item: &Item<'_>, field: &Field) -> Result<(), MessageError> {
    match (&field.kind, item.body) {
        (Kind::Number, None) => Ok(()),
        (Kind::Bytes(most), Some(body)) if body.len() > *most => Err(MessageError::FieldTooLong(field.name)),
        (Kind::Bytes(_), Some(_)) => Ok(()),
        (Kind::Message(inner), Some(body)) => check(body, inner),
        (Kind::Number, Some(_)) | (Kind::Bytes(_) | Kind::Message(_), None) => Err(MessageError::Malformed),
    }
}

/// One field as it stands in the bytes; numbers have no body.
struct Item<'a> {
    number: u32,
    body: Option<&'a [u8]>,
}

/// Takes one field off the front. Groups are refused: nothing here has ever used them.
fn next_item<'a>(rest: &mut &'a [u8]) -> Result<Item<'a>, MessageError> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).map_err(|_| MessageError::Malformed)?;
    let body = match key & 7 {
        0 => varint(rest).map(|_| None)?,
        1 => take(rest, 8).map(|_| None)?,
        2 => {
            let length = varint(rest)?;
            Some(take(rest, usize::try_from(length).map_err(|_| MessageError::Malformed)?)?)
        }
        5 => take(rest, 4).map(|_| None)?,
        _ => return Err(MessageError::Malformed),
    };
    Ok(Item { number, body })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], MessageError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(MessageError::Malformed)?;
    *rest = left;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64, MessageError> {
    prost::encoding::decode_varint(rest).map_err(|_| MessageError::Malformed)
}

const fn number(number: u32, name: &'static str) -> Field {
    Field { number, name, times: 1, kind: Kind::Number }
}

const fn bytes(number: u32, name: &'static str, most: usize) -> Field {
    Field { number, name, times: 1, kind: Kind::Bytes(most) }
}

/// A short text. A character has at most four bytes.
const fn name(number: u32, name: &'static str) -> Field {
    bytes(number, name, 4 * limits::AGENT_NAME_CHARS)
}

/// A long text.
const fn text(number: u32, name: &'static str) -> Field {
    bytes(number, name, 4 * limits::AGENT_TEXT_CHARS)
}

const fn id(number: u32, name: &'static str) -> Field {
    bytes(number, name, ID_BYTES)
}

const fn message(number: u32, name: &'static str, inner: &'static [Field]) -> Field {
    Field { number, name, times: 1, kind: Kind::Message(inner) }
}

const fn list(number: u32, name: &'static str, inner: &'static [Field]) -> Field {
    Field { number, name, times: limits::INVENTORY_ITEMS, kind: Kind::Message(inner) }
}

/// An id as text: three letters, an underscore and 26 digits.
const ID_BYTES: usize = 30;
/// A key, a digest or a token secret.
const KEY_BYTES: usize = 32;
/// Encapsulated key, salt and authentication tag beside the value.
const SEALED_BYTES: usize = 32 + 32 + 16 + limits::ARGUMENT_BYTES;

pub(crate) const AGENT_MESSAGE: &[Field] = &[
    message(1, "hello", HELLO),
    message(2, "inventory", INVENTORY),
    message(3, "heartbeat", HEARTBEAT),
    message(4, "run_started", RUN_STARTED),
    message(5, "output", OUTPUT),
    message(6, "run_ended", RUN_ENDED),
    message(7, "recording", RECORDING),
];

pub(crate) const HELLO: &[Field] = &[
    bytes(1, "device_key", KEY_BYTES),
    bytes(2, "seal_key", KEY_BYTES),
    bytes(3, "signature", 64),
    bytes(4, "claims", limits::HELLO_BYTES),
];

pub(crate) const HELLO_CLAIMS: &[Field] = &[name(1, "agent_version"), message(2, "enrol", ENROL)];

pub(crate) const ENROL: &[Field] =
    &[id(1, "token_id"), bytes(2, "token_secret", KEY_BYTES), name(3, "hostname"), name(4, "os"), name(5, "arch")];

pub(crate) const INVENTORY: &[Field] = &[
    number(1, "collected_at"),
    message(2, "system", SYSTEM),
    message(3, "hardware", HARDWARE),
    list(4, "disks", DISK),
    list(5, "interfaces", INTERFACE),
    list(6, "signed_in", SIGNED_IN),
    list(7, "local_users", LOCAL_USER),
    list(8, "software", SOFTWARE),
    list(9, "processes", PROCESS),
    list(10, "services", SERVICE),
    number(11, "omitted"),
    list(12, "ports", LISTENING_PORT),
];
pub(crate) const LISTENING_PORT: &[Field] =
    &[name(1, "protocol"), name(2, "address"), number(3, "port"), number(4, "pid"), name(5, "process")];

pub(crate) const SYSTEM: &[Field] = &[
    name(1, "hostname"),
    name(2, "os_name"),
    name(3, "os_version"),
    name(4, "kernel"),
    name(5, "arch"),
    name(6, "timezone"),
    name(7, "agent_version"),
    number(8, "booted_at"),
];

pub(crate) const HARDWARE: &[Field] = &[
    name(1, "cpu_model"),
    number(2, "cores"),
    number(3, "memory_bytes"),
    name(4, "vendor"),
    name(5, "product"),
    name(6, "serial"),
    number(7, "is_virtual"),
];

pub(crate) const DISK: &[Field] =
    &[name(1, "device"), text(2, "mount"), name(3, "filesystem"), number(4, "total_bytes"), number(5, "free_bytes")];

pub(crate) const INTERFACE: &[Field] = &[
    name(1, "name"),
    name(2, "mac"),
    Field { number: 3, name: "addresses", times: limits::ADDRESSES_PER_INTERFACE, kind: Kind::Bytes(4 * limits::AGENT_NAME_CHARS) },
];

pub(crate) const SIGNED_IN: &[Field] = &[name(1, "name"), name(2, "terminal"), name(3, "origin"), number(4, "since")];

pub(crate) const LOCAL_USER: &[Field] = &[name(1, "name"), name(2, "id"), number(3, "is_administrator")];

pub(crate) const SOFTWARE: &[Field] = &[name(1, "name"), name(2, "version"), name(3, "source")];

pub(crate) const PROCESS: &[Field] = &[
    number(1, "pid"),
    number(2, "parent_pid"),
    name(3, "user"),
    name(4, "name"),
    text(5, "command_line"),
    number(6, "cpu_permille"),
    number(7, "memory_bytes"),
    number(8, "started_at"),
];

pub(crate) const SERVICE: &[Field] = &[name(1, "name"), text(2, "description"), number(3, "state"), number(4, "start")];

pub(crate) const HEARTBEAT: &[Field] =
    &[number(1, "sent_at"), number(2, "load_permille"), number(3, "memory_used_bytes"), number(4, "uptime_secs"), number(5, "signed_in")];

pub(crate) const RUN_STARTED: &[Field] = &[id(1, "grant"), number(2, "started_at")];

pub(crate) const OUTPUT: &[Field] = &[id(1, "grant"), number(2, "seq"), number(3, "stream"), bytes(4, "chunk", limits::OUTPUT_CHUNK_BYTES)];

pub(crate) const RUN_ENDED: &[Field] = &[id(1, "grant"), bytes(2, "receipt", limits::RECEIPT_BYTES)];

pub(crate) const SERVER_MESSAGE: &[Field] = &[
    message(1, "welcome", WELCOME),
    message(2, "state_changed", STATE_CHANGED),
    message(3, "grant_offer", GRANT_OFFER),
    message(4, "cancel_run", CANCEL_RUN),
    message(5, "output_ack", OUTPUT_ACK),
    message(6, "receipt_ack", RECEIPT_ACK),
    message(7, "heartbeat_ack", HEARTBEAT_ACK),
    message(8, "end_remote_session", END_REMOTE_SESSION),
    message(9, "stream_ticket", STREAM_TICKET),
    message(10, "recording_ack", RECORDING_ACK),
    message(11, "inventory_wanted", INVENTORY_WANTED),
];

pub(crate) const WELCOME: &[Field] = &[number(1, "state"), number(2, "server_time"), id(3, "device"), id(4, "tenant")];

pub(crate) const STATE_CHANGED: &[Field] = &[number(1, "state")];

pub(crate) const GRANT_OFFER: &[Field] = &[
    bytes(1, "envelope", limits::ENVELOPE_BYTES),
    message(2, "target", INCLUSION),
    message(3, "log_entry", INCLUSION),
    bytes(4, "checkpoint", limits::CHECKPOINT_BYTES),
    bytes(5, "content", limits::SCRIPT_BYTES),
    Field { number: 6, name: "secrets", times: limits::SECRETS, kind: Kind::Message(SEALED_SECRET) },
    bytes(7, "stream_ticket", KEY_BYTES),
    number(8, "occurrence"),
];

pub(crate) const INCLUSION: &[Field] =
    &[number(1, "index"), Field { number: 2, name: "hashes", times: limits::PROOF_HASHES, kind: Kind::Bytes(KEY_BYTES) }];

pub(crate) const SEALED_SECRET: &[Field] = &[name(1, "name"), bytes(2, "sealed", SEALED_BYTES)];

pub(crate) const CANCEL_RUN: &[Field] = &[id(1, "grant")];

pub(crate) const OUTPUT_ACK: &[Field] = &[id(1, "grant"), number(2, "next_seq")];

pub(crate) const RECEIPT_ACK: &[Field] = &[id(1, "grant")];

pub(crate) const HEARTBEAT_ACK: &[Field] = &[number(1, "server_time")];

pub(crate) const RECORDING: &[Field] =
    &[id(1, "session"), number(2, "seq"), bytes(3, "chunk", limits::RECORDING_CHUNK_BYTES), number(4, "last")];

pub(crate) const END_REMOTE_SESSION: &[Field] = &[id(1, "session"), id(2, "grant")];

pub(crate) const STREAM_TICKET: &[Field] = &[id(1, "grant"), bytes(2, "ticket", KEY_BYTES)];

pub(crate) const RECORDING_ACK: &[Field] = &[id(1, "session"), number(2, "next_seq")];

pub(crate) const INVENTORY_WANTED: &[Field] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, name, type, repeated.
    type Defined = (u32, &'static str, &'static str, bool);

    /// Each message of the definitions with its fields.
    fn definitions() -> Vec<(&'static str, Vec<Defined>)> {
        let mut messages: Vec<(&str, Vec<Defined>)> = vec![];
        let mut in_enum = false;
        for line in include_str!("../proto/agent.proto").lines().map(str::trim) {
            let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
            match words[..] {
                ["enum", ..] => in_enum = true,
                ["message", name, "{"] => {
                    in_enum = false;
                    messages.push((name, vec![]));
                }
                [.., kind, name, "=", number] if !in_enum && words[0] != "syntax" => {
                    let number = number.parse().unwrap();
                    messages.last_mut().unwrap().1.push((number, name, kind, words[0] == "repeated"));
                }
                _ => {}
            }
        }
        messages
    }

    /// Compares a table and all tables below it; yields the messages that it met.
    fn compare(message: &str, fields: &[Field]) -> Vec<String> {
        let all = definitions();
        let (_, defined) = all.iter().find(|(name, _)| *name == message).unwrap();
        let mut met = vec![message.to_owned()];
        assert_eq!(defined.len(), fields.len(), "{message}");
        assert!(fields.len() <= FIELDS, "{message}");
        for (field, (number, name, kind, repeated)) in fields.iter().zip(defined) {
            assert_eq!((field.number, field.name, field.times > 1), (*number, *name, *repeated), "{message}");
            let is_message = all.iter().any(|(name, _)| name == kind);
            match field.kind {
                Kind::Message(inner) => met.extend(compare(kind, inner)),
                Kind::Bytes(_) => assert!(matches!(*kind, "string" | "bytes"), "{message}.{name}"),
                Kind::Number => assert!(!is_message && !matches!(*kind, "string" | "bytes"), "{message}.{name}"),
            }
        }
        met
    }

    #[test]
    fn the_tables_are_the_definitions() {
        let mut met = [compare("AgentMessage", AGENT_MESSAGE), compare("ServerMessage", SERVER_MESSAGE)].concat();
        met.extend(compare("HelloClaims", HELLO_CLAIMS));
        for (message, _) in definitions() {
            assert!(met.iter().any(|name| name == message), "{message} has no table");
        }
    }
}
