//! What is managed, and with what: customers, devices, installers, the script library.

pub(crate) mod customers;
pub(crate) mod devices;
pub(crate) mod findable;
pub(crate) mod installers;
pub(crate) mod scripts;
pub(crate) mod search;
