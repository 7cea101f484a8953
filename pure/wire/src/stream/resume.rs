//! The first thing that each end says on a connection: which frame it wants next.
//!
//! 8 bytes of ones, where a frame has its counter; 8 bytes of epoch, which grows with each connection; then AES-256-GCM,
//! under a key of its own, over the counter of the frame that is wanted next.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::Aead;

use super::frame::TAG_BYTES;
use super::{StreamError, keys};

const MARK: [u8; 8] = [0xff; 8];
pub(super) const BYTES: usize = 8 + 8 + 8 + TAG_BYTES;

/// Whether a message says that it is a resume.
pub(super) fn is_resume(message: &[u8]) -> bool {
    message.starts_with(&MARK)
}

/// Makes resumes.
pub(super) struct Resuming {
    cipher: Aes256Gcm,
    next_epoch: u64,
}

impl Resuming {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: keys::cipher(key), next_epoch: 0 }
    }

    /// The resume of a new connection.
    pub(super) fn begin(&mut self, expected: u64) -> Vec<u8> {
        let epoch = self.next_epoch;
        self.next_epoch += 1;
        let sealed = self.cipher.encrypt(&nonce(epoch).into(), &expected.to_be_bytes()[..]).expect("8 bytes are short");
        [&MARK[..], &epoch.to_be_bytes(), &sealed].concat()
    }
}

/// Reads the other end's resumes, each epoch once and in order.
pub(super) struct Resumed {
    cipher: Aes256Gcm,
    last_epoch: Option<u64>,
}

impl Resumed {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: keys::cipher(key), last_epoch: None }
    }

    /// The counter of the frame that the other end wants next.
    pub(super) fn open(&mut self, message: &[u8]) -> Result<u64, StreamError> {
        if message.len() != BYTES {
            return Err(StreamError::Length);
        }
        let epoch = u64::from_be_bytes(message[8..16].try_into().expect("eight bytes"));
        let opened = self.cipher.decrypt(&nonce(epoch).into(), &message[16..]).map_err(|_| StreamError::Forged)?;
        if self.last_epoch.is_some_and(|last| epoch <= last) {
            return Err(StreamError::Replayed);
        }
        self.last_epoch = Some(epoch);
        Ok(u64::from_be_bytes(opened.try_into().map_err(|_| StreamError::Length)?))
    }
}

fn nonce(epoch: u64) -> [u8; 12] {
    let mut nonce = *b"rsm\0\0\0\0\0\0\0\0\0";
    nonce[4..].copy_from_slice(&epoch.to_be_bytes());
    nonce
}
