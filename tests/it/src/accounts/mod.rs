//! Signing in, over HTTP, against a running server. Codes come from `oathtool`, not from our own implementation.

mod attacks;
mod breaches;
mod networks;
mod passkeys;
mod passwords;
mod proofs;
mod recovery;
mod sessions;
mod setup;
mod strangers;
mod totp;

use sallyport_testkit::client::Reply;

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
