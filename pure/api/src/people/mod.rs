//! People: users with their roles and scopes, invitations, the policy of factors and of sessions, mail.
//!
//! What is guarded answers 202 with an authorization request (or 201 where an open window is enough); the rest is done at once.

mod asked;
mod links;
mod policy;
mod roles;
mod users;

pub use asked::*;
pub use links::*;
pub use policy::*;
pub use roles::*;
pub use users::*;
