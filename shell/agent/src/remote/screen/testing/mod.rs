//! A client and a screen for tests.

pub(crate) mod client;
