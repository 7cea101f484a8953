//! Numbered migrations: each is applied once, in one transaction with its checksum.
//!
//! To add one: write `migrations/NNNN_area.sql` (statements end with `;` at the end of a line; BIGINT,
//! BYTEA and TEXT columns only) and name it below. A migration that has been released is never edited.

use std::collections::BTreeMap;

use sallyport_model::Digest;
use sha2::{Digest as _, Sha256};

use crate::database::Database;
use crate::{StoreError, Tx, values};

struct Migration {
    number: i64,
    text: &'static str,
}

macro_rules! migrations {
    ($($number:literal $file:literal,)*) => {
        const MIGRATIONS: &[Migration] = &[$(Migration { number: $number, text: include_str!(concat!("../migrations/", $file, ".sql")) },)*];
    };
}

migrations! {
    1 "0001_log",
    2 "0002_accounts",
    3 "0003_fleet",
    10 "0010_people",
    11 "0011_passkeys_networks",
    12 "0012_device_bindings",
    20 "0020_remote",
    21 "0021_search",
    22 "0022_remote_policy",
    30 "0030_automation",
    40 "0040_device_grace",
    41 "0041_accepted_findings",
    42 "0042_admins_passkey",
    46 "0046_programs",
    49 "0049_schedules",
    50 "0050_licences",
    53 "0053_connections",
    55 "0055_webhooks",
    56 "0056_idempotency",
    57 "0057_recoveries",
    58 "0058_session_networks",
    59 "0059_approvals",
    60 "0060_device_codes",
    61 "0061_request_nonces",
    62 "0062_jobs_by_entry",
}

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, checksum BYTEA NOT NULL)";

/// Brings the schema up to this program; refuses a newer or an altered one.
pub(crate) async fn migrate(database: &Database) -> Result<(), StoreError> {
    migrate_with(database, MIGRATIONS).await
}

async fn migrate_with(database: &Database, wanted: &[Migration]) -> Result<(), StoreError> {
    let mut tx = Tx::new(database.begin_migration().await?);
    tx.execute(HISTORY, &[]).await?;
    let applied = applied(&mut tx).await?;
    if let Some(unknown) = applied.keys().find(|number| wanted.iter().all(|migration| migration.number != **number)) {
        return Err(StoreError::Newer(*unknown));
    }
    for migration in wanted {
        match applied.get(&migration.number) {
            None => apply(&mut tx, migration).await?,
            Some(checksum) if *checksum == migration.checksum() => {}
            Some(_) => return Err(StoreError::Altered(migration.number)),
        }
    }
    tx.commit().await
}

async fn applied(tx: &mut Tx) -> Result<BTreeMap<i64, Digest>, StoreError> {
    let rows = tx.fetch_all("SELECT number, checksum FROM migrations", &[]).await?;
    rows.iter().map(|row| Ok((row.int("number")?, row.digest("checksum")?))).collect()
}

async fn apply(tx: &mut Tx, migration: &Migration) -> Result<(), StoreError> {
    for statement in statements(migration.text) {
        tx.execute(statement, &[]).await?;
    }
    tx.execute("INSERT INTO migrations (number, checksum) VALUES ($1, $2)", values![migration.number, migration.checksum()]).await?;
    Ok(())
}

impl Migration {
    fn checksum(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(self.text).into())
    }
}

/// Splits where a line ends with `;`.
fn statements(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}
