//! The commands.

pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod completion;
pub(crate) mod devices;
mod follow;
pub(crate) mod installers;
mod interrupt;
pub(crate) mod jobs;
pub(crate) mod login;
pub(crate) mod logout;
mod opening;
pub(crate) mod password;
pub(crate) mod posture;
pub(crate) mod remote_policy;
pub(crate) mod remote_sessions;
pub(crate) mod requests;
mod results;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod scripts;
mod secrets;
pub(crate) mod terminal;
pub(crate) mod tool;
pub(crate) mod users;
mod verify;
pub(crate) mod viewer;
pub(crate) mod whoami;
