//! The hello: the first message inside of a link, by which an agent proves its device key.
//!
//! The signature covers the handshake's hash, so it is worth nothing on another link, and the
//! claims as they stand in the message, so that nobody between can change a token or a version.

use sallyport_grant::body::TokenSecret;
use sallyport_grant::keys::{self, SigningKey};
use sallyport_grant::{Hex, VerifyKey, sha256};
use sallyport_model::{AgentText, InstallerId, limits};

use crate::message::{self, MessageError};
use crate::{pb, shape};

const CONTEXT: &[u8] = b"sallyport-hello/1\n";

/// Why a hello does not open the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// It is not well-formed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The device key is not a point of the curve, one of small order, or not in its one encoding.
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

/// What an agent says of itself under its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloClaims {
    /// The version of the agent.
    pub agent_version: AgentText,
    /// Shown by a device that does not belong to a site yet.
    pub enrol: Option<Enrol>,
}

/// A token, and what people see of a device before its first inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    device_key: VerifyKey,
    seal_key: Hex<32>,
    claims: HelloClaims,
}

impl Hello {
    /// Who is at the other end: the key that signed this handshake.
    pub fn device_key(&self) -> &VerifyKey {
        &self.device_key
    }

    /// The X25519 public key that this device's secrets are sealed to.
    pub fn seal_key(&self) -> &Hex<32> {
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
        let device_key = message::bytes_32(&hello.device_key, "device_key")?;
        let device_key = VerifyKey::from_bytes(&device_key).map_err(|_| HelloError::NotAKey)?;
        let seal_key = Hex(message::bytes_32(&hello.seal_key, "seal_key")?);
        if !device_key.verifies(&signed_bytes(handshake_hash, &seal_key, &hello.claims), &hello.signature) {
            return Err(HelloError::WrongSignature);
        }
        Ok(Self { device_key, seal_key, claims: HelloClaims::decode(&hello.claims)? })
    }
}

/// Signs and encodes a hello for one handshake.
pub(crate) fn sign(claims: &HelloClaims, seal_key: &Hex<32>, key: &SigningKey, handshake_hash: &[u8; 32]) -> Result<Vec<u8>, MessageError> {
    let claims = claims.encode()?;
    let signature = keys::sign(key, &signed_bytes(handshake_hash, seal_key, &claims));
    let hello = pb::Hello {
        device_key: VerifyKey::of(key).as_bytes().to_vec(),
        seal_key: seal_key.0.to_vec(),
        signature: signature.to_vec(),
        claims,
    };
    let outer = pb::AgentMessage { body: Some(pb::agent_message::Body::Hello(hello)) };
    message::encode(&outer, shape::AGENT_MESSAGE, limits::HELLO_BYTES)
}

fn signed_bytes(handshake_hash: &[u8; 32], seal_key: &Hex<32>, claims: &[u8]) -> Vec<u8> {
    let claims = sha256(&[claims]);
    [CONTEXT, handshake_hash.as_slice(), seal_key.0.as_slice(), claims.as_bytes()].concat()
}

impl HelloClaims {
    fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let claims = pb::HelloClaims {
            agent_version: self.agent_version.as_str().to_owned(),
            enrol: self.enrol.as_ref().map(|enrol| pb::Enrol {
                token_id: enrol.token_id.to_string(),
                token_secret: enrol.token_secret.as_bytes().to_vec(),
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
            token_secret: TokenSecret::from_bytes(message::bytes_32(&enrol.token_secret, "token_secret")?),
            hostname: message::name(&enrol.hostname),
            os: message::name(&enrol.os),
            arch: message::name(&enrol.arch),
        })
    }
}
