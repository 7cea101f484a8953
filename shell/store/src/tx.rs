//! Statements inside a transaction. A [`Reader`] sees one snapshot; a [`Tx`] also writes and logs.

use std::ops::{Deref, DerefMut};

use sallyport_decide::webhooks::Event;
use sallyport_model::{TenantId, Timestamp};
use sqlx::{Postgres, Sqlite, Transaction};

use crate::log::{Entry, Pending};
use crate::outbox::{self, Announced};
use crate::row::Engine;
use crate::{CheckpointSigner, Row, StoreError, Value};

/// Arguments of one statement: SQLite and PostgreSQL both allow at least this many.
const ARGUMENTS: usize = 32_000;

/// A read-only snapshot of the database.
pub struct Reader {
    pub(crate) conn: Conn,
    /// Set when the engine asked for the whole transaction again, whatever a change made of the error.
    pub(crate) redo: Option<StoreError>,
}

pub(crate) enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// The writer's transaction, as a change sees it.
pub struct Tx {
    reader: Reader,
    pub(crate) pending: Pending,
}

/// Runs one statement on whichever engine it is.
macro_rules! on_engine {
    ($reader:expr, $sql:expr, $args:expr, $run:ident) => {
        match &mut $reader.conn {
            Conn::Sqlite(tx) => bound!($sql, $args).$run(&mut **tx).await.map(FromEngine::from_sqlite),
            Conn::Postgres(tx) => bound!($sql, $args).$run(&mut **tx).await.map(FromEngine::from_postgres),
        }
    };
}

macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match arg {
                Value::Int(value) => query.bind(*value),
                Value::Bytes(value) => query.bind(value.as_deref()),
                Value::Text(value) => query.bind(value.as_deref()),
            };
        }
        query
    }};
}

impl Reader {
    pub(crate) fn new(conn: Conn) -> Self {
        Self { conn, redo: None }
    }

    /// All rows of the answer: use LIMIT.
    pub async fn fetch_all(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        let answer: Result<Rows, _> = on_engine!(self, sql, args, fetch_all);
        Ok(self.noted(answer)?.0)
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, StoreError> {
        let answer: Result<Rows, _> = on_engine!(self, sql, args, fetch_optional);
        Ok(self.noted(answer)?.0.pop())
    }

    /// The first row; [`StoreError::NotFound`] where there is none.
    pub async fn fetch_one(&mut self, sql: &'static str, args: &[Value]) -> Result<Row, StoreError> {
        self.fetch_optional(sql, args).await?.ok_or(StoreError::NotFound)
    }

    /// Remembers that the engine asked for the transaction again.
    fn noted<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            let error = StoreError::from(error);
            if error.is_retryable() {
                self.redo = Some(error.clone());
            }
            error
        })
    }
}

impl Tx {
    pub(crate) fn new(conn: Conn) -> Self {
        Self { reader: Reader::new(conn), pending: Pending::default() }
    }

    /// Runs a statement and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, StoreError> {
        let answer: Result<Touched, _> = on_engine!(self.reader, sql, args, execute);
        Ok(self.reader.noted(answer)?.0)
    }

    /// Runs `UPDATE ... SET ..., version = version + 1 WHERE id = $1 AND version = $2` (or a DELETE of
    /// that form), which must touch exactly one row: [`StoreError::Conflict`] where it touched none.
    pub async fn execute_versioned(&mut self, sql: &'static str, args: &[Value]) -> Result<(), StoreError> {
        match self.execute(sql, args).await? {
            0 => Err(StoreError::Conflict),
            _ => Ok(()),
        }
    }

    /// Inserts many rows with few statements. Table and columns are literals; `rows` have one value per column.
    pub async fn insert_rows(
        &mut self,
        table: &'static str,
        columns: &'static [&'static str],
        rows: &[Vec<Value>],
    ) -> Result<(), StoreError> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (some, later) = rest.split_at(rows_at_once(columns.len(), rest.len()));
            rest = later;
            let sql = insert_text(table, columns, some.len());
            let args = some.iter().flatten();
            // Only literals and counted placeholders are in the text: no value ever is.
            let sql = sqlx::AssertSqlSafe(sql);
            let answer: Result<Touched, _> = on_engine!(self.reader, sql, args, execute);
            self.reader.noted(answer)?;
        }
        Ok(())
    }

    /// Appends an entry to the tenant's audit log, in this transaction; returns its index in the log.
    pub async fn append(&mut self, tenant: TenantId, entry: Entry) -> Result<u64, StoreError> {
        self.pending.append(&mut self.reader, tenant, entry).await
    }

    /// Tells webhooks, once this transaction is committed, of what is no entry of the log. `key` tells it from every other event of its
    /// kind; entries of the log announce themselves.
    pub(crate) fn announce(&mut self, tenant: TenantId, at: Timestamp, key: &[u8], event: Event) {
        self.pending.announce(Announced::new(tenant, at, key, event));
    }

    /// Writes and signs what was appended, one checkpoint for each tenant, and what webhooks are told of it; says how long the logs are then.
    pub(crate) async fn seal(&mut self, signer: &dyn CheckpointSigner) -> Result<Vec<(TenantId, u64)>, StoreError> {
        let announced = self.pending.take_outbox();
        outbox::write(self, &announced).await?;
        let mut sizes = Vec::new();
        for log in std::mem::take(&mut self.pending).into_logs() {
            sizes.push(log.seal(self, signer).await?);
        }
        Ok(sizes)
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.reader.conn {
            Conn::Sqlite(tx) => tx.commit().await,
            Conn::Postgres(tx) => tx.commit().await,
        }
        .map_err(StoreError::of_commit)
    }
}

/// Powers of two, so that few different statements have to be prepared.
fn rows_at_once(columns: usize, rows: usize) -> usize {
    let most = rows.min(ARGUMENTS / columns).clamp(1, 128);
    1 << most.ilog2()
}

fn insert_text(table: &'static str, columns: &'static [&'static str], rows: usize) -> String {
    let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
    for row in 0..rows {
        let places: Vec<String> = (1..=columns.len()).map(|column| format!("${}", row * columns.len() + column)).collect();
        sql.push_str(if row == 0 { "(" } else { ", (" });
        sql.push_str(&places.join(", "));
        sql.push(')');
    }
    sql
}

impl Deref for Tx {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

struct Rows(Vec<Row>);
struct Touched(u64);

/// One shape for both engines' answers.
trait FromEngine<S, P>: Sized {
    fn from_sqlite(answer: S) -> Self;
    fn from_postgres(answer: P) -> Self;
}

impl FromEngine<Vec<sqlx::sqlite::SqliteRow>, Vec<sqlx::postgres::PgRow>> for Rows {
    fn from_sqlite(answer: Vec<sqlx::sqlite::SqliteRow>) -> Self {
        Self(answer.into_iter().map(|row| Row(Engine::Sqlite(row))).collect())
    }
    fn from_postgres(answer: Vec<sqlx::postgres::PgRow>) -> Self {
        Self(answer.into_iter().map(|row| Row(Engine::Postgres(row))).collect())
    }
}

impl FromEngine<Option<sqlx::sqlite::SqliteRow>, Option<sqlx::postgres::PgRow>> for Rows {
    fn from_sqlite(answer: Option<sqlx::sqlite::SqliteRow>) -> Self {
        Self(answer.map(|row| Row(Engine::Sqlite(row))).into_iter().collect())
    }
    fn from_postgres(answer: Option<sqlx::postgres::PgRow>) -> Self {
        Self(answer.map(|row| Row(Engine::Postgres(row))).into_iter().collect())
    }
}

impl FromEngine<sqlx::sqlite::SqliteQueryResult, sqlx::postgres::PgQueryResult> for Touched {
    fn from_sqlite(answer: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self(answer.rows_affected())
    }
    fn from_postgres(answer: sqlx::postgres::PgQueryResult) -> Self {
        Self(answer.rows_affected())
    }
}
