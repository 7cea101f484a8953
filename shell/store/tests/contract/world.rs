//! A store on either engine, and small changes to play with.

use std::sync::Arc;

use sallyport_grant::merkle::TreeHead;
use sallyport_grant::{SigningKey, VerifyKey, checkpoint};
use sallyport_model::{TenantId, Timestamp};
use sallyport_store::{Actor, Audit, Change, CheckpointSigner, Entry, Reader, Store, StoreError, Tx, Value, log, values};
use serde_json::json;

pub(crate) fn ours() -> TenantId {
    TenantId::from_bytes([7; 16])
}

pub(crate) fn theirs() -> TenantId {
    TenantId::from_bytes([8; 16])
}

pub(crate) fn keyless_tenant() -> TenantId {
    TenantId::from_bytes([9; 16])
}

pub(crate) struct World {
    pub(crate) address: String,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("store.db").display());
        Self::at(address, folder).await
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::at(crate::postgres::fresh_database(), tempfile::tempdir().unwrap()).await
    }

    async fn at(address: String, folder: tempfile::TempDir) -> Self {
        let store = open(&address).await.unwrap();
        run(&store, "CREATE TABLE things (id BIGINT PRIMARY KEY, version BIGINT NOT NULL, size BIGINT, blob BYTEA, label TEXT)").await;
        Self { address, folder, store }
    }

    /// The numbers of all stored things.
    pub(crate) async fn things(&self) -> Vec<i64> {
        things(&self.store).await
    }

    /// Checks the log against all its leaves, and returns its size.
    pub(crate) async fn check_log(&self, tenant: TenantId) -> u64 {
        check_log(&mut self.store.read().await.unwrap(), tenant).await
    }
}

pub(crate) async fn open(address: &str) -> Result<Store, StoreError> {
    Store::open(address, Arc::new(Keyring(key()))).await
}

pub(crate) async fn things(store: &Store) -> Vec<i64> {
    let rows = store.read().await.unwrap().fetch_all("SELECT id FROM things ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.int("id").unwrap()).collect()
}

/// Root and checkpoint must be those of an independent computation over every leaf.
pub(crate) async fn check_log(reader: &mut Reader, tenant: TenantId) -> u64 {
    let leaves = leaves(reader, tenant).await;
    let head = log::head(reader, tenant).await.unwrap();
    let expected = TreeHead { size: leaves.len() as u64, root: sallyport_grant::merkle::root_of(&leaves) };
    assert_eq!((head.size, head.root), (expected.size, expected.root));
    assert_eq!(checkpoint::verify(&head.checkpoint, &origin(tenant), &VerifyKey::of(&key())), Ok(expected));
    head.size
}

/// The leaf hashes of all entries, in order, with no index left out.
pub(crate) async fn leaves(reader: &mut Reader, tenant: TenantId) -> Vec<sallyport_model::Digest> {
    let sql = "SELECT idx, data FROM log_entries WHERE tenant = $1 ORDER BY idx";
    let rows = reader.fetch_all(sql, values![tenant]).await.unwrap();
    let numbered = rows.iter().enumerate();
    numbered
        .map(|(index, row)| {
            assert_eq!(row.uint("idx").unwrap(), index as u64);
            sallyport_grant::merkle::leaf_hash(&row.bytes("data").unwrap())
        })
        .collect()
}

pub(crate) fn origin(tenant: TenantId) -> String {
    format!("sallyport/{tenant}")
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// Signs for every tenant but one.
struct Keyring(SigningKey);

impl CheckpointSigner for Keyring {
    fn sign(&self, tenant: TenantId, head: TreeHead) -> Option<String> {
        (tenant != keyless_tenant()).then(|| checkpoint::sign(&origin(tenant), head, &self.0))
    }
}

pub(crate) fn moment(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000 + secs)
}

pub(crate) fn entry(kind: &'static str, n: i64) -> Entry {
    Entry::new(kind, Actor::System, moment(n), [n as u8; 32], json!({ "n": n }))
}

/// Adds a thing, with an audit entry of the tenant.
#[derive(Clone)]
pub(crate) struct Add {
    pub(crate) id: i64,
    pub(crate) tenant: TenantId,
}

pub(crate) fn add(id: i64) -> Add {
    Add { id, tenant: ours() }
}

impl Change for Add {
    type Out = u64;
    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        tx.execute("INSERT INTO things (id, version) VALUES ($1, 1)", values![self.id]).await?;
        tx.append(self.tenant, entry("thing.added", self.id)).await
    }
}

/// One statement without an audit entry.
pub(crate) struct Sql(pub(crate) &'static str, pub(crate) Vec<Value>);

impl Change for Sql {
    type Out = u64;
    const AUDIT: Audit = Audit::Exempt("tests");
    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        tx.execute(self.0, &self.1).await
    }
}

pub(crate) async fn run(store: &Store, sql: &'static str) {
    store.reserve(Sql(sql, Vec::new())).await.unwrap();
}

/// Holds the writer until the sender is dropped, so that what is queued meanwhile forms one batch.
pub(crate) struct Hold(pub(crate) tokio::sync::watch::Receiver<()>);

impl Change for Hold {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");
    async fn apply(&self, _: &mut Tx) -> Result<(), StoreError> {
        let _ = self.0.clone().changed().await;
        Ok(())
    }
}

/// Queues all changes behind a held writer, lets it go, and gives the answers in order.
pub(crate) async fn together<C: Change>(store: &Store, changes: impl IntoIterator<Item = C>) -> Vec<Result<C::Out, StoreError>> {
    let (release, held) = tokio::sync::watch::channel(());
    let holding = tokio::spawn({
        let store = store.clone();
        async move { store.commit(Hold(held)).await }
    });
    tokio::task::yield_now().await;
    let queued: Vec<_> = changes
        .into_iter()
        .map(|change| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(change).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(release);
    holding.await.unwrap().unwrap();
    let mut answers = Vec::new();
    for task in queued {
        answers.push(task.await.unwrap());
    }
    answers
}
