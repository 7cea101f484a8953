//! The audit log as a tree.

use sallyport_grant::log::entry_leaf_data;
use sallyport_grant::merkle::{TreeHead, consistency_holds, inclusion_holds, root_of};
use sallyport_model::UserId;
use sallyport_store::log::{self, Filter};
use sallyport_store::ops::erasure::EraseEntry;
use sallyport_store::{Actor, Audit, Change, Entry, StoreError, Tx};
use serde_json::json;

use crate::world::{Add, World, add, entry, leaves, moment, ours, theirs, together};

/// Appends `count` entries, with kinds `thing.even` and `thing.odd`.
struct Append(i64);

impl Change for Append {
    type Out = ();
    const AUDIT: Audit = Audit::Required;
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for n in 0..self.0 {
            tx.append(ours(), entry(if n % 2 == 0 { "thing.even" } else { "thing.odd" }, n)).await?;
        }
        Ok(())
    }
}

async fn indexes(world: &World, filter: Filter, before: Option<u64>, limit: u32) -> (Vec<u64>, Option<u64>) {
    let page = log::page(&mut world.store.read().await.unwrap(), ours(), &filter, before, limit).await.unwrap();
    (page.entries.iter().map(|entry| entry.index).collect(), page.next)
}

on_both! {
    async fn concurrent_appends_make_the_tree_of_all_leaves(world) {
        let tenants = |id| if id % 3 == 0 { theirs() } else { ours() };
        for round in 0..4 {
            let changes = (0..25).map(|n| Add { id: round * 100 + n, tenant: tenants(n) });
            assert!(together(&world.store, changes).await.iter().all(Result::is_ok));
        }
        assert_eq!((world.check_log(ours()).await, world.check_log(theirs()).await), (64, 36));
    }

    async fn every_inclusion_proof_holds(world) {
        world.store.commit(Append(130)).await.unwrap();
        let mut reader = world.store.read().await.unwrap();
        let leaves = leaves(&mut reader, ours()).await;
        for size in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 130] {
            let root = root_of(&leaves[..size as usize]);
            assert_eq!(log::root_at(&mut reader, ours(), size).await.unwrap(), root);
            for index in (0..size).filter(|index| size < 20 || index % 9 == 0 || index + 1 == size) {
                let proof = log::inclusion(&mut reader, ours(), index, size).await.unwrap();
                assert!(inclusion_holds(&leaves[index as usize], index, size, &proof, &root), "{index} in {size}");
            }
        }
    }

    async fn every_consistency_proof_holds(world) {
        world.store.commit(Append(66)).await.unwrap();
        let mut reader = world.store.read().await.unwrap();
        let leaves = leaves(&mut reader, ours()).await;
        let head = |size: u64| TreeHead { size, root: root_of(&leaves[..size as usize]) };
        let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 66];
        for (old, new) in sizes.iter().flat_map(|old| sizes.iter().map(move |new| (*old, *new))).filter(|(old, new)| old <= new) {
            let proof = log::consistency(&mut reader, ours(), old, new).await.unwrap();
            assert!(consistency_holds(head(old), head(new), &proof), "{old} to {new}");
        }
    }

    async fn nothing_is_proved_beyond_the_log(world) {
        world.store.commit(Append(3)).await.unwrap();
        let mut reader = world.store.read().await.unwrap();
        for (index, size) in [(3, 3), (0, 4), (0, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            assert!(matches!(log::inclusion(&mut reader, ours(), index, size).await, Err(StoreError::NotFound)), "{index} {size}");
        }
        for (old, new) in [(2, 1), (1, 4), (0, u64::MAX)] {
            assert!(matches!(log::consistency(&mut reader, ours(), old, new).await, Err(StoreError::NotFound)), "{old} {new}");
        }
        assert!(matches!(log::head(&mut reader, theirs()).await, Err(StoreError::NotFound)));
    }

    async fn the_index_is_told_to_the_change(world) {
        for id in 0..5 {
            assert_eq!(world.store.commit(add(id)).await.unwrap(), id as u64);
        }
    }

    async fn pages_go_from_new_to_old(world) {
        world.store.commit(Append(7)).await.unwrap();
        let all = Filter::default;
        assert_eq!(indexes(&world, all(), None, 3).await, (vec![6, 5, 4], Some(4)));
        assert_eq!(indexes(&world, all(), Some(4), 3).await, (vec![3, 2, 1], Some(1)));
        assert_eq!(indexes(&world, all(), Some(1), 3).await, (vec![0], None));
        assert_eq!(indexes(&world, all(), None, 7).await.1, None, "an exactly full page is the last");
        let odd = || Filter { kind: Some("thing.odd".to_owned()), ..Filter::default() };
        assert_eq!(indexes(&world, odd(), None, 2).await, (vec![5, 3], Some(3)));
        assert_eq!(indexes(&world, Filter { actor: Some("system".to_owned()), ..odd() }, Some(3), 2).await, (vec![1], None));
        let nobody = Filter { actor: Some(UserId::from_bytes([1; 16]).to_string()), ..Filter::default() };
        assert_eq!(indexes(&world, nobody, None, 2).await, (vec![], None));
    }

    async fn an_erased_entry_keeps_its_place(world) {
        world.store.commit(Append(3)).await.unwrap();
        let stored = log::entry(&mut world.store.read().await.unwrap(), ours(), 1).await.unwrap();
        let (salt, body) = (stored.salt.unwrap(), stored.body.unwrap());
        assert_eq!(entry_leaf_data(&salt, body.as_bytes()), stored.data, "the body is what the leaf says");

        let erase = |index| EraseEntry { tenant: ours(), index, by: Actor::System, at: moment(9), salt: [9; 32] };
        world.store.commit(erase(1)).await.unwrap();
        let erased = log::entry(&mut world.store.read().await.unwrap(), ours(), 1).await.unwrap();
        assert_eq!((erased.body, erased.salt, erased.actor, &erased.data), (None, None, None, &stored.data));
        assert_eq!(world.check_log(ours()).await, 4, "the erasure is an entry too");
        assert!(matches!(world.store.commit(erase(1)).await, Err(StoreError::NotFound)));
    }

    async fn a_grants_entry_cannot_be_erased(world) {
        struct Granted;
        impl Change for Granted {
            type Out = u64;
            async fn apply(&self, tx: &mut Tx) -> Result<u64, StoreError> {
                tx.append(ours(), Entry::grant("job.granted", Actor::System, moment(1), b"the leaf".to_vec(), json!({}))).await
            }
        }
        let index = world.store.commit(Granted).await.unwrap();
        assert_eq!(log::entry(&mut world.store.read().await.unwrap(), ours(), index).await.unwrap().data, b"the leaf");
        let erase = EraseEntry { tenant: ours(), index, by: Actor::System, at: moment(9), salt: [9; 32] };
        assert!(matches!(world.store.commit(erase).await, Err(StoreError::NotFound)));
    }

    async fn a32_log_07_a_rewritten_or_cut_log_is_found(world) {
        world.store.commit(Append(20)).await.unwrap();
        let damages: [&'static str; 12] = [
            "UPDATE log_entries SET data = salt WHERE idx = 7",
            "UPDATE log_entries SET body = 'another' WHERE idx = 7",
            "UPDATE log_entries SET salt = data WHERE idx = 7",
            "UPDATE log_entries SET body = NULL WHERE idx = 7",
            "UPDATE log_entries SET body = 'another', salt = NULL WHERE idx = 7",
            "UPDATE log_entries SET kind = 'another' WHERE idx = 7",
            "UPDATE log_entries SET at = at + 1 WHERE idx = 7",
            "UPDATE log_entries SET actor = 'dev_00000000000000000000000002' WHERE idx = 7",
            "DELETE FROM log_entries WHERE idx = 7",
            "DELETE FROM log_entries WHERE idx = 19",
            "UPDATE log_heads SET size = 19",
            "UPDATE log_heads SET root = (SELECT hash FROM log_nodes WHERE level = 0 AND idx = 3)",
        ];
        for damage in damages {
            assert!(matches!(world.store.reserve(Damage(damage)).await, Err(StoreError::Damaged | StoreError::Corrupt(_))), "{damage}");
        }
        let head = log::check(&mut world.store.read().await.unwrap(), ours()).await.unwrap();
        assert_eq!((head.size, head.root), (20, root_of(&leaves(&mut world.store.read().await.unwrap(), ours()).await)));
    }
}

/// Damages the log, checks it, and is rolled back by the error of the check.
struct Damage(&'static str);

impl Change for Damage {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tests");
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        assert_eq!(tx.execute(self.0, &[]).await?, 1);
        log::check(tx, ours()).await.map(|_| ())
    }
}
