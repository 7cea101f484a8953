//! Linux, from kernel 4.14 on; newer calls are used where they exist.

pub(crate) mod accounts;
pub(crate) mod files;
pub mod machine;
pub(crate) mod process;
pub(crate) mod sealed;
pub(crate) mod sweep;
