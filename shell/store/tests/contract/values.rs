//! What goes in comes out.

use sallyport_model::{DeviceId, Digest, Email, Timestamp};
use sallyport_store::{Row, StoreError, Value, values};

use crate::world::{Sql, World};

const INSERT: &str = "INSERT INTO things (id, version, size, blob, label) VALUES ($1, 0, $2, $3, $4)";

async fn stored(world: &World, id: i64, size: Option<i64>, blob: Option<&[u8]>, label: Option<&str>) -> Row {
    world.store.reserve(Sql(INSERT, values![id, size, blob, label].to_vec())).await.unwrap();
    let mut reader = world.store.read().await.unwrap();
    reader.fetch_one("SELECT size, blob, label FROM things WHERE id = $1", values![id]).await.unwrap()
}

on_both! {
    async fn null_is_not_empty(world) {
        let row = stored(&world, 1, None, None, None).await;
        assert_eq!((row.int_opt("size").unwrap(), row.bytes_opt("blob").unwrap(), row.text_opt("label").unwrap()), (None, None, None));
        assert!(matches!(row.int("size"), Err(StoreError::Corrupt("size"))));
        let row = stored(&world, 2, Some(0), Some(&[]), Some("")).await;
        assert_eq!((row.int("size").unwrap(), row.bytes("blob").unwrap(), row.text("label").unwrap()), (0, vec![], String::new()));
    }

    async fn extremes_survive(world) {
        let every_byte: Vec<u8> = (0..=255).collect();
        let text = "ZÜRICH \u{1f6aa} e\u{301} 'quoted\" \\ $1 ; --\n\t";
        for (id, number) in [(1, i64::MIN), (2, i64::MAX), (3, -1)] {
            let row = stored(&world, id, Some(number), Some(&every_byte), Some(text)).await;
            assert_eq!((row.int("size").unwrap(), row.bytes("blob").unwrap(), row.text("label").unwrap()), (number, every_byte.clone(), text.to_owned()));
        }
    }

    async fn bytes_that_look_like_text_stay_bytes(world) {
        let row = stored(&world, 1, Some(1), Some(b"123"), Some("123")).await;
        assert_eq!(row.bytes("blob").unwrap(), b"123");
        assert!(matches!(row.int("label"), Err(StoreError::Corrupt("label"))), "a text is no number");
    }

    async fn domain_types_survive(world) {
        let (device, digest, at) = (DeviceId::from_bytes([0xfe; 16]), Digest::from_bytes([3; 32]), Timestamp::from_micros(1_763_764_000_123_456));
        let row = stored(&world, 1, Some(at.micros()), Some(device.as_bytes()), Some("owner@example.test")).await;
        assert_eq!((row.time("size").unwrap(), row.id::<DeviceId>("blob").unwrap()), (at, device));
        assert_eq!(row.get::<Email>("label").unwrap().as_str(), "owner@example.test");
        assert!(matches!(row.digest("blob"), Err(StoreError::Corrupt("blob"))), "16 bytes are no digest");
        let row = stored(&world, 2, Some(2), Some(digest.as_bytes()), None).await;
        assert_eq!(row.digest("blob").unwrap(), digest);
        assert!(matches!(row.flag("size"), Err(StoreError::Corrupt("size"))), "2 is no flag");
    }

    async fn many_rows_go_in_at_once(world) {
        struct Many(Vec<Vec<Value>>);
        impl sallyport_store::Change for Many {
            type Out = ();
            const AUDIT: sallyport_store::Audit = sallyport_store::Audit::Exempt("tests");
            async fn apply(&self, tx: &mut sallyport_store::Tx) -> Result<(), StoreError> {
                tx.insert_rows("things", &["id", "version", "label"], &self.0).await
            }
        }
        let rows = (0..1203_i64).map(|id| values![id, 1_i64, id.to_string()].to_vec()).collect();
        world.store.reserve(Many(rows)).await.unwrap();
        assert_eq!(world.things().await, (0..1203).collect::<Vec<_>>());
    }

    async fn counts_and_sums_are_numbers(world) {
        for id in 0..3 {
            stored(&world, id, Some(id * 10), None, None).await;
        }
        let mut reader = world.store.read().await.unwrap();
        let row = reader.fetch_one("SELECT COUNT(*) AS n, CAST(SUM(size) AS BIGINT) AS total FROM things", &[]).await.unwrap();
        assert_eq!((row.int("n").unwrap(), row.int("total").unwrap()), (3, 30));
    }
}
