//! A server as tests reach it, whether it runs in their process or in one of its own.

use std::net::SocketAddr;

use tokio_rustls::TlsConnector;

use crate::server::TestClock;

/// Where a server is, and what it and its clients take for the time.
pub trait Host {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
    /// What clients sign as its address.
    fn origin(&self) -> &str;
    /// The clock of both ends.
    fn clock(&self) -> &TestClock;
    /// How clients speak TLS with it, where it wants that.
    fn tls(&self) -> Option<TlsConnector> {
        None
    }
}

/// Makes a test of each named `async fn(Engine)` for each engine: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::server::Engine::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name($crate::server::Engine::Postgres).await;
            }
        }
    )+};
}
