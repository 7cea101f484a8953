//! Numbered, encrypted frames: 8 bytes of counter, then AES-256-GCM over the payload with the counter as associated data.
//!
//! A frame is kept as ciphertext until the other end says that it has it, so that it can be sent again as it was: no
//! counter is ever used for two payloads.

use std::collections::VecDeque;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload as Sealed};
use sallyport_model::limits;

use super::{SendError, StreamError, keys};

/// Authentication tag of AES-GCM.
pub(super) const TAG_BYTES: usize = 16;
/// What a frame has beside its plaintext.
pub(super) const OVERHEAD_BYTES: usize = 8 + TAG_BYTES;

/// The sending direction.
pub(super) struct Sending {
    cipher: Aes256Gcm,
    /// Bytes of frames that are kept at most.
    window: usize,
    next: u64,
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
    /// How many of the kept frames went out on this connection.
    gone: usize,
}

impl Sending {
    pub(super) fn new(key: &[u8; 32], window: usize) -> Self {
        Self { cipher: keys::cipher(key), window, next: 0, kept: VecDeque::new(), kept_bytes: 0, gone: 0 }
    }

    /// Bytes of plaintext that may be sent now.
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.kept_bytes).saturating_sub(OVERHEAD_BYTES)
    }

    /// Seals and keeps a payload, within the room.
    pub(super) fn push(&mut self, plaintext: &[u8]) -> Result<(), SendError> {
        if plaintext.len() > self.room() {
            return Err(SendError::Full);
        }
        self.seal(plaintext);
        Ok(())
    }

    /// Seals and keeps an acknowledgement, which has room of its own.
    pub(super) fn push_ack(&mut self, plaintext: &[u8]) -> Result<(), StreamError> {
        if self.kept_bytes + OVERHEAD_BYTES + plaintext.len() > self.window + limits::STREAM_UNACKED_ACK_BYTES {
            return Err(StreamError::NoAcknowledgement);
        }
        self.seal(plaintext);
        Ok(())
    }

    fn seal(&mut self, plaintext: &[u8]) {
        let aad = self.next.to_be_bytes();
        let sealed = self.cipher.encrypt(&nonce(self.next).into(), Sealed { msg: plaintext, aad: &aad }).expect("payloads are short");
        let frame = [&aad[..], &sealed].concat();
        self.next += 1;
        self.kept_bytes += frame.len();
        self.kept.push_back(frame);
    }

    /// The next frame for this connection.
    pub(super) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let frame = self.kept.get(self.gone)?.clone();
        self.gone += 1;
        Some(frame)
    }

    /// The other end has everything below `next`; an older word than the last one says nothing.
    pub(super) fn acknowledged(&mut self, next: u64) -> Result<(), StreamError> {
        if next > self.next {
            return Err(StreamError::Position);
        }
        while self.first_kept() < next {
            let Some(frame) = self.kept.pop_front() else { break };
            self.kept_bytes -= frame.len();
            self.gone = self.gone.saturating_sub(1);
        }
        Ok(())
    }

    /// A connection begins, and the other end wants frames from `next` on.
    pub(super) fn resume_at(&mut self, next: u64) -> Result<(), StreamError> {
        if next < self.first_kept() {
            return Err(StreamError::Position);
        }
        self.acknowledged(next)?;
        self.gone = 0;
        Ok(())
    }

    pub(super) fn is_drained(&self) -> bool {
        self.kept.is_empty()
    }

    fn first_kept(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }
}

/// The receiving direction.
pub(super) struct Receiving {
    cipher: Aes256Gcm,
    expected: u64,
}

impl Receiving {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: keys::cipher(key), expected: 0 }
    }

    /// The counter of the frame that must come next.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// Opens exactly the next frame.
    pub(super) fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, StreamError> {
        let (counter, sealed) = message.split_first_chunk::<8>().ok_or(StreamError::Length)?;
        if u64::from_be_bytes(*counter) != self.expected {
            return Err(StreamError::OutOfOrder);
        }
        let sealed = Sealed { msg: sealed, aad: counter };
        let plaintext = self.cipher.decrypt(&nonce(self.expected).into(), sealed).map_err(|_| StreamError::Forged)?;
        self.expected += 1;
        Ok(plaintext)
    }
}

/// Four bytes of zero, then the counter.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}
