//! The journal's records as bytes: length, checksum, JSON.
//!
//! A record is read only if its checksum holds, so a write that a power cut tore is no record.

use sallyport_model::{GrantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Attach, Began, Outcome};

const LENGTH_BYTES: usize = 4;
const CHECK_BYTES: usize = 12;
const HEAD_BYTES: usize = LENGTH_BYTES + CHECK_BYTES;
/// A receipt's envelope in JSON text is the longest thing in a record.
const RECORD_BYTES: usize = 64 * 1024;

/// What must not be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// The clock was never earlier than this when a grant was obeyed.
    Floor { at: Timestamp },
    /// Part of the journal was unreadable; grants from before this moment are not obeyed.
    Damaged { obey_from: Timestamp },
    /// The grant is spent.
    Claimed {
        grant: GrantId,
        expires: Timestamp,
        at: Timestamp,
        name: String,
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attach: Option<Attach>,
        /// Of a published schedule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        occurrence: Option<Began>,
    },
    /// The run is over; the receipt waits for the server.
    Ended { grant: GrantId, outcome: Outcome, receipt: String },
    /// The server has the receipt.
    Acknowledged { grant: GrantId, outcome: Outcome },
}

/// The written form of a record.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).expect("records have only texts and numbers");
    let length = u32::try_from(body.len()).expect("records are short").to_le_bytes();
    [length.as_slice(), &check(&body), &body].concat()
}

fn check(body: &[u8]) -> [u8; CHECK_BYTES] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

/// What was found in a journal's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) records: Vec<Record>,
    /// Where the next record belongs.
    pub(crate) end: usize,
    /// Whether records stand behind unreadable bytes: not a torn write, but damage.
    pub(crate) damaged: bool,
}

/// Reads all records. Unreadable bytes at the end are a torn write and left out.
pub(crate) fn decode(bytes: &[u8]) -> Found {
    let mut found = Found { records: Vec::new(), end: 0, damaged: false };
    let mut at = 0;
    while at < bytes.len() {
        match decode_one(&bytes[at..]) {
            Some((record, length)) => {
                found.damaged |= at != found.end;
                found.records.push(record);
                at += length;
                found.end = at;
            }
            None => at += 1,
        }
    }
    found
}

fn decode_one(bytes: &[u8]) -> Option<(Record, usize)> {
    let head = bytes.get(..HEAD_BYTES)?;
    let length = u32::from_le_bytes(head[..LENGTH_BYTES].try_into().ok()?) as usize;
    if length == 0 || length > RECORD_BYTES {
        return None;
    }
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    if check(body) != head[LENGTH_BYTES..] {
        return None;
    }
    Some((serde_json::from_slice(body).ok()?, HEAD_BYTES + length))
}
