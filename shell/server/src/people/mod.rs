//! People over HTTP: users, roles, invitations, policy, mail.

pub(crate) mod shown;
