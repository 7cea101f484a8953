//! The link to the server: how it is made, and what goes over it.

mod connection;
mod uplink;

pub use connection::LinkEnd;
pub(crate) use connection::{Connection, Event, Greeting};
pub(crate) use uplink::Uplink;
