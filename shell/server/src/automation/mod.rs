//! Automation over HTTP: API clients for people, and OAuth for the clients themselves.

mod authenticate;
pub(crate) mod clients;
pub(crate) mod device_codes;
pub(crate) mod keys;
pub(crate) mod licences;
mod licensed;
pub(crate) mod metadata;
mod oauth;
pub(crate) mod programs;
pub(crate) mod time;
pub(crate) mod token;

pub(crate) use authenticate::{authenticate, check_rules, known, shows_token};
pub(crate) use clients::details;
pub(crate) use licences::{details as licence_details, signed as signed_licence};
