//! What tests, demo and benches share: a running server, a browser, the first owner.

pub mod client;
pub mod owner;
pub mod server;
