//! What is left after a failure: nothing by halves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sallyport_store::{Change, StoreError, Tx};

use crate::world::{self, World, add, check_log, open, ours, together};

/// Writes, tells that it did, and never ends.
struct Stuck(tokio::sync::mpsc::UnboundedSender<()>);

impl Change for Stuck {
    type Out = ();
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        add(99).apply(tx).await?;
        let _ = self.0.send(());
        std::future::pending().await
    }
}

/// Runs a server that dies in the middle of a batch, and looks at what is left.
fn a_crash_leaves_nothing_by_halves(world: impl Future<Output = World>) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (address, _folder, answer) = first.block_on(async {
        let World { store, address, folder } = world.await;
        store.commit(add(1)).await.unwrap();
        let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
        let (told, answer) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { told.send(store.commit(Stuck(reached)).await) });
        wait.recv().await.unwrap();
        (address, folder, answer)
    });
    drop(first);
    assert!(answer.blocking_recv().is_err(), "nobody was told that it is durable");
    runtime().block_on(async {
        let store = open(&address).await.unwrap();
        assert_eq!(world::things(&store).await, [1]);
        assert_eq!(check_log(&mut store.read().await.unwrap(), ours()).await, 1);
        store.commit(add(2)).await.unwrap();
        assert_eq!(check_log(&mut store.read().await.unwrap(), ours()).await, 2);
    });
}

#[test]
fn a_crash_leaves_nothing_by_halves_sqlite() {
    a_crash_leaves_nothing_by_halves(World::on_sqlite());
}

#[test]
fn a_crash_leaves_nothing_by_halves_postgres() {
    a_crash_leaves_nothing_by_halves(World::on_postgres());
}

/// Fails as PostgreSQL does when transactions cannot be put in order, the first `times` times.
#[derive(Clone)]
struct Unlucky {
    id: i64,
    times: u32,
    applied: Arc<AtomicU32>,
}

fn unlucky(id: i64, times: u32) -> Unlucky {
    Unlucky { id, times, applied: Arc::default() }
}

impl Change for Unlucky {
    type Out = u64;
    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let index = add(self.id).apply(tx).await?;
        if self.applied.fetch_add(1, Ordering::Relaxed) < self.times {
            let raise = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$";
            // Even a change that hides the error is done again.
            tx.execute(raise, &[]).await.map_err(|_| StoreError::NotFound)?;
        }
        Ok(index)
    }
}

#[tokio::test]
async fn a_serialization_failure_is_done_again_postgres() {
    let world = World::on_postgres().await;
    let (lucky, twice) = (unlucky(1, 0), unlucky(2, 2));
    let answers = together(&world.store, [lucky.clone(), twice.clone()]).await;
    assert!(matches!(answers[..], [Ok(0), Ok(1)]));
    assert_eq!((lucky.applied.load(Ordering::Relaxed), twice.applied.load(Ordering::Relaxed)), (3, 3), "the whole batch is redone");
    assert_eq!(world.things().await, [1, 2]);
    assert_eq!(world.check_log(ours()).await, 2);
}

#[tokio::test]
async fn one_that_is_never_in_order_is_given_back_postgres() {
    let world = World::on_postgres().await;
    assert!(matches!(world.store.commit(unlucky(1, u32::MAX)).await, Err(StoreError::Busy)));
    assert!(world.things().await.is_empty());
    world.store.commit(add(2)).await.unwrap();
}

on_both! {
    async fn a_closed_store_says_so(world) {
        let last = tokio::spawn({
            let store = world.store.clone();
            async move { store.commit(add(1)).await }
        });
        tokio::task::yield_now().await;
        world.store.close().await;
        last.await.unwrap().unwrap();
        assert!(matches!(world.store.commit(add(2)).await, Err(StoreError::Closed)));
        assert!(matches!(world.store.read().await, Err(StoreError::Closed)));
        assert_eq!(world::things(&open(&world.address).await.unwrap()).await, [1]);
    }

    async fn a_newer_database_is_refused(world) {
        world::run(&world.store, "INSERT INTO migrations (number, checksum) SELECT 9000, checksum FROM migrations WHERE number = 1").await;
        assert!(matches!(open(&world.address).await, Err(StoreError::Newer(9000))));
    }

    async fn an_altered_migration_is_refused(world) {
        let garble = world::Sql("UPDATE migrations SET checksum = $1 WHERE number = 1", sallyport_store::values![[0u8; 32]].to_vec());
        world.store.reserve(garble).await.unwrap();
        assert!(matches!(open(&world.address).await, Err(StoreError::Altered(1))));
    }
}

/// SQLite stands for every full disk: it is told that the file may not grow.
#[tokio::test]
async fn a_full_disk_refuses_the_change_sqlite() {
    let world = World::on_sqlite().await;
    world.store.commit(add(0)).await.unwrap();
    world::run(&world.store, "PRAGMA max_page_count = 1").await;
    let mut kept = 1;
    let refused = loop {
        match world.store.commit(add(kept)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10_000, "the file grew");
    };
    assert!(matches!(refused, StoreError::Database(_)), "{refused}");
    assert_eq!(world.things().await, (0..kept).collect::<Vec<_>>());
    assert_eq!(world.check_log(ours()).await, kept as u64);
    world::run(&world.store, "PRAGMA max_page_count = 100000").await;
    world.store.commit(add(kept)).await.unwrap();
    assert_eq!(world.check_log(ours()).await, kept as u64 + 1);
}
