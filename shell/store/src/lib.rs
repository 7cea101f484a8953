//! Every byte at rest: SQLite (embedded) and PostgreSQL from one SQL text.
//!
//! Reading takes a snapshot; writing goes through one writer that groups many changes into one
//! transaction and signs one checkpoint for each tenant whose audit log grew. A change that must be
//! audited and appended nothing is rolled back.
//!
//! # How to write an operation
//!
//! Tables: add `migrations/NNNN_area.sql` with BIGINT, BYTEA and TEXT columns only, and name it in
//! `migrations.rs`. Operations: add `ops/area.rs`:
//!
//! ```
//! use sallyport_model::{Name, SiteId, TenantId, Timestamp};
//! use sallyport_store::{Actor, Change, Entry, Reader, StoreError, Tx, values};
//!
//! pub struct RenameSite { pub tenant: TenantId, pub site: SiteId, pub name: Name, pub version: i64, pub by: Actor, pub at: Timestamp, pub salt: [u8; 32] }
//!
//! impl Change for RenameSite {
//!     type Out = u64; // what the caller learns: here the entry's index in the log
//!
//!     async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
//!         let sql = "UPDATE sites SET name = $4, version = version + 1 WHERE tenant = $1 AND id = $2 AND version = $3";
//!         tx.execute_versioned(sql, values![self.tenant, self.site, self.version, self.name]).await?;
//!         let payload = serde_json::json!({ "site": self.site, "name": self.name });
//!         tx.append(self.tenant, Entry::new("site.renamed", self.by, self.at, self.salt, payload)).await
//!     }
//! }
//!
//! pub async fn site_name(reader: &mut Reader, tenant: TenantId, site: SiteId) -> Result<Name, StoreError> {
//!     reader.fetch_one("SELECT name FROM sites WHERE tenant = $1 AND id = $2", values![tenant, site]).await?.get("name")
//! }
//! ```
//!
//! The caller says `store.commit(RenameSite { .. }).await?` and `site_name(&mut store.read().await?, ..)`;
//! inside `apply`, `site_name(tx, ..)` works too.
//!
//! # Rules that the two engines share
//!
//! * Parameters are `$1`, `$2`, ...; `ON CONFLICT` and `RETURNING` exist on both.
//! * Integers are BIGINT: write `CAST(SUM(x) AS BIGINT)`, for PostgreSQL sums are of another type, and
//!   `CAST(1 AS BIGINT)` for a literal that is read back. `COUNT(*)` is fine.
//! * Texts compare by bytes: lower-case in Rust, never with `LIKE` (SQLite ignores case there, PostgreSQL does not).
//! * Many rows at once: [`Tx::insert_rows`].
//! * `apply` may run several times and must do nothing but SQL; a failed statement ends the change (on PostgreSQL
//!   nothing more can be asked of it): use `ON CONFLICT DO NOTHING` where a duplicate is expected.
//! * Without an audit entry: `const AUDIT: Audit = Audit::Exempt("why");`, on one line, and the reviewed list
//!   `audit-exempt.txt` grows by it.

mod change;
mod database;
mod error;
pub mod log;
mod migrations;
pub mod ops;
mod outbox;
mod row;
mod store;
mod tx;
mod value;
mod writer;

pub use change::{Audit, Change};
pub use error::{Fault, StoreError};
pub use log::{Actor, CheckpointSigner, Entry};
pub use row::{FromValue, Row};
pub use store::{Store, check_copy, is_vacant};
pub use tx::{Reader, Tx};
pub use value::{ToValue, Value};
