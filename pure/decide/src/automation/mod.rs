//! Automation: API clients, the tools that work in somebody's name, and what they show to get an access token.
//!
//! A client has a key pair, made where the tool runs, and no password. It signs an assertion (RFC 7523) with it, gets an access token that is
//! bound to a second key (RFC 9449), and may do what its owner may do at that moment, within its scopes. It proves nothing that only people
//! can: whatever is guarded waits for them.

pub mod assertion;
mod client;
pub mod host;
mod key;
pub mod licence;
mod token;

pub use client::{ChangeClient, ClientState, Rotation, Shape, ShapeError, Standing, Stopped, scopes};
pub use key::{ClientKey, ClientKeyError, KeyAge, KeyStanding, PublicJwk, age_of};
pub use licence::{IssueLicence, LicenceRefusal, LicenceRule, Licensed};
pub use token::{AccessToken, TokenError};
