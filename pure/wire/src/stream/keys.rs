//! From two ephemeral keys and a grant to the keys of a stream.

use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use sallyport_grant::Hex;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{StreamError, Terms};

/// An ephemeral X25519 secret (RFC 7748) of one end of one stream.
#[derive(Clone)]
pub struct StreamSecret(StaticSecret);

impl StreamSecret {
    /// Takes 32 bytes from a cryptographic random source.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(StaticSecret::from(bytes))
    }

    /// The public half.
    pub fn public(&self) -> Hex<32> {
        Hex(PublicKey::from(&self.0).to_bytes())
    }

    /// RFC 7748, section 6.1; a shared secret of zeros is refused.
    fn shared(&self, other: &Hex<32>) -> Result<Zeroizing<[u8; 32]>, StreamError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(other.0));
        if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(StreamError::WeakKey) }
    }
}

/// Which end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Device,
}

/// The four keys of a stream: for the frames and for the resumes of each direction, named by who sends.
pub(super) struct StreamKeys {
    pub(super) client: Zeroizing<[u8; 32]>,
    pub(super) device: Zeroizing<[u8; 32]>,
    pub(super) resume_client: Zeroizing<[u8; 32]>,
    pub(super) resume_device: Zeroizing<[u8; 32]>,
}

impl StreamKeys {
    /// HKDF-SHA-256 (RFC 5869): salt is the grant's digest; each info names the purpose and both public keys.
    pub(super) fn derive(terms: &Terms, own: &StreamSecret, side: Side, device_key: &Hex<32>) -> Result<Self, StreamError> {
        let shared = match side {
            Side::Client => own.shared(device_key)?,
            Side::Device => own.shared(&terms.client_key)?,
        };
        let hkdf = Hkdf::<Sha256>::new(Some(terms.digest.as_bytes()), &*shared);
        let key = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            let info: [&[u8]; 4] = [b"sallyport.stream/1 ", label.as_bytes(), &terms.client_key.0, &device_key.0];
            hkdf.expand_multi_info(&info, &mut *key).expect("32 bytes are not too many");
            key
        };
        Ok(Self { client: key("client"), device: key("device"), resume_client: key("resume client"), resume_device: key("resume device") })
    }
}

pub(super) fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}
