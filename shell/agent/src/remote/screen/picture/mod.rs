//! Pictures as plain memory: what a client has, what changed since, and what only moved.

pub(crate) mod changes;
pub(crate) mod frame;
pub(crate) mod rect;
pub(crate) mod scroll;
