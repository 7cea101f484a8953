//! What the product survives: crashes, hostile agents, hostile clients, a full disk, a clock that jumps.

mod agents;
mod clock;
mod disk;
mod http;
mod kill;
pub(crate) mod routes;
mod running;
mod web;
