//! How long reading the list of devices takes: `cargo run --release --example devices -- [devices]`.

use std::sync::Arc;
use std::time::Instant;

use sallyport_grant::merkle::TreeHead;
use sallyport_model::{CustomerId, DeviceId, SiteId, TenantId};
use sallyport_store::ops::devices::{self, Which};
use sallyport_store::{Audit, Change, CheckpointSigner, Store, StoreError, Tx, values};

struct Nobody;

impl CheckpointSigner for Nobody {
    fn sign(&self, _: TenantId, _: TreeHead) -> Option<String> {
        None
    }
}

struct Fill(u32);

fn tenant() -> TenantId {
    TenantId::from_bytes([1; 16])
}

impl Change for Fill {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a measurement");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (customer, site) = (CustomerId::from_bytes([1; 16]), SiteId::from_bytes([1; 16]));
        tx.execute("INSERT INTO customers (id, tenant, name, created) VALUES ($1, $2, 'Nordwind', 0)", values![customer, tenant()]).await?;
        let sql = "INSERT INTO sites (id, tenant, customer, name, created) VALUES ($1, $2, $3, 'Lyon', 0)";
        tx.execute(sql, values![site, tenant(), customer]).await?;
        let columns = &[
            "id",
            "tenant",
            "site",
            "thumbprint",
            "device_key",
            "seal_key",
            "name",
            "os",
            "agent_version",
            "state",
            "installer",
            "enrolled",
            "enrolled_from",
            "last_seen",
            "tags",
            "signed_in",
            "alerts",
            "version",
        ];
        let row = |n: u32| {
            let key = [n.to_be_bytes(); 8].concat();
            let id = DeviceId::from_bytes([n.to_be_bytes(); 4].concat().try_into().unwrap_or_default());
            let (name, os) = (format!("web-{n:05}"), "Debian GNU/Linux 13 (trixie)");
            values![
                id,
                tenant(),
                site,
                key,
                key,
                key,
                name,
                os,
                "0.1.0",
                "approved",
                id,
                1i64,
                "192.0.2.1",
                1i64,
                "prod web",
                "root\nanna",
                "",
                1i64
            ]
            .to_vec()
        };
        tx.insert_rows("devices", columns, &(0..self.0).map(row).collect::<Vec<_>>()).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let store = Store::open(&format!("sqlite:{}", folder.path().join("store.db").display()), Arc::new(Nobody)).await?;
    store.commit(Fill(count)).await?;
    for _ in 0..5 {
        let begun = Instant::now();
        let rows = devices::list(&mut store.read().await?, tenant(), Which::Managed).await?;
        println!("{} devices in {:?}", rows.len(), begun.elapsed());
    }
    store.close().await;
    Ok(())
}
