//! One writer, grouped commits, and each change for itself.

use sallyport_store::{Change, StoreError, Tx, values};

use crate::world::{Add, add, entry, ours, run, theirs, together};

/// Writes, logs, then fails.
#[derive(Clone)]
enum Step {
    Add(Add),
    Fail(i64),
    Panic(i64),
}

impl Change for Step {
    type Out = u64;
    async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        match self {
            Self::Add(add) => add.apply(tx).await,
            Self::Fail(id) => {
                add(*id).apply(tx).await?;
                Err(StoreError::NotFound)
            }
            Self::Panic(id) => {
                add(*id).apply(tx).await?;
                panic!("a change that panics")
            }
        }
    }
}

on_both! {
    async fn queued_changes_share_a_transaction(world) {
        let before = world.store.transactions();
        let answers = together(&world.store, (0..200).map(add)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(world.things().await.len(), 200);
        let used = world.store.transactions() - before;
        assert!(used < 20, "200 changes took {used} transactions");
        assert_eq!(world.check_log(ours()).await, 200);
    }

    async fn a_failing_change_is_rolled_back_alone(world) {
        let steps = (0..20).map(|id| if id % 7 == 3 { Step::Fail(id) } else { Step::Add(add(id)) });
        let answers = together(&world.store, steps).await;
        let failed: Vec<usize> = (0..20).filter(|id| matches!(answers[*id], Err(StoreError::NotFound))).collect();
        assert_eq!(failed, [3, 10, 17]);
        assert_eq!(world.things().await, (0..20).filter(|id| id % 7 != 3).collect::<Vec<_>>());
        let mut indexes: Vec<u64> = answers.into_iter().flatten().collect();
        indexes.sort_unstable();
        assert_eq!(indexes, (0..17).collect::<Vec<_>>(), "the log has no holes");
        assert_eq!(world.check_log(ours()).await, 17);
    }

    async fn the_first_entry_of_a_tenant_may_fail(world) {
        let answers = together(&world.store, [Step::Fail(1), Step::Add(Add { id: 2, tenant: theirs() }), Step::Add(add(3))]).await;
        assert!(matches!(answers[..], [Err(_), Ok(0), Ok(0)]));
        assert_eq!((world.check_log(ours()).await, world.check_log(theirs()).await), (1, 1));
    }

    async fn a_duplicate_in_a_batch_fails_alone(world) {
        let answers = together(&world.store, [add(1), add(1), add(2)]).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(StoreError::Exists))).count(), 1);
        assert_eq!(world.things().await, [1, 2]);
    }

    async fn a_panic_harms_nobody_else(world) {
        let answers = together(&world.store, [Step::Add(add(1)), Step::Panic(2), Step::Add(add(3))]).await;
        assert!(matches!(answers[..], [Ok(_), Err(StoreError::Panicked), Ok(_)]));
        assert_eq!(world.things().await, [1, 3]);
        world.store.commit(add(4)).await.unwrap();
        assert_eq!(world.check_log(ours()).await, 3);
    }

    async fn a_stale_version_is_a_conflict(world) {
        struct Rename(i64);
        impl Change for Rename {
            type Out = ();
            async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
                let sql = "UPDATE things SET label = 'new', version = version + 1 WHERE id = $1 AND version = $2";
                tx.execute_versioned(sql, values![1_i64, self.0]).await?;
                tx.append(ours(), entry("thing.renamed", 1)).await?;
                Ok(())
            }
        }
        world.store.commit(add(1)).await.unwrap();
        let answers = together(&world.store, [Rename(1), Rename(1), Rename(1)]).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(StoreError::Conflict))).count(), 2);
        assert_eq!(world.check_log(ours()).await, 2);
    }

    async fn a_reader_sees_one_moment_and_cannot_write(world) {
        world.store.commit(add(1)).await.unwrap();
        let mut reader = world.store.read().await.unwrap();
        assert_eq!(reader.fetch_all("SELECT id FROM things", &[]).await.unwrap().len(), 1);
        world.store.commit(add(2)).await.unwrap();
        assert_eq!(reader.fetch_all("SELECT id FROM things", &[]).await.unwrap().len(), 1);
        drop(reader);
        assert_eq!(world.things().await, [1, 2]);
        let mut reader = world.store.read().await.unwrap();
        assert!(reader.fetch_all("INSERT INTO things (id, version) VALUES (9, 1) RETURNING id", &[]).await.is_err());
    }

    async fn a_missing_reference_is_named_so(world) {
        run(&world.store, "CREATE TABLE parts (id BIGINT PRIMARY KEY, thing BIGINT NOT NULL REFERENCES things (id))").await;
        let orphan = crate::world::Sql("INSERT INTO parts (id, thing) VALUES (1, 99)", vec![]);
        assert!(matches!(world.store.reserve(orphan).await, Err(StoreError::Dangling)));
    }
}
