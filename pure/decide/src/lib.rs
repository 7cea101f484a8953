//! Every decision that the server makes: facts come in as values with the time, a decision goes out as a value.

#![warn(missing_docs)]

pub mod accounts;
pub mod actions;
pub mod automation;
pub mod bridge;
pub mod client_address;
pub mod enrolment;
pub mod networks;
pub mod outbound;
pub mod people;
pub mod policy;
pub mod posture;
pub mod rate;
pub mod remote_policy;
pub mod schedules;
pub mod scripts;
pub mod search;
pub mod webhooks;
