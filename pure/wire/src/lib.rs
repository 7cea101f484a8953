//! Every byte between server and agent, as pure code: randomness and time come in as arguments.
//!
//! From the outside in:
//! - `handshake` makes an encrypted channel that only the holder of the pinned link key can answer
//!   (Noise_NK_25519_ChaChaPoly_SHA256);
//! - `link` lets nothing but a verified [`Hello`] open it, and ends at the first error;
//! - `frame` cuts messages into Noise messages and puts them together again, within a limit;
//! - `message` checks sizes and counts before it decodes, and yields only checked values.
//!
//! [`stream`] is apart from all that: what a client and a device say to one another, which the server only relays.
//!
//! One order of calls compiles. The agent: [`Initiator::start`], [`Initiator::finish`],
//! [`Channel::say_hello`], then [`AgentLink`]. The server: [`Responder::answer`],
//! [`AwaitingHello::open_hello`], then [`ServerLink`].

#![warn(missing_docs)]

mod frame;
mod handshake;
mod hello;
mod inventory;
mod link;
mod message;
mod shape;
pub mod stream;
#[cfg(test)]
mod testing;
mod to_agent;
mod to_server;

mod pb {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/sallyport.agent.v1.rs"));
}

pub use frame::{FrameError, PIECE_BYTES};
pub use handshake::{Channel, HANDSHAKE_BYTES, Initiator, LinkKey, LinkSecret, Responder};
pub use hello::{Enrol, Hello, HelloClaims, HelloError};
pub use inventory::{
    Disk, Hardware, Interface, Inventory, ListeningPort, LocalUser, Process, Service, ServiceStart, ServiceState, SignedIn, Software,
    System,
};
pub use link::{AgentLink, AwaitingHello, Fault, LinkError, ServerLink};
pub use message::MessageError;
pub use to_agent::{DeviceState, GrantOffer, Inclusion, SealedSecret, ToAgent, UNSIGNED_MESSAGES, UnsignedToAgent};
pub use to_server::{Heartbeat, Place, Stream, ToServer};
