//! What the verbs need from the machine: found, installed where that is possible, and otherwise named with the command that installs it.

pub(crate) mod cargo_tool;
pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod rust;
