//! Nonces without a memory: a keyed hash of the time's slot. What was never issued is never accepted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sallyport_model::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Length of a slot: a nonce is good for one to two of them.
pub(super) const SLOT_SECS: i64 = 5 * 60;

const NONCE_BYTES: usize = 16;
const LABEL: &[u8] = b"sallyport.nonce/1\n";

/// Makes and recognises nonces.
#[derive(Clone)]
pub struct Nonces([u8; 32]);

impl Nonces {
    /// The key must be another one after each start of the process: then proofs from before it are not accepted again.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The nonce of this moment, for the header `DPoP-Nonce`.
    pub fn issue(&self, now: Timestamp) -> String {
        self.of_slot(now.secs() / SLOT_SECS)
    }

    /// Whether the nonce is this slot's or the one's before.
    pub fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let slot = now.secs() / SLOT_SECS;
        let current = self.of_slot(slot).as_bytes().ct_eq(nonce.as_bytes());
        let previous = self.of_slot(slot - 1).as_bytes().ct_eq(nonce.as_bytes());
        (current | previous).into()
    }

    fn of_slot(&self, slot: i64) -> String {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        let bytes = mac.chain_update(LABEL).chain_update(slot.to_be_bytes()).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(&bytes[..NONCE_BYTES])
    }
}
