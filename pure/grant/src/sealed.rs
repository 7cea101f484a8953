//! Secret parameters: committed to in the grant, sealed to each device by itself.
//!
//! HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305; info `sallyport.secret/1`; the
//! associated data are the 16 bytes of the grant's id and the name; the plaintext is the salt and the value.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sallyport_model::{Digest, GrantId, limits};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Hex;
use crate::body::{EnvName, SecretParameter};
use crate::hash::sha256;

const INFO: &[u8] = b"sallyport.secret/1";
const SALT_BYTES: usize = 32;
const ENCAPPED_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// Length of a sealed secret beyond its value, in bytes.
pub const OVERHEAD_BYTES: usize = ENCAPPED_BYTES + SALT_BYTES + TAG_BYTES;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A value above [`limits::ARGUMENT_BYTES`] or with a NUL byte.
    #[error("the secret is too long or has a nul byte")]
    Value,
    /// Not an X25519 key, or one of small order.
    #[error("not a usable x25519 key")]
    Key,
    /// Not sealed to this key, for this grant and name.
    #[error("the secret is not for this device, grant and name")]
    NotForUs,
    /// Another value than the grant committed to.
    #[error("the secret is not the one that the grant names")]
    OtherValue,
}

/// A value that is wiped when dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretValue(Vec<u8>);

impl SecretValue {
    /// Takes a value of at most [`limits::ARGUMENT_BYTES`] without NUL bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        let wrong = bytes.len() > limits::ARGUMENT_BYTES || bytes.contains(&0);
        if wrong { Err(SealError::Value) } else { Ok(Self(bytes.to_vec())) }
    }

    /// The value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// The private half of a device's encryption key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    pub fn public(&self) -> Hex<32> {
        Hex(X25519HkdfSha256::sk_to_pk(&self.private()).to_bytes().into())
    }

    fn private(&self) -> <X25519HkdfSha256 as Kem>::PrivateKey {
        Deserializable::from_bytes(&self.0).expect("any 32 bytes are an x25519 private key once clamped")
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// What the grant says of a secret: SHA-256("sallyport.secret/1\n" || salt || value).
pub fn commitment(salt: &[u8; SALT_BYTES], value: &SecretValue) -> Digest {
    sha256(&[b"sallyport.secret/1\n", salt, value.as_bytes()])
}

/// Seals a value to a device's public encryption key. `seed` is random, and new for each call.
pub fn seal(
    device: &Hex<32>,
    place: Place<'_>,
    salt: &[u8; SALT_BYTES],
    value: &SecretValue,
    seed: [u8; 32],
) -> Result<Vec<u8>, SealError> {
    let recipient = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&device.0).map_err(|_| SealError::Key)?;
    let plaintext = Zeroizing::new([salt.as_slice(), value.as_bytes()].concat());
    let (encapped, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        INFO,
        &plaintext,
        &place.associated_data(),
        &mut ChaCha20Rng::from_seed(seed),
    )
    .map_err(|_| SealError::Key)?;
    Ok([encapped.to_bytes().as_slice(), &ciphertext].concat())
}

/// Opens a sealed secret and compares it with what the grant committed to.
pub fn open(key: &SealKey, grant: GrantId, parameter: &SecretParameter, sealed: &[u8]) -> Result<SecretValue, SealError> {
    if sealed.len() < OVERHEAD_BYTES || sealed.len() > OVERHEAD_BYTES + limits::ARGUMENT_BYTES {
        return Err(SealError::NotForUs);
    }
    let (encapped, ciphertext) = sealed.split_at(ENCAPPED_BYTES);
    let encapped = Deserializable::from_bytes(encapped).map_err(|_| SealError::NotForUs)?;
    let place = Place { grant, name: &parameter.name };
    let plaintext = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.private(),
        &encapped,
        INFO,
        ciphertext,
        &place.associated_data(),
    )
    .map(Zeroizing::new)
    .map_err(|_| SealError::NotForUs)?;
    let found = sha256(&[b"sallyport.secret/1\n", &plaintext]);
    if !bool::from(found.as_bytes().ct_eq(parameter.commitment.as_bytes())) {
        return Err(SealError::OtherValue);
    }
    SecretValue::parse(&plaintext[SALT_BYTES..])
}

/// Where a sealed secret belongs; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Of which grant.
    pub grant: GrantId,
    /// Under which name.
    pub name: &'a EnvName,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        [self.grant.as_bytes().as_slice(), self.name.as_str().as_bytes()].concat()
    }
}
