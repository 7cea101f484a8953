//! Linux, from kernel 4.14 on; newer calls are used where they exist.

pub(crate) mod accounts;
pub(crate) mod acting;
pub(crate) mod entry;
pub(crate) mod files;
pub(crate) mod folder;
pub mod machine;
pub mod memory;
pub(crate) mod notice;
pub(crate) mod process;
pub(crate) mod pty;
pub(crate) mod sealed;
pub(crate) mod shared;
pub(crate) mod sweep;
pub(crate) mod target;
pub(crate) mod wake;
