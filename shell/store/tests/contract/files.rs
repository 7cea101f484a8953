//! The SQLite file: its mode, its copies, its addresses.

use std::os::unix::fs::PermissionsExt as _;

use sallyport_store::{StoreError, check_copy};

use crate::world::{World, add, check_log, open, ours, things};

#[tokio::test]
async fn the_files_are_readable_by_their_owner_alone() {
    let world = World::on_sqlite().await;
    world.store.commit(add(1)).await.unwrap();
    let modes: Vec<(String, u32)> = std::fs::read_dir(world.folder.path())
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    assert!(modes.len() >= 3, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn a_running_store_is_copied_whole() {
    let world = World::on_sqlite().await;
    for id in 0..10 {
        world.store.commit(add(id)).await.unwrap();
    }
    let copy = world.folder.path().join("copy.db");
    world.store.back_up(&copy).await.unwrap();
    world.store.commit(add(10)).await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    check_copy(&copy).await.unwrap();
    assert!(world.store.back_up(&copy).await.is_err(), "a copy is never overwritten");

    let restored = open(&format!("sqlite:{}", copy.display())).await.unwrap();
    assert_eq!(things(&restored).await, (0..10).collect::<Vec<_>>());
    assert_eq!(check_log(&mut restored.read().await.unwrap(), ours()).await, 10);
}

#[tokio::test]
async fn a_damaged_copy_is_found() {
    let world = World::on_sqlite().await;
    for id in 0..200 {
        world.store.commit(add(id)).await.unwrap();
    }
    let copy = world.folder.path().join("copy.db");
    world.store.back_up(&copy).await.unwrap();
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x55);
    std::fs::write(&copy, bytes).unwrap();
    assert!(check_copy(&copy).await.is_err());
    assert!(check_copy(&world.folder.path().join("none.db")).await.is_err());
}

#[tokio::test]
async fn an_address_of_no_known_form_is_refused() {
    for address in ["", "sqlite:", "sqlite::memory:", "mysql://localhost/x", "/var/lib/sallyport.db"] {
        assert!(matches!(open(address).await, Err(StoreError::Address)), "{address}");
    }
}

#[tokio::test]
async fn postgres_is_copied_by_its_own_tools() {
    let world = World::on_postgres().await;
    assert!(matches!(world.store.back_up(&world.folder.path().join("copy")).await, Err(StoreError::NotSqlite)));
}
