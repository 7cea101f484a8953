//! The operations: one file per area, each the only place that knows the SQL of its tables.

pub mod erasure;
