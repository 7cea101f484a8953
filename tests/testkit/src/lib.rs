//! What tests, demo and benches share: a running server, a browser, the first owner.

pub mod agent;
pub mod authenticators;
pub mod browser;
pub mod client;
pub mod desktop;
pub mod fleet;
pub mod host;
pub mod installation;
pub mod licence;
pub mod mail;
pub mod operator;
pub mod owner;
pub mod passkey;
pub mod people;
pub mod postgres;
pub mod process;
pub mod python;
pub mod receiver;
pub mod relay;
pub mod remote;
pub mod rogue;
pub mod server;
pub mod simulated;
pub mod tool;
pub mod wire;
pub mod world;
