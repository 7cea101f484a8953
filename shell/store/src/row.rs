//! What comes out of a statement: rows with typed columns.

use sallyport_model::{AgentText, Digest, Email, Name, Tag, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// One row of an answer. Columns are read by name; what does not fit is [`StoreError::Corrupt`].
pub struct Row(pub(crate) Engine);

pub(crate) enum Engine {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What can be read from a column.
pub trait FromValue: Sized {
    /// The column's value, or `None` where it is NULL.
    fn from_value(row: &Row, column: &'static str) -> Result<Option<Self>, StoreError>;
}

macro_rules! named {
    ($($(#[$doc:meta])* $one:ident, $optional:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $one(&self, column: &'static str) -> Result<$type, StoreError> {
            self.get(column)
        }

        /// The same, or `None` where the column is NULL.
        pub fn $optional(&self, column: &'static str) -> Result<Option<$type>, StoreError> {
            self.get_opt(column)
        }
    )*};
}

impl Row {
    /// The value of a column that is never NULL.
    pub fn get<T: FromValue>(&self, column: &'static str) -> Result<T, StoreError> {
        T::from_value(self, column)?.ok_or(StoreError::Corrupt(column))
    }

    /// The value of a column that may be NULL.
    pub fn get_opt<T: FromValue>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        T::from_value(self, column)
    }

    named! {
        /// A number.
        int, int_opt: i64;
        /// A number that is never negative.
        uint, uint_opt: u64;
        /// A flag, stored as 0 or 1.
        flag, flag_opt: bool;
        /// A moment.
        time, time_opt: Timestamp;
        /// A text.
        text, text_opt: String;
        /// A blob.
        bytes, bytes_opt: Vec<u8>;
        /// A SHA-256 value.
        digest, digest_opt: Digest;
    }

    /// An id of the wanted kind: `row.id::<DeviceId>("device")?`.
    pub fn id<T: FromValue>(&self, column: &'static str) -> Result<T, StoreError> {
        self.get(column)
    }

    /// The same, or `None` where the column is NULL.
    pub fn id_opt<T: FromValue>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.get_opt(column)
    }

    /// A text of some closed form, such as an enum's written name.
    pub fn parse<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| StoreError::Corrupt(column))
    }
}

macro_rules! stored {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(row: &Row, column: &'static str) -> Result<Option<Self>, StoreError> {
                match &row.0 {
                    Engine::Sqlite(row) => row.try_get(column),
                    Engine::Postgres(row) => row.try_get(column),
                }
                .map_err(|_| StoreError::Corrupt(column))
            }
        }
    )*};
}

stored!(i64, String, Vec<u8>);

macro_rules! derived {
    ($($type:ty, $from:ty, $of:expr;)*) => {$(
        impl FromValue for $type {
            fn from_value(row: &Row, column: &'static str) -> Result<Option<Self>, StoreError> {
                let of: fn($from) -> Option<$type> = $of;
                <$from>::from_value(row, column)?.map(|value| of(value).ok_or(StoreError::Corrupt(column))).transpose()
            }
        }
    )*};
}

derived! {
    u64, i64, |n| n.try_into().ok();
    u32, i64, |n| n.try_into().ok();
    u16, i64, |n| n.try_into().ok();
    u8, i64, |n| n.try_into().ok();
    i32, i64, |n| n.try_into().ok();
    usize, i64, |n| n.try_into().ok();
    bool, i64, |n| match n { 0 => Some(false), 1 => Some(true), _ => None };
    Timestamp, i64, |n| Some(Timestamp::from_micros(n));
    Digest, [u8; 32], |bytes| Some(Digest::from_bytes(bytes));
    Name, String, |text| Name::parse(&text).ok();
    Email, String, |text| Email::parse(&text).ok();
    Tag, String, |text| Tag::parse(&text).ok();
    AgentText, String, |text| Some(AgentText::tame(&text, usize::MAX));
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(row: &Row, column: &'static str) -> Result<Option<Self>, StoreError> {
        Vec::<u8>::from_value(row, column)?.map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt(column))).transpose()
    }
}
