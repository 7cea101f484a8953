//! A client and screens for tests: real X servers with real programs.

pub(crate) mod client;
pub(crate) mod screen;
pub(crate) mod watcher;
