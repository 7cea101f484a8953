//! The operations: one file per area, each the only place that knows the SQL of its tables.

pub mod accepted;
pub mod accounts;
pub mod automation;
pub mod bridge;
pub mod customers;
pub mod devices;
pub mod enrolment;
pub mod erasure;
pub mod execute;
pub mod housekeeping;
pub mod installers;
pub mod jobs;
pub mod names;
pub mod networks;
pub mod once;
pub mod people;
pub mod posture;
pub mod remote;
pub mod requests;
pub mod runs;
pub mod schedules;
pub mod scripts;
pub mod search;
pub mod targets;
pub mod webhooks;
