//! The device's own keys: made on the device at its first start, and never leaving it.

use std::io;

use sallyport_grant::sealed::SealKey;
use sallyport_grant::{Hex, KeyId, SigningKey, VerifyKey};
use zeroize::Zeroizing;

use crate::disk::Disk;
use crate::ports::{Entropy, EntropyError};

const FILE: &str = "device-keys";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the device keys could not be read or written: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    #[error("the file of the device keys is damaged; remove it and enrol the device again")]
    Damaged,
}

/// The key that is the device, and the key that its secrets are sealed to.
pub struct Identity {
    signing: SigningKey,
    seal: SealKey,
    seal_public: Hex<32>,
}

impl Identity {
    /// Reads the keys, or makes and stores them.
    pub fn load_or_make(disk: &dyn Disk, entropy: &dyn Entropy) -> Result<Self, IdentityError> {
        if let Some(bytes) = disk.read(FILE)?.map(Zeroizing::new) {
            let (signing, seal) = bytes.split_first_chunk::<32>().ok_or(IdentityError::Damaged)?;
            return Ok(Self::from_bytes(*signing, seal.try_into().map_err(|_| IdentityError::Damaged)?));
        }
        let (signing, seal) = (Zeroizing::new(entropy.random_32()?), Zeroizing::new(entropy.random_32()?));
        let identity = Self::from_bytes(*signing, *seal);
        disk.replace(FILE, &Zeroizing::new([signing.as_slice(), seal.as_slice()].concat()))?;
        Ok(identity)
    }

    fn from_bytes(signing: [u8; 32], seal: [u8; 32]) -> Self {
        let seal = SealKey::from_bytes(seal);
        let seal_public = seal.public();
        Self { signing: SigningKey::from_bytes(&signing), seal, seal_public }
    }

    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    pub fn seal_key(&self) -> &SealKey {
        &self.seal
    }

    /// What the server seals secrets to.
    pub fn seal_public(&self) -> Hex<32> {
        self.seal_public
    }

    pub fn verify_key(&self) -> VerifyKey {
        VerifyKey::of(&self.signing)
    }

    /// How grants and receipts name the device.
    pub fn thumbprint(&self) -> KeyId {
        self.verify_key().id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;
    use crate::ports::SystemEntropy;

    #[test]
    fn the_keys_stay_the_same_over_restarts_and_differ_between_devices() {
        let disk = MemoryDisk::default();
        let first = Identity::load_or_make(&disk, &SystemEntropy).expect("made");
        let again = Identity::load_or_make(&disk.crash(0), &SystemEntropy).expect("read");
        assert_eq!((first.thumbprint(), first.seal_public()), (again.thumbprint(), again.seal_public()));
        let other = Identity::load_or_make(&MemoryDisk::default(), &SystemEntropy).expect("made");
        assert_ne!(first.thumbprint(), other.thumbprint());
    }

    #[test]
    fn damaged_keys_are_not_replaced_silently() {
        for bytes in [b"".as_slice(), b"short", &[7; 63], &[7; 65]] {
            let disk = MemoryDisk::default();
            disk.replace(FILE, bytes).expect("write");
            assert!(matches!(Identity::load_or_make(&disk, &SystemEntropy), Err(IdentityError::Damaged)));
        }
    }
}
