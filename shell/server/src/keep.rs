//! Copying an installation and putting a copy back: the database and the master key, together or not at all.

mod postgres;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use sallyport_grant::merkle::TreeHead;
use sallyport_model::TenantId;
use sallyport_store::{CheckpointSigner, Store, StoreError, check_copy, is_vacant};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::keys::{KeyError, Keys};
use crate::outside::SystemEntropy;

const DATABASE: &str = "sallyport.db";
/// What `pg_dump` wrote.
const DUMP: &str = "sallyport.dump";
/// The dump's digest, sealed by the master key: shows that both belong together and neither changed since.
const DUMP_SEAL: &str = "sallyport.dump.seal";
const MASTER_KEY: &str = "master.key";
/// In the data folder: its age is the age of the last backup, and posture reads it.
pub(crate) const LAST_BACKUP: &str = "last-backup";
const LABEL: &str = "backup";

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
    /// The PostgreSQL database has tables already.
    #[error("the database has tables already; name an empty one")]
    NotVacant,
    /// The copy is of the other kind of database.
    #[error("the copy has no {0}: it was made of an installation on the other kind of database, or is not whole")]
    OtherKind(&'static str),
    /// PostgreSQL's own program is not there.
    #[error("{0} cannot be started ({1}); install PostgreSQL's client programs (Debian: postgresql-client)")]
    Program(&'static str, std::io::Error),
    /// PostgreSQL's own program refused.
    #[error("{0} did not succeed: {1}")]
    Refused(&'static str, String),
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

/// The file of an SQLite database; PostgreSQL has none that is ours.
fn file_of(config: &Config) -> Option<&Path> {
    config.database.strip_prefix("sqlite:").map(Path::new)
}

/// Copies the database, running or not, and the master key into a new folder.
///
/// # Errors
/// When something cannot be read or written.
pub async fn back_up(config: &Config, to: &Path) -> Result<(), KeepError> {
    let store = Store::open(&config.database, Arc::new(NoSigner)).await?;
    private_folder(to)?;
    if file_of(config).is_some() {
        store.back_up(&to.join(DATABASE)).await?;
    }
    store.close().await;
    copy(&config.master_key, &to.join(MASTER_KEY))?;
    if file_of(config).is_none() {
        dump(&config.database, to)?;
    }
    let mark = config.data_dir.join(LAST_BACKUP);
    std::fs::write(&mark, "").map_err(wrong(&mark))
}

/// One moment of a PostgreSQL database, sealed by the master key that was copied just before.
fn dump(database: &str, to: &Path) -> Result<(), KeepError> {
    let (dump, seal) = (to.join(DUMP), to.join(DUMP_SEAL));
    postgres::dump(database, &dump)?;
    let digest = digest(&dump)?;
    let sealed = Keys::open(&to.join(MASTER_KEY), Arc::new(SystemEntropy))?.seal(LABEL, DUMP.as_bytes(), &digest);
    private_file(&seal, &sealed).map_err(wrong(&seal))?;
    [dump, seal].iter().try_for_each(|path| std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(wrong(path)))
}

/// Checks a copy, and puts it where no installation is yet.
///
/// # Errors
/// When the copy is damaged, does not fit together, or the place is taken.
pub async fn restore(config: &Config, from: &Path) -> Result<(), KeepError> {
    let database = file_of(config);
    for place in database.into_iter().chain([config.master_key.as_path()]) {
        if place.exists() {
            return Err(KeepError::Occupied(place.display().to_string()));
        }
    }
    let kept = if database.is_some() { DATABASE } else { DUMP };
    for name in [kept, MASTER_KEY] {
        if !from.join(name).exists() {
            return Err(KeepError::OtherKind(name));
        }
    }
    match database {
        Some(database) => {
            check_copy(&from.join(DATABASE)).await?;
            fits(from).await?;
            private_folder(&config.data_dir)?;
            copy(&from.join(DATABASE), database)?;
        }
        None => {
            is_sealed(from)?;
            if !is_vacant(&config.database).await? {
                return Err(KeepError::NotVacant);
            }
            private_folder(&config.data_dir)?;
            postgres::restore(&config.database, &from.join(DUMP))?;
        }
    }
    copy(&from.join(MASTER_KEY), &config.master_key)
}

/// The master key opens every tenant's keys. Looked at in a scratch copy, so that the backup itself is not written to.
async fn fits(from: &Path) -> Result<(), KeepError> {
    let keys = Keys::open(&from.join(MASTER_KEY), Arc::new(SystemEntropy))?;
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

/// The dump is the one that was made, and the master key is the one that was copied beside it.
fn is_sealed(from: &Path) -> Result<(), KeepError> {
    let seal = from.join(DUMP_SEAL);
    let sealed = std::fs::read(&seal).map_err(wrong(&seal))?;
    let opened = Keys::open(&from.join(MASTER_KEY), Arc::new(SystemEntropy))?.open_sealed(LABEL, DUMP.as_bytes(), &sealed);
    let wanted = opened.map_err(|error| KeepError::Keys(error.to_string()))?;
    if wanted.as_slice() == digest(&from.join(DUMP))? { Ok(()) } else { Err(StoreError::Damaged.into()) }
}

fn digest(path: &Path) -> Result<[u8; 32], KeepError> {
    let mut file = std::fs::File::open(path).map_err(wrong(path))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece).map_err(wrong(path))? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&piece[..read]),
        }
    }
}

fn private_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

fn private_folder(path: &Path) -> Result<(), KeepError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong(path))
}

/// Copies a file with its mode, durably.
fn copy(from: &Path, to: &Path) -> Result<(), KeepError> {
    std::fs::copy(from, to).map_err(wrong(from))?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(wrong(to))
}

fn wrong(path: &Path) -> impl FnOnce(std::io::Error) -> KeepError + use<> {
    let name = path.display().to_string();
    move |error| KeepError::File(name, error)
}
