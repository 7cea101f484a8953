//! Why the store did not do what was asked.

use std::sync::Arc;

/// Everything that can go wrong in the store. Cloneable, because one failed commit answers many waiters.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The row changed since it was read: decide anew.
    #[error("the record changed meanwhile")]
    Conflict,
    /// No such row.
    #[error("no such record")]
    NotFound,
    /// A row with this key exists already.
    #[error("the record exists already")]
    Exists,
    /// The row names another one that does not exist, or is still named by another one.
    #[error("the record refers to one that does not exist")]
    Dangling,
    /// The change wrote no audit entry though it must; nothing was kept.
    #[error("the change left no audit entry")]
    Unaudited,
    /// Too many changes are waiting; nothing was done.
    #[error("the store is busy")]
    Busy,
    /// The store is shut.
    #[error("the store is closed")]
    Closed,
    /// The commit's answer was lost: the change may be kept or not. Read before trying again.
    #[error("the outcome of the commit is unknown")]
    Unknown(Fault),
    /// A change panicked; nothing of it was kept.
    #[error("the change panicked")]
    Panicked,
    /// No key signs checkpoints of this tenant, so nothing can be logged for it.
    #[error("no log key for this tenant")]
    NoLogKey,
    /// A stored value is not what the column promises.
    #[error("column {0} holds something else than expected")]
    Corrupt(&'static str),
    /// The database's address is of no known form.
    #[error("the database must be sqlite:PATH or postgres://HOST/NAME")]
    Address,
    /// The database was migrated by a newer version of the product.
    #[error("the database is newer than this program (migration {0:04} is unknown)")]
    Newer(i64),
    /// A migration that was applied has another text now.
    #[error("migration {0:04} was applied with another text")]
    Altered(i64),
    /// PostgreSQL is copied with its own tools.
    #[error("only a SQLite database is copied by this program; use pg_dump")]
    NotSqlite,
    /// The check of a file or of a log found damage.
    #[error("what is stored is not what was written")]
    Damaged,
    /// The file system refused.
    #[error("the database file cannot be used")]
    File(#[source] Arc<std::io::Error>),
    /// Anything else that the database said.
    #[error(transparent)]
    Database(Fault),
}

/// An error of the database driver.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Fault(Arc<sqlx::Error>);

impl Fault {
    /// Whether the same transaction may succeed when it is done again: serialization failure,
    /// deadlock (PostgreSQL 40001, 40P01), or another process holds SQLite's write lock.
    pub(crate) fn is_retryable(&self) -> bool {
        is_retryable(&self.0)
    }
}

impl StoreError {
    /// Whether nothing can be written: no room, or a disk that fails. SQLITE_FULL, SQLITE_IOERR and SQLITE_READONLY;
    /// PostgreSQL's 53100 (disk full) and class 58 (system error).
    pub fn is_disk(&self) -> bool {
        let Self::Database(fault) = self else { return false };
        let code = fault.0.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code == "53100" || (code.len() == 5 && code.starts_with("58")) || is_disk_failure(&code) || is_full(&code))
    }
}

/// SQLITE_FULL, and SQLITE_READONLY in any of its extended forms.
fn is_full(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 13))
}

/// As [`Fault::is_retryable`], before the error was translated.
pub(crate) fn is_retryable(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01" | "5" | "517" | "261"))
}

/// SQLITE_IOERR in any of its extended forms: a log frame may be on the disk although its flush failed.
/// (PostgreSQL's codes have five digits.)
fn is_disk_failure(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| code & 0xff == 10)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
            Some(ErrorKind::UniqueViolation) => Self::Exists,
            Some(ErrorKind::ForeignKeyViolation) => Self::Dangling,
            _ if matches!(error, sqlx::Error::PoolClosed) => Self::Closed,
            _ => Self::Database(Fault(Arc::new(error))),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

impl StoreError {
    /// A failed COMMIT: what the database refused is rolled back; of all else nothing is known.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        match error.as_database_error().map(sqlx::error::DatabaseError::code) {
            Some(code) if !code.as_deref().is_some_and(is_disk_failure) => Self::from(error),
            _ => Self::Unknown(Fault(Arc::new(error))),
        }
    }

    /// Whether doing the whole transaction again may help.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Database(fault) if fault.is_retryable())
    }
}
