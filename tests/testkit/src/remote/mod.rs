//! Both ends of a stream over real WebSockets: a client as the console is one, and a device without an agent's scruples.
//!
//! - `connection`: dialling with a ticket, and one end's state machine over what was dialled;
//! - `client`: from the answer of `POST /v1/remote-sessions` to a stream;
//! - `device`: from the offer of a grant to a stream;
//! - `flood`: an end that sends without pause while somebody takes its right away.

mod client;
mod connection;
mod device;
mod flood;

pub use client::{RemoteClient, body};
pub use connection::{Closed, NotLetIn, PROGRAM, RemoteEnd, Socket, dial};
pub use device::{RemoteDevice, ends, ticket_text};
pub use flood::{Flood, Heard, Pace, Reads};
