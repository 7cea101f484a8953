//! What the crate promises, feature by feature, through its public interface.
#![allow(clippy::unwrap_used)]
// The golden vectors are files, and writing them anew is asked for by an environment variable.
#![allow(clippy::disallowed_methods)]

mod attestations;
mod bodies;
mod checkpoints;
mod envelopes;
mod errors;
mod hostile;
mod licences;
mod merkles;
mod occurrences;
mod order;
mod roots;
mod secrets;
mod strict_json;
mod vectors;
mod verification;
mod world;
