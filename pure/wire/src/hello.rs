//! The hello: the first message inside of a link, by which an agent proves its device key.
//!
//! The signature covers the handshake's hash, so it is worth nothing on another link, and the
//! claims as they stand in the message, so that nobody between can change a token or a version.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sallyport_model::{AgentText, Digest, InstallerId, limits};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::message::{self, MessageError};
use crate::{pb, shape};

const CONTEXT: &[u8] = b"sallyport-hello/1\n";

/// Why a hello does not open the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// It is not well-formed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The device key is not a point of the curve, or one of small order.
    #[error("the device key is not a key")]
    NotAKey,
    /// The signature is not by that key, not over these claims or not for this handshake.
    #[error("the hello's signature is wrong")]
    WrongSignature,
}

impl HelloError {
    /// The stable code that logs and people search for.
    pub fn code(self) -> &'static str {
        match self {
            Self::Message(error) => error.code(),
            Self::NotAKey => "hello_not_a_key",
            Self::WrongSignature => "hello_wrong_signature",
        }
    }
}

/// A device's Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceKey([u8; 32]);

impl DeviceKey {
    /// Takes the 32 bytes of a key.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of the key: how receipts and target trees name the device.
    pub fn thumbprint(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(self.0).into())
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({})", self.thumbprint())
    }
}

/// A device's X25519 public key, which secret parameters are sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// Takes the 32 bytes of a key.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The secret half of an enrolment token; wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// Takes the 32 bytes of the enrolment file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for hashing.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What an agent says of itself under its signature.
#[derive(Clone)]
pub struct HelloClaims {
    /// The version of the agent.
    pub agent_version: AgentText,
    /// Shown by a device that does not belong to a site yet.
    pub enrol: Option<Enrol>,
}

/// A token, and what people see of a device before its first inventory.
#[derive(Clone)]
pub struct Enrol {
    /// Which installer's token it is.
    pub token_id: InstallerId,
    /// That the agent holds it.
    pub token_secret: TokenSecret,
    /// The machine's own name; never a reason to trust it.
    pub hostname: AgentText,
    /// The operating system's name and version.
    pub os: AgentText,
    /// The processor's architecture.
    pub arch: AgentText,
}

/// A hello whose signature was verified for the link on which it came; made by nothing else.
#[derive(Clone)]
pub struct Hello {
    device_key: DeviceKey,
    seal_key: SealKey,
    claims: HelloClaims,
}

impl Hello {
    /// Who is at the other end: the key that signed this handshake.
    pub fn device_key(&self) -> &DeviceKey {
        &self.device_key
    }

    /// What this device's secrets are sealed to.
    pub fn seal_key(&self) -> &SealKey {
        &self.seal_key
    }

    /// What the agent says of itself.
    pub fn claims(&self) -> &HelloClaims {
        &self.claims
    }

    /// Decodes and verifies.
    pub(crate) fn verify(bytes: &[u8], handshake_hash: &[u8; 32]) -> Result<Self, HelloError> {
        let outer: pb::AgentMessage = message::decode_outer(bytes, shape::AGENT_MESSAGE, limits::HELLO_BYTES)?;
        let Some(pb::agent_message::Body::Hello(hello)) = outer.body else {
            return Err(MessageError::OutOfPhase.into());
        };
        let device_key = DeviceKey(message::bytes_32(&hello.device_key, "device_key")?);
        let seal_key = SealKey(message::bytes_32(&hello.seal_key, "seal_key")?);
        let signature = Signature::from_slice(&hello.signature).map_err(|_| MessageError::Invalid("signature"))?;
        let signed = signed_bytes(handshake_hash, &seal_key, &hello.claims);
        let verifier = VerifyingKey::from_bytes(&device_key.0).map_err(|_| HelloError::NotAKey)?;
        if verifier.is_weak() {
            return Err(HelloError::NotAKey);
        }
        verifier.verify_strict(&signed, &signature).map_err(|_| HelloError::WrongSignature)?;
        Ok(Self { device_key, seal_key, claims: HelloClaims::decode(&hello.claims)? })
    }
}

/// Signs and encodes a hello for one handshake.
pub(crate) fn sign(claims: &HelloClaims, seal_key: &SealKey, key: &SigningKey, handshake_hash: &[u8; 32]) -> Result<Vec<u8>, MessageError> {
    let claims = claims.encode()?;
    let signature = key.sign(&signed_bytes(handshake_hash, seal_key, &claims));
    let hello = pb::Hello {
        device_key: key.verifying_key().to_bytes().to_vec(),
        seal_key: seal_key.0.to_vec(),
        signature: signature.to_bytes().to_vec(),
        claims,
    };
    let outer = pb::AgentMessage { body: Some(pb::agent_message::Body::Hello(hello)) };
    message::encode(&outer, shape::AGENT_MESSAGE, limits::HELLO_BYTES)
}

fn signed_bytes(handshake_hash: &[u8; 32], seal_key: &SealKey, claims: &[u8]) -> Vec<u8> {
    let claims = Sha256::digest(claims);
    [CONTEXT, handshake_hash.as_slice(), seal_key.0.as_slice(), claims.as_slice()].concat()
}

impl HelloClaims {
    fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let claims = pb::HelloClaims {
            agent_version: self.agent_version.as_str().to_owned(),
            enrol: self.enrol.as_ref().map(|enrol| pb::Enrol {
                token_id: enrol.token_id.to_string(),
                token_secret: enrol.token_secret.0.to_vec(),
                hostname: enrol.hostname.as_str().to_owned(),
                os: enrol.os.as_str().to_owned(),
                arch: enrol.arch.as_str().to_owned(),
            }),
        };
        message::encode(&claims, shape::HELLO_CLAIMS, limits::HELLO_BYTES)
    }

    fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let claims: pb::HelloClaims = message::decode(bytes, shape::HELLO_CLAIMS, limits::HELLO_BYTES)?;
        let enrol = claims.enrol.map(Enrol::parse).transpose()?;
        Ok(Self { agent_version: message::name(&claims.agent_version), enrol })
    }
}

impl Enrol {
    fn parse(enrol: pb::Enrol) -> Result<Self, MessageError> {
        Ok(Self {
            token_id: message::id(&enrol.token_id, "token_id")?,
            token_secret: TokenSecret(message::bytes_32(&enrol.token_secret, "token_secret")?),
            hostname: message::name(&enrol.hostname),
            os: message::name(&enrol.os),
            arch: message::name(&enrol.arch),
        })
    }
}
