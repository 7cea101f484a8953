//! People over HTTP: users, roles, invitations, policy, mail.

pub(crate) mod activate;
pub(crate) mod ask;
pub(crate) mod execute;
mod facts;
mod machine;
pub(crate) mod not_me;
pub(crate) mod shown;
pub(crate) mod time;
pub(crate) mod users;

pub use machine::{RestartError, restart_enrolment};
