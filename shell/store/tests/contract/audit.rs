//! No change without an audit entry, but for a reviewed list.

use std::path::Path;

use sallyport_store::{Change, StoreError, Tx, values};

use crate::world::{Add, add, keyless_tenant, ours, together};

/// Writes and logs nothing, though it must.
struct Silent(i64);

impl Change for Silent {
    type Out = ();
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("INSERT INTO things (id, version) VALUES ($1, 1)", values![self.0]).await?;
        Ok(())
    }
}

enum Either {
    Silent(Silent),
    Add(Add),
}

impl Change for Either {
    type Out = ();
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match self {
            Self::Silent(silent) => silent.apply(tx).await,
            Self::Add(add) => add.apply(tx).await.map(|_| ()),
        }
    }
}

on_both! {
    async fn log_10_a_change_that_logs_nothing_is_rolled_back(world) {
        assert!(matches!(world.store.commit(Silent(1)).await, Err(StoreError::Unaudited)));
        let answers = together(&world.store, [Either::Add(add(2)), Either::Silent(Silent(3)), Either::Add(add(4))]).await;
        assert!(matches!(answers[..], [Ok(()), Err(StoreError::Unaudited), Ok(())]), "another's entry does not count");
        assert_eq!(world.things().await, [2, 4]);
        assert_eq!(world.check_log(ours()).await, 2);
    }

    async fn log_10_what_cannot_be_logged_does_not_happen(world) {
        let keyless = |id| Add { id, tenant: keyless_tenant() };
        assert!(matches!(world.store.commit(keyless(1)).await, Err(StoreError::NoLogKey)));
        let answers = together(&world.store, [add(2), keyless(3), add(4)]).await;
        assert!(matches!(answers[..], [Ok(_), Err(StoreError::NoLogKey), Ok(_)]));
        assert_eq!(world.things().await, [2, 4]);
    }
}

/// The list of exemptions is read by people: this test fails when it and the sources differ.
#[test]
fn the_exempt_changes_are_the_reviewed_ones() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&crate_folder.join("src/ops"), &mut found);
    found.sort();
    let found = found.concat();
    let reviewed = std::fs::read_to_string(crate_folder.join("audit-exempt.txt")).unwrap();
    assert_eq!(found, reviewed, "audit-exempt.txt must be:\n{found}");
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.extend(exemptions(&path));
        }
    }
}

/// `area Change: reason` for each `Audit::Exempt("reason")` of a file.
fn exemptions(path: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(path).unwrap();
    let area = path.file_stem().unwrap().to_str().unwrap();
    let (mut change, mut found) = ("", Vec::new());
    for line in source.lines() {
        if let Some((_, rest)) = line.split_once("impl Change for ") {
            change = rest.trim_end_matches([' ', '{']);
        }
        if line.contains("Audit::Exempt") {
            let reason = line.split('"').nth(1).expect("the reason stands on the same line, as a literal");
            found.push(format!("{area} {change}: {reason}\n"));
        }
    }
    found
}
