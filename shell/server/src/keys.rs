//! The master key and what is derived from it; every tenant's keys, opened.
//!
//! The master key lies in a file of its own, outside the database: whoever copies the database alone
//! can neither read a TOTP secret nor sign anything.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit as _, Mac};
use sallyport_model::TenantId;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::outside::{SharedEntropy, random};

const NONCE_BYTES: usize = 12;

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The master key's file could not be read or made.
    #[error("master_key: {path} cannot be used ({source}). Name a file that the server's account may read, or may make")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is there and is not a master key.
    #[error("master_key: {0} has no 64 hexadecimal digits. Put the key there that belongs to this database")]
    NotAKey(String),
    /// Others may read the file.
    #[error("master_key: {0} can be read by others. Run: chmod 600 {0}")]
    Exposed(String),
    /// What was sealed was sealed by another master key, or changed since.
    #[error("a sealed value does not open with this master key")]
    Sealed,
}

/// The secret keys of one tenant.
pub struct TenantKeys {
    /// X25519: the agent link.
    pub link: Zeroizing<[u8; 32]>,
    /// Attests that a factor was verified.
    pub attestation: SigningKey,
    /// Signs checkpoints.
    pub log: SigningKey,
    /// Signs revocations.
    pub fresh: SigningKey,
    /// Signs enrolment files.
    pub enrolment: SigningKey,
}

impl TenantKeys {
    /// How many secret bytes the five keys take together.
    pub const BYTES: usize = 160;

    /// Takes the keys from their stored bytes, in the order of the fields.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let part = |at: usize| -> [u8; 32] { bytes[at * 32..][..32].try_into().expect("160 bytes have five parts of 32") };
        Self {
            link: Zeroizing::new(part(0)),
            attestation: SigningKey::from_bytes(&part(1)),
            log: SigningKey::from_bytes(&part(2)),
            fresh: SigningKey::from_bytes(&part(3)),
            enrolment: SigningKey::from_bytes(&part(4)),
        }
    }
}

/// The master key and every opened tenant's keys.
pub struct Keys {
    master: Zeroizing<[u8; 32]>,
    entropy: SharedEntropy,
    tenants: RwLock<BTreeMap<TenantId, Arc<TenantKeys>>>,
}

impl Keys {
    /// Reads the master key; makes it where there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read or made, is not a key, or others may read it.
    pub fn open(path: &Path, entropy: SharedEntropy) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.display().to_string(), source };
        if !path.exists() {
            make(path, random(&*entropy)).map_err(file)?;
        }
        let mode = std::fs::metadata(path).map_err(file)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed(path.display().to_string()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(file)?);
        let digits = text.trim().as_bytes();
        let mut master = Zeroizing::new([0u8; 32]);
        // What is decoded into must be as long as what comes out.
        let decoded = digits.len() == 64 && data_encoding::HEXLOWER.decode_mut(digits, &mut *master).is_ok();
        if !decoded {
            return Err(KeyError::NotAKey(path.display().to_string()));
        }
        Ok(Self::from_master(*master, entropy))
    }

    /// Takes a master key that somebody else keeps.
    pub fn from_master(master: [u8; 32], entropy: SharedEntropy) -> Self {
        Self { master: Zeroizing::new(master), entropy, tenants: RwLock::default() }
    }

    /// A key for one purpose: HMAC-SHA-256 of the label under the master key.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.master).expect("HMAC takes any key");
        mac.update(b"sallyport/");
        mac.update(label.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Seals a value so that it opens only in the same place (`label`, `place`): nonce, then ciphertext.
    pub fn seal(&self, label: &str, place: &[u8], value: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random(&*self.entropy);
        let sealed = self.cipher(label).encrypt(Nonce::from_slice(&nonce), Payload { msg: value, aad: place });
        [nonce.as_slice(), &sealed.expect("a short value can be sealed")].concat()
    }

    /// Opens what [`Keys::seal`] sealed.
    ///
    /// # Errors
    /// When it was sealed elsewhere, by another key, or changed.
    pub fn open_sealed(&self, label: &str, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(KeyError::Sealed)?;
        let opened = self.cipher(label).decrypt(Nonce::from_slice(nonce), Payload { msg: body, aad: place });
        opened.map(Zeroizing::new).map_err(|_| KeyError::Sealed)
    }

    fn cipher(&self, label: &str) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&*self.derive(&format!("seal/{label}"))).into())
    }

    /// Keeps a tenant's opened keys.
    pub fn keep(&self, tenant: TenantId, keys: TenantKeys) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, Arc::new(keys));
    }

    /// A tenant's keys, where the tenant exists.
    pub fn of(&self, tenant: TenantId) -> Option<Arc<TenantKeys>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }
}

fn make(path: &Path, key: [u8; 32]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(key);
    writeln!(file, "{}", data_encoding::HEXLOWER.encode(&*key))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use crate::outside::SystemEntropy;

    use super::*;

    #[test]
    fn sealed_values_open_only_in_their_place() {
        let keys = Keys::from_master([7; 32], Arc::new(SystemEntropy));
        let sealed = keys.seal("totp", b"factor-1", b"secret");
        assert_eq!(&**keys.open_sealed("totp", b"factor-1", &sealed).unwrap(), b"secret");
        assert!(keys.open_sealed("totp", b"factor-2", &sealed).is_err());
        assert!(keys.open_sealed("other", b"factor-1", &sealed).is_err());
        assert!(Keys::from_master([8; 32], Arc::new(SystemEntropy)).open_sealed("totp", b"factor-1", &sealed).is_err());
        assert!(keys.open_sealed("totp", b"factor-1", &sealed[..5]).is_err());
    }

    #[test]
    fn a_master_key_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let first = Keys::open(&path, Arc::new(SystemEntropy)).unwrap().derive("x");
        assert_eq!(*Keys::open(&path, Arc::new(SystemEntropy)).unwrap().derive("x"), *first);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keys::open(&path, Arc::new(SystemEntropy)), Err(KeyError::Exposed(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "abc", "not a key\n", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64), &"a".repeat(5000)] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Keys::open(&path, Arc::new(SystemEntropy)), Err(KeyError::NotAKey(_))), "{text:.10}");
        }
    }
}
