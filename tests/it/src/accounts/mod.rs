//! Signing in, over HTTP, against a running server. Codes come from `oathtool`, not from our own implementation.

mod admins;
mod attacks;
mod breaches;
mod codes;
mod device;
mod doors;
mod half_sessions;
mod kit;
mod lifecycle;
pub(crate) mod networks;
pub(crate) mod passkeys;
mod passwords;
mod proofs;
mod recovery;
mod sessions;
mod setup;
mod strangers;
mod totp;
mod whereabouts;

use std::time::{Duration, Instant};

use sallyport_store::ops::people::{tenants, untold};
use sallyport_testkit::client::Reply;
use sallyport_testkit::server::TestServer;

/// A database of places that names towns.
pub(crate) fn towns() -> std::path::PathBuf {
    whereabouts::fixture("towns.mmdb")
}

/// People are told of what happens from the server's first look at the log on: waits for that.
pub(crate) async fn notices_begin(server: &TestServer) {
    let begun = Instant::now();
    loop {
        let mut reader = server.app.store.read().await.expect("a reader");
        let tenants = tenants(&mut reader).await.expect("tenants");
        if untold(&mut reader, tenants[0], 1).await.expect("the log").is_some() {
            return;
        }
        drop(reader);
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody reads the log");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every refused sign-in looks like this.
fn assert_refused(reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (401, "sign_in_refused"), "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("set-cookie"), None);
}

fn assert_signed_in(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
}

/// A code that is surely none of the accepted ones.
fn wrong_code(right: &str) -> String {
    let number: u32 = right.parse().expect("digits");
    format!("{:06}", (number + 500_000) % 1_000_000)
}
