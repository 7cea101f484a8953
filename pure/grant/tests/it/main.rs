//! What the crate promises, feature by feature, through its public interface.
#![allow(clippy::unwrap_used)]

mod bodies;
mod checkpoints;
mod envelopes;
mod hostile;
mod merkles;
mod roots;
mod secrets;
mod strict_json;
mod vectors;
mod verification;
mod world;
