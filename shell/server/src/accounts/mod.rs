//! Signing in over HTTP: set-up, sign-in, sessions, factors.
//!
//! Other parts of the server use: [`authenticate`] in front of every route with a session, [`dpop_nonce`] for every
//! answer, [`until_ended`] for streams, [`prove_totp`] for authorization requests, [`offer_setup`] and [`open_keys`] at start.

pub(crate) mod activation;
pub mod addresses;
mod authenticate;
pub(crate) mod breached;
pub mod by_kit;
mod cookie;
pub mod device;
pub mod enrol;
mod hashing;
mod live;
pub mod me;
pub mod nonce;
pub mod own;
pub mod passkey;
mod prove;
mod proven;
pub mod sessions;
pub mod setup;
pub mod sign_in;
mod start;
mod totp;
mod whereabouts;

pub(crate) use addresses::check_address;
pub use authenticate::until_ended;
pub(crate) use authenticate::{authenticate, authenticate_program, authenticated_well, known, program_session};
pub use breached::{BreachedLists, ImportError, Imported, ListFormat, import_passwords};
pub(crate) use cookie::{renew_token, set as renewed_cookie};
pub(crate) use live::refused as proof_refused;
pub use live::{Live, dpop_nonce};
pub(crate) use prove::begin_request;
pub use prove::{ProvenFactor, prove_passkey, prove_totp};
pub(crate) use proven::prove_for_token;
pub use proven::{Proven, Source};
pub(crate) use sign_in::Opening;
pub use start::{offer_setup, open_keys};
