//! The bridge: other vendors' APIs, with credentials that leave this server in one place (`send`) and come back in none.

pub(crate) mod connections;
pub(crate) mod proxy;
mod send;
mod shown;
pub(crate) mod time;
mod turn;

pub(crate) use shown::details;

/// What sealed credentials are sealed for, beside their place.
const LABEL: &str = "connection";

/// The place of a credential: a connection, and the credential's own id.
fn place(connection: sallyport_model::ConnectionId, id: [u8; 16]) -> Vec<u8> {
    [connection.as_bytes().as_slice(), &id].concat()
}
