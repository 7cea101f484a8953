//! What the store promises, on SQLite and on PostgreSQL alike.

#![allow(clippy::unwrap_used)]

// The test kit depends on this crate, so its server is included and not linked.
#[allow(unreachable_pub)]
#[path = "../../../../tests/testkit/src/postgres.rs"]
mod postgres;
mod world;

/// Makes two tests of one: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($world:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn promise($world: crate::world::World) $body

            #[tokio::test]
            async fn sqlite() {
                promise(crate::world::World::on_sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                promise(crate::world::World::on_postgres().await).await;
            }
        }
    )*};
}

mod accounts;
mod audit;
mod failures;
mod files;
mod fleet;
mod jobs;
mod log;
mod once;
mod schedules;
mod several;
mod values;
mod writer;
