//! The operations: one file per area, each the only place that knows the SQL of its tables.

pub mod accounts;
pub mod enrolment;
pub mod erasure;
pub mod execute;
pub mod requests;
pub mod runs;
