//! Copying an installation on SQLite and putting a copy back. PostgreSQL has `pg_dump`; the master key is copied by hand there.

use std::path::Path;
use std::sync::Arc;

use sallyport_grant::merkle::TreeHead;
use sallyport_model::TenantId;
use sallyport_store::{CheckpointSigner, Store, StoreError, check_copy};

use crate::config::Config;
use crate::keys::{KeyError, Keys};

const DATABASE: &str = "sallyport.db";
const MASTER_KEY: &str = "master.key";
/// In the data folder: its age is the age of the last backup, and posture reads it.
pub(crate) const LAST_BACKUP: &str = "last-backup";

/// Why a copy was not made or not put back.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The database cannot be copied, or the copy is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// There is an installation already.
    #[error("{0} exists already; move it away first")]
    Occupied(String),
    /// The database is PostgreSQL.
    #[error("this works on SQLite; use pg_dump and pg_restore, and copy the master key")]
    NotSqlite,
    /// The copied master key does not open the copied database.
    #[error("the master key of the copy does not fit its database: {0}")]
    Key(#[from] KeyError),
    /// The copied keys do not open.
    #[error("the keys in the copy do not open: {0}")]
    Keys(String),
}

/// A copy is only read: it signs nothing.
struct NoSigner;

impl CheckpointSigner for NoSigner {
    fn sign(&self, _: TenantId, _: TreeHead) -> Option<String> {
        None
    }
}

/// Copies the database, running or not, and the master key into a new folder.
///
/// # Errors
/// When the database is not SQLite or something cannot be read or written.
pub async fn back_up(config: &Config, to: &Path) -> Result<(), KeepError> {
    let store = Store::open(&config.database, Arc::new(NoSigner)).await?;
    private_folder(to)?;
    store.back_up(&to.join(DATABASE)).await?;
    store.close().await;
    copy(&config.master_key, &to.join(MASTER_KEY))?;
    let mark = config.data_dir.join(LAST_BACKUP);
    std::fs::write(&mark, "").map_err(|error| KeepError::File(mark.display().to_string(), error))
}

/// Checks a copy, and puts it where no installation is yet.
///
/// # Errors
/// When the copy is damaged, does not fit together, or the place is taken.
pub async fn restore(config: &Config, from: &Path) -> Result<(), KeepError> {
    let database = config.database.strip_prefix("sqlite:").ok_or(KeepError::NotSqlite)?;
    for place in [Path::new(database), &config.master_key] {
        if place.exists() {
            return Err(KeepError::Occupied(place.display().to_string()));
        }
    }
    check_copy(&from.join(DATABASE)).await?;
    fits(from).await?;
    private_folder(&config.data_dir)?;
    copy(&from.join(DATABASE), Path::new(database))?;
    copy(&from.join(MASTER_KEY), &config.master_key)
}

/// The master key opens every tenant's keys. Looked at in a scratch copy, so that the backup itself is not written to.
async fn fits(from: &Path) -> Result<(), KeepError> {
    let keys = Keys::open(&from.join(MASTER_KEY))?;
    let scratch = from.join(".check.db");
    copy(&from.join(DATABASE), &scratch)?;
    let store = Store::open(&format!("sqlite:{}", scratch.display()), Arc::new(NoSigner)).await?;
    let opened = crate::accounts::open_keys(&store, &keys).await;
    store.close().await;
    for rest in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(from.join(format!(".check.db{rest}")));
    }
    opened.map_err(|error| KeepError::Keys(error.to_string()))
}

fn private_folder(path: &Path) -> Result<(), KeepError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| KeepError::File(path.display().to_string(), error))
}

/// Copies a file with its mode, durably.
fn copy(from: &Path, to: &Path) -> Result<(), KeepError> {
    let wrong = |path: &Path| {
        let name = path.display().to_string();
        move |error| KeepError::File(name, error)
    };
    std::fs::copy(from, to).map_err(wrong(from))?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(wrong(to))
}
