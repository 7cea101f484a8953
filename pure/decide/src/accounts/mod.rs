//! Signing in: passwords, codes, recovery codes, sessions and the keys that they are bound to.

pub mod alone;
pub mod assurance;
pub mod by_kit;
pub mod device_bound;
pub mod device_code;
pub mod password;
pub mod program;
pub mod proof;
pub mod recovery;
pub mod session;
pub mod setup;
pub mod sign_in;
pub mod throttle;
pub mod totp;
pub mod webauthn;
pub mod whereabouts;
