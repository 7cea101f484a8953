//! Several server processes on one database.

use sallyport_store::{Change, StoreError, Tx, values};

use crate::world::{add, entry, open, ours};

/// Reads a number and writes it back plus one: what races break first.
struct Increment;

impl Change for Increment {
    type Out = ();
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let size = tx.fetch_one("SELECT version FROM things WHERE id = 1", &[]).await?.int("version")?;
        tokio::task::yield_now().await;
        tx.execute("UPDATE things SET version = $1 WHERE id = 1", values![size + 1]).await?;
        tx.append(ours(), entry("thing.incremented", size)).await?;
        Ok(())
    }
}

on_both! {
    async fn writers_of_two_processes_lose_nothing(world) {
        world.store.commit(add(1)).await.unwrap();
        let second = open(&world.address).await.unwrap();
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let store = if n % 2 == 0 { world.store.clone() } else { second.clone() };
                tokio::spawn(async move { store.commit(Increment).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let row = world.store.read().await.unwrap().fetch_one("SELECT version FROM things WHERE id = 1", &[]).await.unwrap();
        assert_eq!(row.int("version").unwrap(), 61);
        assert_eq!(world.check_log(ours()).await, 61);
    }

    async fn processes_that_start_together_migrate_once(world) {
        let (one, two, three) = tokio::join!(open(&world.address), open(&world.address), open(&world.address));
        assert!(one.is_ok() && two.is_ok() && three.is_ok());
    }
}
