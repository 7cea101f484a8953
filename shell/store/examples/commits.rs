//! Measures durable commits per second: `cargo run --release -p sallyport-store --example commits [ADDRESS]`.
//! Each commit inserts one row and appends one entry to the audit log.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sallyport_grant::merkle::TreeHead;
use sallyport_grant::{SigningKey, checkpoint};
use sallyport_model::{TenantId, Timestamp};
use sallyport_store::{Actor, Change, CheckpointSigner, Entry, Store, StoreError, Tx};
use serde_json::json;

/// How long each number of committers is measured.
const MEASURED: Duration = Duration::from_secs(3);

struct Keyring(SigningKey);

impl CheckpointSigner for Keyring {
    fn sign(&self, tenant: TenantId, head: TreeHead) -> Option<String> {
        Some(checkpoint::sign(&format!("sallyport/{tenant}"), head, &self.0))
    }
}

struct Append;

impl Change for Append {
    type Out = u64;
    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let payload = json!({ "device": "dev_00000000000000000000000000", "tags": ["web", "lyon"] });
        let entry = Entry::new("device.tagged", Actor::System, Timestamp::from_secs(1_790_000_000), [1; 32], payload);
        tx.append(TenantId::from_bytes([7; 16]), entry).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let address = std::env::args().nth(1).unwrap_or_else(|| format!("sqlite:{}", folder.path().join("commits.db").display()));
    let store = Store::open(&address, Arc::new(Keyring(SigningKey::from_bytes(&[1; 32])))).await?;
    for committers in [1, 8, 64, 256] {
        let transactions = store.transactions();
        let begun = Instant::now();
        let tasks: Vec<_> = (0..committers).map(|_| tokio::spawn(commit_until(store.clone(), begun + MEASURED))).collect();
        let mut commits = 0;
        for task in tasks {
            commits += task.await??;
        }
        let (seconds, transactions) = (begun.elapsed().as_secs_f64(), store.transactions() - transactions);
        println!(
            "{committers:>4} committers: {:>7.0} commits/s in {:>5.0} transactions/s",
            f64::from(commits) / seconds,
            transactions as f64 / seconds
        );
    }
    store.close().await;
    Ok(())
}

async fn commit_until(store: Store, end: Instant) -> Result<u32, StoreError> {
    let mut commits = 0;
    while Instant::now() < end {
        store.commit(Append).await?;
        commits += 1;
    }
    Ok(commits)
}
