//! The handshake: Noise_NK (noiseprotocol.org, revision 34), the agent first.
//!
//! The agent knows the server's link key beforehand, pinned by its root; the server learns who
//! the agent is from the [`crate::Hello`] inside. Ephemeral keys come from a seed of 32 random
//! bytes, so that the same seed gives the same bytes: a seed must never be used twice.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::frame::{self, TAG_BYTES};
use crate::link::{AwaitingHello, LinkError};

const PATTERN: &str = "Noise_NK_25519_ChaChaPoly_SHA256";
const PROLOGUE: &[u8] = b"sallyport-link/1";

/// Length of both handshake messages: an ephemeral key and the tag of an empty payload.
pub const HANDSHAKE_BYTES: usize = 32 + TAG_BYTES;

/// The server's public X25519 key that agents pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// Takes the 32 bytes of the root.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, as written in the root.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The server's secret X25519 key; wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret([u8; 32]);

impl LinkSecret {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for sealing at rest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that agents pin.
    pub fn link_key(&self) -> LinkKey {
        let mut pair = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("the curve is compiled in");
        pair.set(&self.0);
        LinkKey(pair.pubkey().try_into().expect("public keys of the curve have 32 bytes"))
    }
}

/// The agent, waiting for the server's answer.
pub struct Initiator(HandshakeState);

impl Initiator {
    /// Begins a link to the holder of `link_key`; yields the first handshake message.
    pub fn start(link_key: &LinkKey, seed: [u8; 32]) -> (Self, Vec<u8>) {
        let mut state = builder(seed)
            .remote_public_key(&link_key.0)
            .and_then(Builder::build_initiator)
            .expect("the pattern is constant and the key has its length");
        let message = write_handshake(&mut state);
        (Self(state), message)
    }

    /// Takes the server's answer. Errors: [`LinkError::Handshake`] where whoever answered does
    /// not hold the pinned key.
    pub fn finish(self, reply: &[u8]) -> Result<Channel, LinkError> {
        let mut state = self.0;
        read_handshake(&mut state, reply)?;
        Ok(Channel::new(state))
    }
}

/// The server, waiting for an agent's first message.
pub struct Responder(HandshakeState);

impl Responder {
    /// Gets ready for one agent.
    pub fn new(secret: &LinkSecret, seed: [u8; 32]) -> Self {
        let state = builder(seed)
            .local_private_key(&secret.0)
            .and_then(Builder::build_responder)
            .expect("the pattern is constant and the key has its length");
        Self(state)
    }

    /// Answers the agent's first message. Errors: [`LinkError::Handshake`] where the agent pinned
    /// another key or the message was changed.
    pub fn answer(self, message: &[u8]) -> Result<(AwaitingHello, Vec<u8>), LinkError> {
        let mut state = self.0;
        read_handshake(&mut state, message)?;
        let reply = write_handshake(&mut state);
        Ok((AwaitingHello::new(Channel::new(state)), reply))
    }
}

fn builder<'keys>(seed: [u8; 32]) -> Builder<'keys> {
    let params: NoiseParams = PATTERN.parse().expect("the pattern is constant");
    Builder::with_resolver(params, Box::new(Seeded(seed))).prologue(PROLOGUE).expect("the prologue is set once")
}

fn write_handshake(state: &mut HandshakeState) -> Vec<u8> {
    let mut message = vec![0; HANDSHAKE_BYTES];
    let length = state.write_message(&[], &mut message).expect("it is this side's turn and the buffer fits");
    debug_assert_eq!(length, HANDSHAKE_BYTES);
    message
}

fn read_handshake(state: &mut HandshakeState, message: &[u8]) -> Result<(), LinkError> {
    if message.len() != HANDSHAKE_BYTES {
        return Err(LinkError::Handshake);
    }
    state.read_message(message, &mut [0; HANDSHAKE_BYTES]).map(|_| ()).map_err(|_| LinkError::Handshake)
}

/// An encrypted channel after the handshake: order and content of all frames are authenticated,
/// but nobody knows yet which agent is at the other end.
pub struct Channel {
    noise: Box<TransportState>,
    hash: [u8; 32],
}

impl Channel {
    fn new(state: HandshakeState) -> Self {
        let hash = state.get_handshake_hash().try_into().expect("SHA-256 has 32 bytes");
        let noise = state.into_transport_mode().expect("both handshake messages are through");
        Self { noise: Box::new(noise), hash }
    }

    /// What names this very handshake; equal at both ends, different for every link.
    pub fn handshake_hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Cuts a message and encrypts its frames. Errors: [`LinkError::NoncesUsedUp`].
    pub(crate) fn seal(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, LinkError> {
        frame::cut(message).map(|plain| self.seal_frame(&plain)).collect()
    }

    pub(crate) fn seal_frame(&mut self, plain: &[u8]) -> Result<Vec<u8>, LinkError> {
        let mut frame = vec![0; plain.len() + TAG_BYTES];
        self.noise.write_message(plain, &mut frame).map_err(|_| LinkError::NoncesUsedUp)?;
        Ok(frame)
    }

    /// Decrypts one frame. Errors: [`LinkError::FrameTooLong`], and [`LinkError::Forged`] where it
    /// is not the very next frame of the other end.
    pub(crate) fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, LinkError> {
        if frame.len() > sallyport_model::limits::FRAME_BYTES {
            return Err(LinkError::FrameTooLong);
        }
        let mut plain = vec![0; frame.len().saturating_sub(TAG_BYTES)];
        self.noise.read_message(frame, &mut plain).map_err(|_| LinkError::Forged)?;
        Ok(plain)
    }
}

/// The default primitives with randomness from a seed.
struct Seeded([u8; 32]);

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(ChaCha20Rng::from_seed(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct SeededRandom(ChaCha20Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}
