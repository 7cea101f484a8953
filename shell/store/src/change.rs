//! A change of the database, as a value that can be applied more than once.

use crate::{StoreError, Tx};

/// Whether a change must leave an entry in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// The writer rolls the change back where it appended nothing.
    Required,
    /// Presence, counters, output: the reason is part of the reviewed list `audit-exempt.txt`.
    Exempt(&'static str),
}

/// One change: applied inside the writer's transaction, together with its audit entries.
///
/// `apply` may run several times (PostgreSQL may ask for the transaction again), always from the
/// same starting values and always rolled back before; so it takes `&self` and does nothing but SQL.
/// Times, ids and salts are fields of the change, chosen once by the caller.
pub trait Change: Send + Sync + 'static {
    /// What the caller learns once the change is durable.
    type Out: Send + 'static;

    /// Whether an audit entry is required; only a written reason exempts.
    const AUDIT: Audit = Audit::Required;

    /// Writes the change. An error rolls back this change alone.
    fn apply(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}
