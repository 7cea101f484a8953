//! Signing in over HTTP: set-up, sign-in, sessions, factors.
//!
//! Other parts of the server use: [`authenticate`] in front of every route with a session, [`dpop_nonce`] for every
//! answer, [`until_ended`] for streams, [`prove_totp`] for authorization requests, [`offer_setup`] and [`open_keys`] at start.

mod authenticate;
mod breached;
mod cookie;
mod hashing;
mod live;
pub mod me;
pub mod nonce;
mod proven;
pub mod sessions;
pub mod setup;
pub mod sign_in;
mod start;
mod totp;

pub use authenticate::until_ended;
pub(crate) use authenticate::{authenticate, known};
pub use breached::BreachedList;
pub(crate) use cookie::set as renewed_cookie;
pub use live::{Live, dpop_nonce};
pub use proven::{Proven, Source};
pub use start::{offer_setup, open_keys};
pub use totp::{TotpUse, prove_totp};
