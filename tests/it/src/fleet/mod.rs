//! What is managed and what is read, over HTTP, against a running server.

pub(crate) mod devices;
mod library;
mod live;
mod log;
pub(crate) mod search;
mod sums;

use sallyport_store::{Audit, Change, StoreError, Tx, Value};

/// Rows that only agents could bring in, put where they would put them.
pub(crate) struct Rows {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Change for Rows {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.insert_rows(self.table, self.columns, &self.rows).await
    }
}
