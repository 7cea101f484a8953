//! What is managed and what is read, over HTTP, against a running server.

pub(crate) mod devices;
mod library;
mod live;
mod log;
pub(crate) mod search;
mod sums;
