//! Jobs, runs and their output as people read them.

mod output;
mod read;
mod utf8;

pub(crate) use output::output;
pub(crate) use read::{list, receipt, run, runs, show};
