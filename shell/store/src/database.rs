//! The two engines: how they are opened and how their transactions begin. Only this file knows which is which.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Postgres, Transaction};

use crate::StoreError;
use crate::tx::Conn;

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;
/// Pages that the connection that writes and each that reads keep, in KiB (SQLite's sign says so): the system's own cache has the rest
/// of the file, and what is kept here is memory for each device of a large installation.
const WRITER_CACHE: &str = "-8192";
const READER_CACHE: &str = "-2048";
/// How long a connection is waited for.
const ACQUIRE: Duration = Duration::from_secs(10);
/// A connection that was not used for so long may have lost its server.
const RESTED: Duration = Duration::from_millis(500);
/// How long another process may hold SQLite's write lock.
const LOCKED: Duration = Duration::from_secs(5);
/// Any number that no other program locks in the same database.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7310579204)";

/// Where the data is. A writer's connection of its own keeps readers from delaying commits.
pub(crate) enum Database {
    Sqlite { path: PathBuf, writer: SqlitePool, readers: SqlitePool },
    Postgres { writer: PgPool, readers: PgPool },
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://...`.
    pub(crate) async fn open(address: &str, readers: u32) -> Result<Self, StoreError> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return open_postgres(address, readers).await;
        }
        match address.strip_prefix("sqlite:") {
            // Writer and readers are several connections, which have no memory in common.
            Some("" | ":memory:") | None => Err(StoreError::Address),
            Some(path) => open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), readers).await,
        }
    }

    /// A snapshot that cannot write.
    pub(crate) async fn begin_read(&self) -> Result<Conn, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Conn::Sqlite(readers.begin().await?),
            Self::Postgres { readers, .. } => Conn::Postgres(begin(readers, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?),
        })
    }

    /// The writer's transaction.
    pub(crate) async fn begin_write(&self) -> Result<Conn, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Conn::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { writer, .. } => Conn::Postgres(begin(writer, "BEGIN ISOLATION LEVEL SERIALIZABLE").await?),
        })
    }

    /// The writer's transaction after it lost races: on PostgreSQL it first waits until no other
    /// process appends, so that its snapshot is younger than all they wrote.
    pub(crate) async fn begin_write_first(&self) -> Result<Conn, StoreError> {
        let mut conn = self.begin_write().await?;
        if let Conn::Postgres(tx) = &mut conn {
            sqlx::query("LOCK TABLE log_heads IN EXCLUSIVE MODE").execute(&mut **tx).await?;
        }
        Ok(conn)
    }

    /// A transaction that may change the schema, one process at a time.
    pub(crate) async fn begin_migration(&self) -> Result<Conn, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Conn::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { writer, .. } => {
                let mut tx = writer.begin().await?;
                sqlx::query(MIGRATION_LOCK).execute(&mut *tx).await?;
                Conn::Postgres(tx)
            }
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

async fn open_sqlite(path: &Path, readers: u32) -> Result<Database, StoreError> {
    make_private(path)?;
    let writing = sqlite_options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", WRITER_CACHE)
        // What is erased from the log is overwritten where that costs no extra write.
        .pragma("secure_delete", "FAST");
    let reading = sqlite_options(path).pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
    Ok(Database::Sqlite {
        path: path.to_owned(),
        writer: sqlite_pool(1).connect_with(writing).await?,
        readers: sqlite_pool(readers).connect_with(reading).await?,
    })
}

/// SQLite ends a transaction by itself where the disk is full or fails; the driver then still counts it as
/// open and would refuse every later one. Such a connection is thrown away.
fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    // A file does not hang up, and each question to a connection wakes its thread: none is asked that no answer depends on.
    pool.test_before_acquire(false).after_release(|connection, _| {
        Box::pin(async move {
            if connection.is_in_transaction() {
                // Waits until a rollback that was only queued is done.
                connection.ping().await?;
            }
            Ok(!connection.is_in_transaction())
        })
    })
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(LOCKED)
        .statement_cache_capacity(STATEMENTS)
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(1))
}

/// Makes the file, or takes it, readable by its owner alone; SQLite gives its side files the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// A connection that was used a moment ago is taken as it is; one that rested is asked first whether its server is still there.
fn postgres_pool(connections: u32) -> PgPoolOptions {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    pool.test_before_acquire(false).before_acquire(|connection, used| {
        Box::pin(async move {
            if used.idle_for > RESTED {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

/// Begins on a connection that has its server still. Those that lost it a moment ago are not asked beforehand, are found here, where nothing
/// was done on them yet, and are thrown away.
async fn begin(pool: &PgPool, how: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    for _ in 0..pool.size() {
        match pool.begin_with(how).await {
            Err(error) if has_hung_up(&error) => {}
            begun => return begun,
        }
    }
    pool.begin_with(how).await
}

/// Whether the server ended the connection, said (`57P01`, `57P02`: an operator's word, or a crash) or not.
fn has_hung_up(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

async fn open_postgres(address: &str, readers: u32) -> Result<Database, StoreError> {
    let options: PgConnectOptions = address.parse().map_err(|_| StoreError::Address)?;
    let options = options
        .application_name("sallyport")
        .statement_cache_capacity(STATEMENTS)
        .options([("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")]);
    let (writer, readers) = (postgres_pool(1), postgres_pool(readers));
    Ok(Database::Postgres { writer: writer.connect_with(options.clone()).await?, readers: readers.connect_with(options).await? })
}

/// Whether a PostgreSQL database has no table of anybody's yet.
pub(crate) async fn is_vacant(address: &str) -> Result<bool, StoreError> {
    let options: PgConnectOptions = address.parse().map_err(|_| StoreError::Address)?;
    let mut connection = options.connect().await?;
    let sql = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1";
    let found = sqlx::query(sql).fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(found.is_none())
}

/// Copies a running SQLite database into a new file.
pub(crate) async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    // VACUUM INTO takes an existing file only while it is empty, so nothing is overwritten.
    make_private(to)?;
    let target = to.to_str().ok_or(StoreError::Address)?;
    let mut connection = sqlite_options(from).connect().await?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await?;
    connection.close().await?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// Reads a whole SQLite file and checks its structure and references.
pub(crate) async fn check_sqlite(path: &Path) -> Result<(), StoreError> {
    let mut connection = sqlite_options(path).read_only(true).connect().await?;
    let said: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check").fetch_all(&mut connection).await?;
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await?;
    connection.close().await?;
    match said.as_slice() {
        [(only,)] if only == "ok" && dangling.is_empty() => Ok(()),
        _ => Err(StoreError::Damaged),
    }
}
